//! The same agent in Rust with its standard library: String, HashMap, println!, env.
use std::collections::HashMap;

#[link(wasm_import_module = "swarm_1")]
extern "C" {
    fn reply(handle: u64, status: i32, kind: *const u8, kind_size: u32, body: *const u8, size: u32)
        -> i32;
}

#[repr(C)]
pub struct Message {
    struct_size: u32,
    flags: u32,
    time_ns: u64,
    reply_handle: u64,
    tag: u64,
    status: i32,
    priority: u32,
    from: [u32; 2],
    subject: [u32; 2],
    kind: [u32; 2],
    body: *const u8,
    body_size: u32,
}

#[derive(Default)]
struct State {
    room: Vec<u64>,
    count: u32,
    last: Option<String>,
    seen: HashMap<String, u32>,
}

static mut STATE: Option<State> = None;

fn state() -> &'static mut State {
    unsafe { STATE.get_or_insert_with(State::default) }
}

#[no_mangle]
pub extern "C" fn swarm_alloc(size: u32) -> *mut u8 {
    let room = &mut state().room;
    room.resize((size as usize + 7) / 8, 0);
    room.as_mut_ptr() as *mut u8
}

#[no_mangle]
pub extern "C" fn on_message(message: &Message) -> i32 {
    let body = unsafe { std::slice::from_raw_parts(message.body, message.body_size as usize) };
    let text = String::from_utf8_lossy(body).into_owned();
    let state = state();
    state.count += 1;
    *state.seen.entry(text.clone()).or_insert(0) += 1;
    println!("{}: message {}, {}", std::env::var("SWARM_AGENT").unwrap(), state.count, text);
    let answer = format!(
        "{} {} {} {} {:.1}",
        state.count,
        state.last.as_deref().unwrap_or("-"),
        1,
        std::env::var("SWARM_KEY").unwrap(),
        state.count as f64 * 1.5
    );
    state.last = Some(text);
    unsafe { reply(message.reply_handle, 0, "text/plain".as_ptr(), 10, answer.as_ptr(),
                   answer.len() as u32) }
}
