/* waits */
/* The guest of the simulator (test/sim): an instance keeps a log of all that happens to it, and its
 * answers carry the log's length and hash. test/sim/protocol.h has the operations. */
#include "sim_state.h"

#define HEAP_BYTES 4096u

static uint64_t heap[HEAP_BYTES / 8];

void *SWARM_EXPORT(swarm_alloc)(uint32_t size)
{
    __SIZE_TYPE__ page;

    if (size <= sizeof heap)
        return heap;
    page = __builtin_wasm_memory_grow(0, (size + 65535) / 65536); /* For a state. */
    return page == (__SIZE_TYPE__)-1 ? 0 : (void *)(page * 65536);
}

/* --- Acting ---------------------------------------------------------------------------------- */

/* Send a note and put it down with its number of the pair, or that it was pushed back. */
static int32_t send(uint32_t to, struct sim_note *what, uint64_t tag)
{
    char name[16];
    uint32_t size;
    int32_t code;

    if (to >= SIM_PEERS)
        return SWARM_E_INVALID;
    size = write_name(to, name);
    what->number = memory.sent_to[to] + 1;
    code =
        swarm_send(name, size, "", 0, what, sizeof *what, (int32_t)sim_priority(what->number), tag);
    if (code != 0) {
        note(SIM_ENTRY_REFUSED, to, (uint64_t)(int64_t)code, what->id);
        return code;
    }
    memory.sent_to[to]++;
    note(SIM_ENTRY_SENT, to, what->number, what->id);
    return 0;
}

static int32_t answer(uint64_t handle, struct sim_answer *what)
{
    struct sim_config config = read_config();

    if (config.version != memory.version || memory.program != SIM_PROGRAM)
        note(SIM_ENTRY_BROKEN, config.version, memory.version, memory.program);
    if (handle == 0)
        return SWARM_DONE;
    what->position = memory.position;
    what->hash = memory.hash;
    what->version = config.version;
    what->life = memory.incarnation;
    return swarm_reply(handle, 0, "", 0, what, sizeof *what);
}

static int32_t answer_plain(uint64_t handle)
{
    struct sim_answer what = {0};

    return answer(handle, &what);
}

static void tell_mirror(uint32_t mirror, uint64_t id)
{
    struct sim_note what = {
        .kind = SIM_NOTE_MIRROR, .id = id, .position = memory.position, .hash = memory.hash};
    char name[16];
    uint32_t size = write_name(mirror, name);

    (void)swarm_send(name, size, "", 0, &what, sizeof what, SWARM_PRIORITY_NORMAL, 0);
}

static int32_t relay(const struct sim_note *what)
{
    struct sim_note next = *what;

    if (what->hops == 0 || what->hops > SIM_HOPS_MAX)
        return SWARM_DONE;
    next.hops--;
    for (uint32_t i = 0; i < next.hops; i++)
        next.path[i] = what->path[i + 1];
    (void)send(what->path[0], &next,
               0); /* Pushed back: the chain ends here, and the log says so. */
    return SWARM_DONE;
}

static int32_t transfer(const struct sim_request *r, uint64_t handle)
{
    struct sim_note what = {.kind = SIM_NOTE_PLAIN, .id = r->id, .amount = (int64_t)r->value};

    if (send(r->path[0], &what, 0) == 0)
        memory.balance -= what.amount;
    return answer_plain(handle);
}

static int32_t start_relay(const struct sim_request *r, uint64_t handle)
{
    struct sim_note what = {.kind = SIM_NOTE_RELAY, .hops = r->hops, .id = r->id};

    for (uint32_t i = 0; i < sizeof what.path; i++)
        what.path[i] = r->path[i];
    (void)relay(&what);
    return answer_plain(handle);
}

static int32_t call_on(const struct sim_request *r, uint64_t handle)
{
    struct sim_note what = {.kind = SIM_NOTE_PLAIN, .id = r->id};

    for (uint32_t i = 0; i < r->hops && i < SIM_HOPS_MAX; i++)
        (void)send(r->path[i], &what, 0);
    return answer_plain(handle);
}

static int32_t spam(const struct sim_request *r, uint64_t handle)
{
    for (uint64_t i = 0; i < r->value && !is_full(); i++) {
        struct sim_note what = {.kind = SIM_NOTE_PLAIN, .id = r->id};

        (void)send(r->path[0], &what, 0);
    }
    return answer_plain(handle);
}

static int32_t poison(const struct sim_request *r, uint64_t handle)
{
    struct sim_note what = {.kind = r->op == SIM_OP_CRASH ? SIM_NOTE_CRASH : SIM_NOTE_POISON,
                            .id = r->id,
                            .path = {(uint8_t)r->value}};

    (void)send(r->path[0], &what, 0);
    return answer_plain(handle);
}

