//! The same agent in Zig, with its standard library's allocator and formatting.
const std = @import("std");

extern "swarm_1" fn reply(
    handle: u64,
    status: i32,
    kind: [*]const u8,
    kind_size: u32,
    body: [*]const u8,
    size: u32,
) i32;
extern "swarm_1" fn self(what: i32, text: [*]u8, size: u32) i32;

const Message = extern struct {
    struct_size: u32,
    flags: u32,
    time_ns: u64,
    reply_handle: u64,
    tag: u64,
    status: i32,
    priority: u32,
    from: [2]u32,
    subject: [2]u32,
    kind: [2]u32,
    body: [*]const u8,
    body_size: u32,
};

const allocator = std.heap.wasm_allocator;
var room: []align(8) u8 = &.{};
var count: u32 = 0;
var last: []u8 = &.{};

export fn swarm_alloc(size: u32) ?[*]u8 {
    if (room.len < size) {
        if (room.len > 0) allocator.free(room);
        room = &.{};
        room = allocator.alignedAlloc(u8, .@"8", size) catch return null;
    }
    return room.ptr;
}

fn fact(what: i32, text: []u8) []u8 {
    const size: usize = @intCast(self(what, text.ptr, @intCast(text.len)));
    return text[0..@min(size, text.len)];
}

fn handle(message: *const Message) !i32 {
    const body = message.body[0..message.body_size];
    var text: [256]u8 = undefined;
    var agent: [64]u8 = undefined;
    var key: [64]u8 = undefined;
    count += 1;
    std.debug.print("{s}: message {d}, {s}\n", .{ fact(1, &agent), count, body });
    const half = count * 15;
    const before = if (last.len == 0) "-" else last;
    const answer = try std.fmt.bufPrint(
        &text,
        "{d} {s} {d} {s} {d}.{d}",
        .{ count, before, 1, fact(2, &key), half / 10, half % 10 },
    );
    if (last.len > 0) allocator.free(last);
    last = try allocator.dupe(u8, body);
    return reply(message.reply_handle, 0, "text/plain", 10, answer.ptr, @intCast(answer.len));
}

export fn on_message(message: *const Message) i32 {
    return handle(message) catch -8;
}
