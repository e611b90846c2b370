/* Keeps the books of what happened to it, so that whatever a host loses, doubles, swaps or makes up
 * is found out; test/e2e/lib/history.py compares them with what its clients saw. All messages are
 * structs below. A client's request is noted, answered with how many were noted so far, and starts
 * one more thing: a chain of messages through other instances, a timer, or a publish. Each of those
 * is numbered by its sender, and whoever gets it sees that the numbers have neither gap nor repeat.
 * Instances are named "chronicle/0" to "chronicle/15"; the first SUBSCRIBERS hear publishes. */
#include <swarm/agent.h>

#define KEYS 16u
#define SUBSCRIBERS 4u
#define SENDERS 128u /* Of one instance: sender s of all tells instance s % KEYS. */
#define GAPS 4096u
#define TIMERS 1024u
#define SUBJECT "chronicle.told"

struct request { /* From a client. */
    uint32_t op; /* 'p' note, 'c' note and chain, 't' note and timer, 'b' note and publish; 'd' the
                    reply is the books, 'n' an empty one. */
    uint32_t sender, number;
};
struct answer {
    uint32_t sender, number;
    uint64_t total;
};
struct told { /* Of one instance to another, or published. */
    uint32_t op, from;
    uint64_t number; /* Of what `from` told this receiver; of its publishes. */
    uint32_t hops, spare;
};
struct gap { /* A sender's numbers from `first` up to the one before `end` did not come. */
    uint32_t sender, first, end;
};
struct books { /* The answer to 'd'; the gaps are forgotten with it. */
    uint64_t total;
    uint32_t late;   /* Of clients: a number again, or one below a later one. */
    uint32_t broken; /* Of instances: a number that is not the next. */
    uint32_t misfired, refused, gaps_count, gaps_lost;
    uint64_t timers_set, timers_cancelled, timers_fired;
    uint64_t sent[KEYS], got[KEYS], published, heard[KEYS];
    uint32_t next[SENDERS], counts[SENDERS];
    struct gap gaps[GAPS];
};

SWARM_AGENT;

static struct books books;
static uint8_t timers[TIMERS]; /* 1: set. */
static uint64_t next_timer;
static uint32_t own_key;

static void copy(void *to, const void *from, uint32_t size)
{
    __builtin_memcpy(to, from, size);
}

int32_t SWARM_EXPORT(on_start)(void)
{
    char key[8];
    int32_t size = swarm_self(SWARM_SELF_KEY, key, sizeof key);

    for (int32_t i = 0; i < size && i < (int32_t)sizeof key; i++)
        own_key = own_key * 10 + (uint32_t)(key[i] - '0');
    if (own_key >= KEYS)
        return SWARM_E_INVALID;
    return own_key < SUBSCRIBERS ? swarm_subscribe(SUBJECT, sizeof SUBJECT - 1) : SWARM_DONE;
}

static void tell(uint32_t key, uint32_t hops)
{
    char to[16] = "chronicle/";
    uint32_t size = 10;
    struct told told = {'h', own_key, books.sent[key], hops, 0};

    if (key >= 10)
        to[size++] = '1';
    to[size++] = (char)('0' + key % 10);
    if (swarm_send(to, size, "", 0, &told, sizeof told, SWARM_PRIORITY_NORMAL, 0) == SWARM_OK)
        books.sent[key]++;
    else
        books.refused++;
}

/* Every fourth timer cancels the one before, which may have fired by then. */
static void set_timer(uint32_t number)
{
    uint64_t id = next_timer++;
    uint32_t at = (uint32_t)(id % TIMERS), before = (uint32_t)((id - 1) % TIMERS);

    if (timers[at] != 0) { /* So many are set that the names are used up. */
        books.refused++;
        next_timer--;
        return;
    }
    if (swarm_timer_start(at, (uint64_t)(number * 7919 % 50) * 1000000) != SWARM_OK) {
        books.refused++;
        return;
    }
    timers[at] = 1;
    books.timers_set++;
    if (id % 4 == 3 && timers[before] != 0 && swarm_timer_cancel(before) == SWARM_OK) {
        timers[before] = 0;
        books.timers_cancelled++;
    }
}

static void publish(void)
{
    struct told told = {'h', own_key, books.published, 0, 0};

    if (swarm_publish(SUBJECT, sizeof SUBJECT - 1, "", 0, &told, sizeof told,
                      SWARM_PRIORITY_NORMAL) == SWARM_OK)
        books.published++;
    else
        books.refused++;
}

static void note(const struct request *request)
{
    uint32_t at = request->sender / KEYS % SENDERS;

    if (request->number < books.next[at]) {
        books.late++;
    } else {
        if (request->number > books.next[at] && books.gaps_count < GAPS)
            books.gaps[books.gaps_count++] =
                (struct gap){request->sender, books.next[at], request->number};
        else
            books.gaps_lost += request->number > books.next[at];
        books.next[at] = request->number + 1;
    }
    books.counts[at]++;
    books.total++;
}

static int32_t serve(const struct swarm_message *m)
{
    struct request request;

    if (m->body_size < sizeof request)
        return SWARM_E_INVALID;
    copy(&request, m->body, sizeof request);
    if (request.op == 'd') {
        int32_t code = swarm_reply(m->reply_handle, 0, "", 0, &books, sizeof books);

        books.gaps_count = books.gaps_lost = 0;
        return code;
    }
    if (request.op == 'n')
        return swarm_reply(m->reply_handle, 0, "", 0, "", 0);
    note(&request);
    if (request.op == 'c')
        tell((own_key * 5 + request.number) % KEYS, 2);
    else if (request.op == 't')
        set_timer(request.number);
    else if (request.op == 'b')
        publish();
    struct answer answer = {request.sender, request.number, books.total};
    return swarm_reply(m->reply_handle, 0, "", 0, &answer, sizeof answer);
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    struct told told;
    uint64_t *got;

    if ((m->flags & SWARM_MESSAGE_WANTS_REPLY) != 0)
        return serve(m);
    if (m->body_size != sizeof told)
        return SWARM_E_INVALID;
    copy(&told, m->body, sizeof told);
    if (told.from >= KEYS)
        return SWARM_E_INVALID;
    got = (m->flags & SWARM_MESSAGE_PUBLISHED) != 0 ? books.heard : books.got;
    books.broken += told.number != got[told.from];
    got[told.from]++;
    if (told.hops > 0)
        tell((own_key + 1 + (uint32_t)(told.number % 3)) % KEYS, told.hops - 1);
    return SWARM_DONE;
}

int32_t SWARM_EXPORT(on_timer)(uint64_t id)
{
    if (id >= TIMERS || timers[id] == 0) {
        books.misfired++;
        return SWARM_DONE;
    }
    timers[id] = 0;
    books.timers_fired++;
    tell((own_key + 7) % KEYS, 0);
    return SWARM_DONE;
}