/* --- Questions to several -------------------------------------------------------------------- */

static int32_t gather_end(struct gather *gather)
{
    struct sim_answer what = {.count = gather->count};
    uint64_t handle = gather->handle;

    for (uint32_t i = 0; i < gather->count; i++)
        what.marks[i] = gather->marks[i];
    *gather = memory.gathers[--memory.gathers_count];
    return answer(handle, &what);
}

static int32_t gather(const struct sim_request *r, uint64_t handle)
{
    struct gather *made = &memory.gathers[memory.gathers_count];

    if (memory.gathers_count == GATHERS_MAX || r->hops == 0 || r->hops > SIM_HOPS_MAX)
        return SWARM_E_EXHAUSTED;
    *made = (struct gather){.id = r->id, .handle = handle};
    for (uint32_t i = 0; i < r->hops; i++) {
        struct sim_note what = {.kind = SIM_NOTE_QUESTION, .id = r->id};

        if (send(r->path[i], &what, r->id * 8 + i + 1) != 0)
            continue;
        made->marks[made->count++] = (struct sim_mark){.peer = r->path[i], .status = ~0u};
        made->waiting++;
    }
    memory.gathers_count++;
    return made->waiting == 0 ? gather_end(made) : SWARM_DONE;
}

/* An answer came; the tag says to which op and to which of those who were asked. */
static int32_t take_answer(const struct swarm_message *m)
{
    const struct sim_note *what = (const void *)m->body;
    uint64_t id = (m->tag - 1) / 8;

    for (uint32_t i = 0; i < memory.gathers_count; i++) {
        struct gather *open = &memory.gathers[i];
        uint32_t who = m->status == 0 ? peer_of(m->from, m->from_size) : SIM_CLIENT;

        if (open->id != id)
            continue;
        for (uint32_t k = 0; k < open->count; k++) {
            struct sim_mark *mark = &open->marks[k];

            if (mark->status != ~0u || (who != SIM_CLIENT && mark->peer != who))
                continue;
            mark->status = (uint32_t)-m->status;
            if (m->status == 0 && m->body_size == sizeof *what) {
                mark->position = what->position;
                mark->hash = what->hash;
            }
            note(SIM_ENTRY_ANSWER, mark->peer, mark->status, id);
            open->waiting--;
            return open->waiting == 0 ? gather_end(open) : SWARM_DONE;
        }
    }
    note(SIM_ENTRY_ANSWER, SIM_CLIENT, (uint64_t)(int64_t)m->status, id); /* Nobody waits for it. */
    return SWARM_DONE;
}

/* --- Waiting --------------------------------------------------------------------------------- */

#define LOCALS 6u
#define ROOM_BYTES 256u
#define DEPTH_MAX 2u

static uint32_t depth; /* Of handlers within handlers. */

static int32_t dispatch(const struct swarm_message *m);

/* Locals that must be there after a wait. */
static void fill(volatile uint64_t *locals, uint64_t id)
{
    for (uint32_t i = 0; i < LOCALS; i++)
        locals[i] = sim_mix(id, i);
}

static void check_locals(const volatile uint64_t *locals, uint64_t id)
{
    for (uint32_t i = 0; i < LOCALS; i++)
        if (locals[i] != sim_mix(id, i))
            note(SIM_ENTRY_BROKEN, i, locals[i], id);
}

/* Ask and wait for the answer, and put down how that ended. */
static int32_t ask(uint32_t to, struct sim_note *what)
{
    uint8_t room[ROOM_BYTES];
    struct swarm_reading reading = {.room = room, .room_size = sizeof room};
    volatile uint64_t locals[LOCALS];
    char name[16];
    int32_t code;

    if (to >= SIM_PEERS)
        return SWARM_E_INVALID;
    fill(locals, what->id + to);
    what->number = ++memory.asked_of[to];
    code = swarm_wait_ask(name, write_name(to, name), "", 0, what, sizeof *what,
                          (int32_t)sim_priority(what->number), SIM_ASK_NS * (what->hops + 1));
    code = swarm_read(code, &reading);
    check_locals(locals, what->id + to);
    note(SIM_ENTRY_ASKED, to, what->number * 256 + (uint32_t)-code, what->id);
    return code;
}

/* Ask whoever the path names first to ask the others. */
static void ask_on(const struct sim_note *what)
{
    struct sim_note next = *what;

    if (what->hops == 0 || what->hops > SIM_HOPS_MAX || is_full())
        return;
    next.hops--;
    for (uint32_t i = 0; i < next.hops; i++)
        next.path[i] = what->path[i + 1];
    (void)ask(what->path[0], &next);
}

static int32_t start_asking(const struct sim_request *r, uint64_t handle)
{
    struct sim_note what = {.kind = SIM_NOTE_ASK, .hops = r->hops, .id = r->id};

    for (uint32_t i = 0; i < sizeof what.path; i++)
        what.path[i] = r->path[i];
    ask_on(&what);
    return answer_plain(handle);
}

static int32_t sleep(const struct sim_request *r, uint64_t handle)
{
    volatile uint64_t locals[LOCALS];
    uint64_t before = swarm_now(), delay = r->delay_ns, id = r->id;
    int32_t code;

    fill(locals, id);
    code = swarm_sleep(delay);
    if (code != 0)
        return code;
    check_locals(locals, id);
    note(SIM_ENTRY_SLEPT, 0, before, delay);
    return answer_plain(handle);
}

/* It tells others before and after. */
static int32_t compute_for(const struct sim_request *r, uint64_t handle)
{
    struct sim_note what = {.kind = SIM_NOTE_COMPUTE, .id = r->id, .path = {(uint8_t)r->value}};
    volatile uint64_t locals[LOCALS];
    uint64_t before = swarm_now(), delay_ns = r->delay_ns, ms = r->value, id = r->id;
    uint32_t other = r->path[0], mirror = r->path[1];
    int32_t code;

    fill(locals, id);
    if (memory.self < SIM_MIRROR_FIRST) {
        tell_mirror(mirror, id);
        (void)send(other, &what, 0);
    }
    compute(ms);
    if (delay_ns != 0) {
        code = swarm_sleep(delay_ns);
        if (code != 0)
            return code;
        note(SIM_ENTRY_SLEPT, 0, before, delay_ns);
        compute(ms);
    }
    check_locals(locals, id);
    if (memory.self < SIM_MIRROR_FIRST) {
        tell_mirror(mirror, id);
        what.kind = SIM_NOTE_PLAIN;
        (void)send(other, &what, 0);
    }
    return answer_plain(handle);
}

/* What it knows of itself, or as a mirror of another one. */
static void fill_knowledge(struct sim_call *call)
{
    const struct sim_note *seen = &memory.seen[call->op % SIM_MIRROR_FIRST];

    if (memory.self < SIM_MIRROR_FIRST) {
        call->position = memory.position;
        call->hash = memory.hash;
        call->peer = memory.self;
        return;
    }
    call->position = seen->position;
    call->hash = seen->hash;
    call->peer = call->op % SIM_MIRROR_FIRST;
}

/* Get receipts from outside. */
static int32_t call(const struct sim_request *r, uint64_t handle)
{
    struct sim_receipt receipt;
    struct sim_answer all = {0};
    volatile uint64_t locals[LOCALS];
    uint64_t id = r->id, count = r->value, timeout_ns = r->delay_ns;

    fill(locals, id);
    for (uint64_t i = 0; i < count; i++) {
        struct sim_call what = {.op = id, .number = i + 1};
        struct {
            struct sim_receipt receipt;
            char from[sizeof SIM_SERVICE];
        } room = {.receipt = {0}};
        struct swarm_reading reading = {.room = &room, .room_size = sizeof room};
        int32_t code;

        fill_knowledge(&what);
        code = swarm_call(&(struct swarm_question){.to = SIM_SERVICE,
                                                   .to_size = sizeof SIM_SERVICE - 1,
                                                   .body = &what,
                                                   .body_size = sizeof what,
                                                   .timeout_ns = timeout_ns},
                          &reading);

        receipt = (struct sim_receipt){0, 0};
        if (reading.message.body_size == sizeof receipt)
            __builtin_memcpy(&receipt, reading.message.body, sizeof receipt);
        check_locals(locals, id);
        note(SIM_ENTRY_CALLED, (uint32_t)-code, receipt.number, id);
        if (memory.self < SIM_MIRROR_FIRST || all.count == SIM_HOPS_MAX)
            continue;
        all.marks[all.count++] = (struct sim_mark){
            .status = (uint32_t)-code, .position = receipt.number, .hash = receipt.op};
    }
    return answer(handle, &all);
}

/* Handle the next message here, in the middle of another one. */
static int32_t take(const struct sim_request *r, uint64_t handle)
{
    uint8_t room[ROOM_BYTES];
    struct swarm_reading reading = {.room = room, .room_size = sizeof room};
    volatile uint64_t locals[LOCALS];
    uint64_t id = r->id;
    int32_t code;

    fill(locals, id);
    code = swarm_receive(r->delay_ns, &reading);
    check_locals(locals, id);
    note(SIM_ENTRY_TOOK, 0, (uint64_t)(int64_t)code, id);
    if (code == 0) {
        depth++;
        code = dispatch(&reading.message);
        depth--;
        if (code != 0)
            return code;
    }
    return answer_plain(handle);
}

/* --- Short lives ----------------------------------------------------------------------------- */

static int32_t tell_of_life(uint32_t kind, uint64_t what)
{
    struct sim_note note = {.kind = kind, .position = what, .hash = memory.incarnation};
    char name[16];
    uint32_t size = write_name(SIM_HUB_FIRST + memory.self % SIM_HUBS, name);

    return swarm_send(name, size, "", 0, &note, sizeof note, SWARM_PRIORITY_NORMAL, 0);
}

/* A fresh/N may lose all that it has at any time: it tells of each step at once. */
static int32_t step(uint64_t id)
{
    struct sim_step what = {.op = id, .version = memory.version, .count = ++memory.life.steps};

    return tell_of_life(SIM_NOTE_STEPPED, sim_step_pack(&what));
}

/* Whether it could tell of it, where it has to. */
static int live(uint64_t id)
{
    memory.life.last_ns = swarm_now();
    if (memory.self >= SIM_FRESH_FIRST && id != 0 && step(id) != 0)
        return 0;
    if (id != 0 && memory.life.visits_count < SIM_VISITS_MAX)
        memory.life.visits[memory.life.visits_count++] = id;
    return 1;
}

static int32_t visit(const struct sim_request *r, uint64_t handle)
{
    uint32_t what = (uint32_t)(r->value % SIM_VISITS);
    char subject[8];
    int32_t code;

    if (what == SIM_VISIT_PLAIN || memory.life.held_count == SIM_VISITS_MAX)
        return answer_plain(handle);
    if (what == SIM_VISIT_SLEEP) {
        memory.life.is_asleep = 1;
        code = sleep(r, handle);
        memory.life.is_asleep = 0;
        (void)live(0);
        return code;
    }
    code = swarm_timer_start(what, r->delay_ns);
    if (code != 0)
        return code;
    memory.life.armed[what] = 1;
    if (what == SIM_VISIT_JOIN) {
        (void)swarm_subscribe(subject, write_subject(0, subject));
        memory.life.is_joined = 1;
    }
    if (what != SIM_VISIT_HOLD || handle == 0)
        return answer_plain(handle);
    memory.life.held[memory.life.held_count++] = handle;
    return SWARM_DONE;
}

static int32_t end_visit(uint32_t what)
{
    char subject[8];

    (void)live(0);
    memory.life.armed[what] = 0;
    while (what == SIM_VISIT_HOLD && memory.life.held_count > 0)
        (void)answer_plain(memory.life.held[--memory.life.held_count]);
    if (what == SIM_VISIT_JOIN) {
        (void)swarm_unsubscribe(subject, write_subject(0, subject));
        memory.life.is_joined = 0;
    }
    return SWARM_DONE;
}

/* Its log is lost with it: a hub is told of all that it had. */
int32_t SWARM_EXPORT(on_stop)(void)
{
    uint64_t flags = 0, now_ns = swarm_now();

    if (memory.self < SIM_BRIEF_FIRST || memory.self >= SIM_FRESH_FIRST)
        return SWARM_DONE;
    if (memory.incarnation % 8 == 1)
        compute(3);
    if (now_ns < memory.life.last_ns + SIM_IDLE_NS)
        flags |= SIM_ENDED_EARLY;
    for (uint32_t i = 0; i < SIM_VISITS; i++)
        flags |= memory.life.armed[i] != 0 ? SIM_ENDED_ARMED : 0;
    flags |= memory.life.held_count > 0 ? SIM_ENDED_ASKED : 0;
    flags |= memory.life.is_joined ? SIM_ENDED_JOINED : 0;
    flags |= memory.life.is_asleep ? SIM_ENDED_ASLEEP : 0;
    for (uint32_t i = 0; i < memory.life.visits_count; i++)
        (void)tell_of_life(SIM_NOTE_VISITED, memory.life.visits[i]);
    (void)tell_of_life(SIM_NOTE_ENDED, flags << 32 | memory.life.visits_count);
    return SWARM_DONE;
}

/* --- Notes of other instances ---------------------------------------------------------------- */

static int32_t answer_note(uint64_t handle, struct sim_note *reply)
{
    reply->position = memory.position;
    reply->hash = memory.hash;
    return handle == 0 ? SWARM_DONE : swarm_reply(handle, 0, "", 0, reply, sizeof *reply);
}

/* Fails until the time is right, after a change that must not be seen; some after they have waited,
 * but none in the middle of another turn: that is what would fail then. */
static void try_poison(const struct sim_note *what)
{
    uint64_t ms;

    if (what->id % 2 == 0 && depth == 0)
        (void)swarm_sleep((1 + what->id % 64) * 1000000);
    if (what->id % 4 == 0)
        compute(2);
    ms = swarm_now() / 1000000;
    if (what->path[0] != 0 && (ms + what->id) % what->path[0] == 0)
        return;
    memory.balance -= 77;
    memory.pages[what->id % SIM_PAGES][0]++;
    __builtin_trap();
}

/* As if the engine had a bug: with it ends whatever the host does. */
static void crash(const struct sim_note *what)
{
    if (what->id % 2 == 0 && depth == 0)
        (void)swarm_sleep((1 + what->id % 64) * 1000000);
    if (what->id % 4 == 0)
        compute(2);
    memory.balance -= 78;
    (void)swarm_log(SWARM_LOG_ERROR, SIM_CRASH_WORDS, sizeof SIM_CRASH_WORDS - 1);
    __builtin_trap();
}

static int32_t cancel_timer(uint64_t id)
{
    int32_t code = swarm_timer_cancel(id);

    note(SIM_ENTRY_CANCELLED, (uint32_t)id, (uint64_t)(int64_t)code, 0);
    return SWARM_DONE;
}

/* What a mirror was told is passed on at once to who waits for it. */
static int32_t tell_watchers(uint32_t from)
{
    struct sim_answer what = {
        .position = memory.seen[from].position, .hash = memory.seen[from].hash, .value = from};

    while (memory.watchers_count > 0)
        (void)swarm_reply(memory.watchers[--memory.watchers_count], 0, "", 0, &what, sizeof what);
    return SWARM_DONE;
}

static int32_t take_note(const struct swarm_message *m, const struct sim_note *what)
{
    struct sim_note copy = *what, reply = {.kind = SIM_NOTE_PLAIN, .id = what->id};
    uint32_t from = peer_of(m->from, m->from_size);

    if (copy.kind == SIM_NOTE_BRANCHED && m->from_size > 0) {
        note(SIM_ENTRY_BRANCHED, (uint32_t)(m->from[m->from_size - 1] - '0'), copy.number, copy.id);
        return SWARM_DONE;
    }
    if (from == SIM_CLIENT)
        return SWARM_E_INVALID;
    if (copy.kind == SIM_NOTE_MIRROR) {
        memory.seen[from] = copy;
        return tell_watchers(from);
    }
    if (copy.kind == SIM_NOTE_VISITED || copy.kind == SIM_NOTE_ENDED ||
        copy.kind == SIM_NOTE_STEPPED) {
        note(copy.kind == SIM_NOTE_VISITED   ? SIM_ENTRY_VISITED
             : copy.kind == SIM_NOTE_STEPPED ? SIM_ENTRY_STEPPED
                                             : SIM_ENTRY_ENDED,
             from, copy.hash, copy.position);
        return SWARM_DONE;
    }
    if (memory.self >= SIM_BRIEF_FIRST)
        return live(copy.id) ? SWARM_DONE : SWARM_E_EXHAUSTED;
    if (copy.kind == SIM_NOTE_ASK) {
        note(SIM_ENTRY_WAS_ASKED, from, copy.number, copy.id);
        if (copy.id % 4 == 0)
            compute(2);
        ask_on(&copy);
        if (copy.id % 4 == 1)
            compute(2);
        return answer_note(m->reply_handle, &reply);
    }
    if (copy.kind == SIM_NOTE_POISON)
        try_poison(&copy);
    if (copy.kind == SIM_NOTE_CRASH)
        crash(&copy);
    if (copy.kind == SIM_NOTE_COMPUTE)
        compute(copy.path[0] % (SIM_COMPUTE_MS_MAX + 1));
    memory.balance += copy.amount;
    note(SIM_ENTRY_GOT, from, copy.number, copy.id);
    if (copy.kind == SIM_NOTE_CANCEL)
        return cancel_timer(copy.path[0]);
    if (copy.kind == SIM_NOTE_RELAY && !is_full())
        return relay(&copy);
    if ((m->flags & SWARM_MESSAGE_WANTS_REPLY) == 0)
        return SWARM_DONE;
    return answer_note(m->reply_handle, &reply);
}

static int32_t take_news(const struct swarm_message *m)
{
    const struct sim_news *news = (const void *)m->body;

    if (m->body_size != sizeof *news)
        return SWARM_E_INVALID;
    (void)live(0);
    note(SIM_ENTRY_HEARD, news->publisher, news->publisher == SIM_CLIENT ? news->id : news->number,
         news->subject);
    return SWARM_DONE;
}

/* --- Other operations ------------------------------------------------------------------------ */

static int32_t tell(const struct sim_request *r, uint64_t handle)
{
    struct sim_news news = {.id = r->id,
                            .number = memory.told[r->value % SIM_SUBJECTS] + 1,
                            .publisher = memory.self,
                            .subject = (uint32_t)(r->value % SIM_SUBJECTS)};
    char subject[8];
    int32_t code = swarm_publish(subject, write_subject(r->value, subject), "", 0, &news,
                                 sizeof news, (int32_t)sim_priority(news.number));

    if (code != 0) {
        note(SIM_ENTRY_REFUSED, SIM_CLIENT, (uint64_t)(int64_t)code, r->id);
    } else {
        memory.told[news.subject]++;
        note(SIM_ENTRY_TOLD, news.subject, news.number, r->id);
    }
    return answer_plain(handle);
}

static int32_t join(const struct sim_request *r, uint64_t handle)
{
    char subject[8];
    uint32_t size = write_subject(r->value, subject);
    int32_t code;

    if (r->op == SIM_OP_JOIN) {
        code = swarm_subscribe(subject, size);
        note(SIM_ENTRY_JOINED, (uint32_t)r->value, (uint64_t)(int64_t)code, 0);
    } else {
        code = swarm_unsubscribe(subject, size);
        note(SIM_ENTRY_LEFT, (uint32_t)r->value, (uint64_t)(int64_t)code, 0);
    }
    return answer_plain(handle);
}

static void arm(uint64_t id, uint64_t delay_ns)
{
    int32_t code = swarm_timer_start(id, delay_ns);

    if (code == 0)
        note(SIM_ENTRY_SET, (uint32_t)id, swarm_now() + delay_ns, 0);
    else
        note(SIM_ENTRY_UNSET, (uint32_t)id, (uint64_t)(int64_t)code, 0);
}

static int32_t set_timer(const struct sim_request *r, uint64_t handle)
{
    if (r->op == SIM_OP_SET)
        arm(r->value, r->delay_ns);
    else
        (void)cancel_timer(r->value);
    return answer_plain(handle);
}

/* The timer is due before the note is handled, or not: either it fires or it is cancelled. */
static int32_t race(const struct sim_request *r, uint64_t handle)
{
    struct sim_note what = {.kind = SIM_NOTE_CANCEL, .id = r->id, .path = {(uint8_t)r->value}};

    arm(r->value, r->delay_ns);
    (void)send(memory.self, &what, 0);
    return answer_plain(handle);
}

static int32_t fill_page(const struct sim_request *r, uint64_t handle)
{
    uint64_t *words = memory.pages[r->value % SIM_PAGES], sum = 0;

    for (uint32_t i = 0; i < SIM_PAGE_WORDS; i++) {
        sum += words[i];
        words[i] = sim_page_word(r->id, i);
    }
    note(SIM_ENTRY_PAGE, (uint32_t)(r->value % SIM_PAGES), sum, r->id);
    return answer_plain(handle);
}

static int32_t show_mirror(const struct sim_request *r, uint64_t handle)
{
    tell_mirror(r->path[0], r->id);
    return answer_plain(handle);
}

static int32_t take_random(uint64_t handle)
{
    uint64_t number = 0;

    (void)swarm_random(&number, sizeof number);
    note(SIM_ENTRY_RANDOM, 0, number, 0);
    return answer_plain(handle);
}

/* Change much, ask for much, and end badly: nothing of it may be seen. */
static int32_t end_badly(const struct sim_request *r, uint64_t handle)
{
    struct sim_note what = {.kind = SIM_NOTE_PLAIN, .id = r->id, .amount = 1};
    volatile uint32_t zero = 0;
    char subject[8];

    memory.balance += 1000;
    for (uint32_t i = 0; i < SIM_PAGES; i++)
        memory.pages[i][i] ^= r->id;
    (void)send(r->path[0], &what, 0);
    (void)swarm_timer_start(0, 1000000);
    (void)swarm_subscribe(subject, write_subject(r->id, subject));
    (void)answer_plain(handle);
    switch ((enum sim_trap)(r->value % SIM_TRAPS)) {
    case SIM_TRAP_FAIL:
        return SWARM_E_PRECONDITION;
    case SIM_TRAP_SPIN:
        while (zero == 0)
            spin();
        break;
    case SIM_TRAP_LONG:
        for (volatile uint32_t i = 0; i < SIM_LONG_ROUNDS; i++)
            spin();
        return SWARM_DONE;
    case SIM_TRAP_GROW:
        while (__builtin_wasm_memory_grow(0, 1) != (__SIZE_TYPE__)-1)
            memory.hash++;
        break;
    default:
        break;
    }
    __builtin_trap();
}

/* What a mirror was told last by the instance that value names. */
static int32_t look(const struct sim_request *r, uint64_t handle)
{
    const struct sim_note *seen = &memory.seen[r->value % SIM_PEERS];
    struct sim_answer what = {.position = seen->position, .hash = seen->hash, .value = r->value};

    if (r->delay_ns != 0 && memory.watchers_count < WATCHERS_MAX) {
        memory.watchers[memory.watchers_count++] = handle;
        return SWARM_DONE;
    }
    return swarm_reply(handle, 0, "", 0, &what, sizeof what);
}

static int32_t dump(const struct sim_request *r, uint64_t handle)
{
    static struct {
        struct sim_dump head;
        struct sim_entry entries[SIM_DUMP_ENTRIES];
    } out; /* Written before it is read, and left as it was: zero. */
    uint32_t count = 0;
    int32_t code;

    while (count < SIM_DUMP_ENTRIES && r->value + count < memory.position) {
        out.entries[count] = *entry_at(r->value + count);
        count++;
    }
    out.head = (struct sim_dump){.position = memory.position,
                                 .hash = memory.hash,
                                 .balance = memory.balance,
                                 .first = (uint32_t)r->value,
                                 .count = count};
    code = swarm_reply(handle, 0, "", 0, &out,
                       (uint32_t)(sizeof out.head + count * sizeof *out.entries));
    __builtin_memset(&out, 0, sizeof out);
    return code;
}

static int32_t take_op(const struct sim_request *r, uint64_t handle)
{
    switch ((enum sim_op)r->op) {
    case SIM_OP_PUT:
        return answer_plain(handle);
    case SIM_OP_TRANSFER:
        return transfer(r, handle);
    case SIM_OP_RELAY:
        return start_relay(r, handle);
    case SIM_OP_GATHER:
        return gather(r, handle);
    case SIM_OP_JOIN:
    case SIM_OP_LEAVE:
        return join(r, handle);
    case SIM_OP_TELL:
        return tell(r, handle);
    case SIM_OP_SET:
    case SIM_OP_CANCEL:
        return set_timer(r, handle);
    case SIM_OP_POISON:
    case SIM_OP_CRASH:
        return poison(r, handle);
    case SIM_OP_ASK:
        return start_asking(r, handle);
    case SIM_OP_SLEEP:
        return sleep(r, handle);
    case SIM_OP_CALL:
        return call(r, handle);
    case SIM_OP_TAKE:
        return depth < DEPTH_MAX ? take(r, handle) : answer_plain(handle);
    case SIM_OP_RACE:
        return race(r, handle);
    case SIM_OP_PAGE:
        return fill_page(r, handle);
    case SIM_OP_MIRROR:
        return show_mirror(r, handle);
    case SIM_OP_RANDOM:
        return take_random(handle);
    case SIM_OP_SPAM:
        return spam(r, handle);
    case SIM_OP_VISIT:
        return live(r->id) ? visit(r, handle) : SWARM_E_EXHAUSTED;
    case SIM_OP_CALL_ON:
        return call_on(r, handle);
    case SIM_OP_COMPUTE:
        return compute_for(r, handle);
    case SIM_OP_TRAP:
        return end_badly(r, handle);
    default:
        return SWARM_E_INVALID;
    }
}

/* --- Entries --------------------------------------------------------------------------------- */

/* Nothing of another tenant may be in a new memory. */
int32_t SWARM_EXPORT(on_start)(void)
{
    const uint64_t *words = (const uint64_t *)&memory;
    char agent[16], key[8], name[24];
    uint32_t size = 0, count = sizeof memory / sizeof *words;
    uint64_t dirty = 0;
    int32_t agent_size = swarm_self(SWARM_SELF_AGENT, agent, sizeof agent);
    int32_t key_size = swarm_self(SWARM_SELF_KEY, key, sizeof key);

    for (uint32_t i = 0; i < count; i += 1024) {
        uint32_t end = count - i < 1024 ? count : i + 1024;

        for (uint32_t k = i; k < end; k++)
            dirty += words[k] != 0;
        (void)swarm_now(); /* A long segment: others may run meanwhile. */
    }
    for (int32_t i = 0; i < agent_size && i < 16; i++)
        name[size++] = agent[i];
    name[size++] = '/';
    for (int32_t i = 0; i < key_size && i < 8; i++)
        name[size++] = key[i];
    memory.self = peer_of(name, size);
    (void)swarm_random(&memory.incarnation, sizeof memory.incarnation);
    note(SIM_ENTRY_START, memory.self, memory.incarnation, dirty);
    memory.version = read_config().version;
    memory.program = SIM_PROGRAM;
    note(SIM_ENTRY_VERSION, memory.version, 0, memory.program);
    if (memory.incarnation % 4 == 0)
        compute(memory.incarnation / 4 % 8);
    if (memory.self >= SIM_BRIEF_FIRST && memory.incarnation % 16 == 3)
        compute(2 * SIM_COMPUTE_MS_MAX); /* Past its deadline. */
    (void)live(0);
    return SWARM_DONE;
}

#if SIM_PROGRAM != SIM_PROGRAM_KEPT
/* All of the old memory; the log stands in this program's order. */
static void take_over(const struct state *old)
{
    memory = *old;
    __builtin_memset(memory.log, 0, sizeof memory.log);
    for (uint64_t i = 0; i < old->position; i++)
        *entry_at(i) = old->log[i * log_strides[old->program % SIM_PROGRAMS] % SIM_LOG_MAX];
}

/* Tell somebody, and end as the config asks: unless that is well, nothing of it may be seen. */
int32_t SWARM_EXPORT(on_upgrade)(const struct swarm_upgrade *upgrade)
{
    const struct state *old = (const void *)upgrade->state;
    struct sim_note what = {.kind = SIM_NOTE_PLAIN};
    struct sim_config config = read_config();
    uint32_t program;
    volatile uint32_t zero = 0;

    if (upgrade->state_size != sizeof *old)
        return SWARM_E_INVALID;
    program = old->program;
    take_over(old);
    memory.version = config.version;
    memory.program = SIM_PROGRAM;
    note(SIM_ENTRY_VERSION, config.version, upgrade->old_version, SIM_PROGRAM);
    if (config.version % 3 == 0)
        compute(1); /* All before was long by itself. */
    if (memory.self < SIM_MIRROR_FIRST && !is_full())
        (void)send((uint32_t)(memory.hash % SIM_MIRROR_FIRST), &what, 0);
    __builtin_memset((void *)(uintptr_t)upgrade->state, 0, upgrade->state_size);
    if (config.handover == SIM_HANDOVER_GOOD ||
        (config.handover == SIM_HANDOVER_SOME && program != SIM_PROGRAM_MOVED))
        return SWARM_DONE;
    (void)swarm_timer_start(0, 1000000);
    while (config.handover == SIM_HANDOVER_SPINS && zero == 0)
        spin();
    if (config.handover == SIM_HANDOVER_FAILS)
        return SWARM_E_PRECONDITION;
    __builtin_trap();
}
#endif

/* Where it stands and in which version; it changes nothing. */
SWARM_STATE(memory, memory.version);

int32_t SWARM_EXPORT(on_timer)(uint64_t id)
{
    note(SIM_ENTRY_FIRED, (uint32_t)id, 0, 0);
    if (id == SIM_TIMERS)
        compute(3);
    if (memory.self >= SIM_BRIEF_FIRST)
        return end_visit((uint32_t)id % SIM_VISITS);
    return SWARM_DONE;
}

/* A branch/N counts, tells a hub of it, and nothing else. */
static int32_t branch(const struct sim_request *r, uint64_t handle)
{
    struct sim_note what = {.kind = SIM_NOTE_BRANCHED, .id = r->id, .number = ++memory.life.steps};
    struct sim_answer told = {.value = what.number};
    char name[16];
    uint32_t size = write_name(SIM_HUB_FIRST + (uint32_t)(r->id % SIM_HUBS), name);
    int32_t code = swarm_send(name, size, "", 0, &what, sizeof what, SWARM_PRIORITY_NORMAL, 0);

    return code != 0 ? code : answer(handle, &told);
}

static int32_t dispatch(const struct swarm_message *m)
{
    const struct sim_request *r = (const void *)m->body;

    if (memory.self == SIM_CLIENT)
        return m->body_size == sizeof *r ? branch(r, m->reply_handle) : SWARM_E_INVALID;
    if ((m->flags & SWARM_MESSAGE_IS_REPLY) != 0)
        return take_answer(m);
    if ((m->flags & SWARM_MESSAGE_PUBLISHED) != 0)
        return take_news(m);
    if (m->from_size > 0)
        return m->body_size == sizeof(struct sim_note) ? take_note(m, (const void *)m->body)
                                                       : SWARM_E_INVALID;
    if (m->body_size != sizeof *r)
        return SWARM_E_INVALID;
    if (r->op == SIM_OP_LOOK)
        return look(r, m->reply_handle);
    if (r->op == SIM_OP_DUMP)
        return dump(r, m->reply_handle);
    if (is_full())
        return SWARM_E_EXHAUSTED;
    note(SIM_ENTRY_OP, r->op, r->id, r->value);
    return take_op(r, m->reply_handle);
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    depth = 0;
    return dispatch(m);
}
