/* Several agent hosts as one, each of them played by the test itself. A host is mortal: a message
 * of three bytes ends it. */
#pragma once
#include "pkg/agent/hosts/hosts.h"
#include "pkg/agent/hosts/envelope.h"
#include "pkg/agent/link/exit.h"
#include "test/unit/agent/controller/played.h"

#include <poll.h>

#define WAIT_MS 20000

/* In the process of a host: it does not stop while the first is there, fails in that while the
 * second is, and cannot begin while the third is. */
static char gate[SW_PATH_MAX], fault[SW_PATH_MAX], damage[SW_PATH_MAX];

static inline void await_gate(void)
{
    while (access(gate, F_OK) == 0)
        (void)usleep(1000);
    if (access(fault, F_OK) == 0)
        _exit(1);
}

/* --- A host with bridges ---------------------------------------------------------------------- */

static char out_uid[64]; /* In the process of a host: its Pod _out, and that of its own Agent. */
static char own_uid[64];

static inline void host_tells(const char *words)
{
    struct sw_frame line = {.kind = SW_FRAME_LOG};

    if (own_uid[0] == '\0')
        return; /* It has no Agent any more. */
    line.log.uid = (struct sw_bytes){own_uid, strlen(own_uid)};
    line.log.text = (struct sw_bytes){words, strlen(words)};
    host_put(&line);
}

/* "carry N UID-LETTER NAME TO": call the service of bridges as _out ('o'), or as no bridge.
 * "carry_to_all N UID-LETTER NAME": the same with what is published. */
static inline void host_carries(const char *words)
{
    struct sw_frame frame = {.kind = SW_FRAME_CALL};
    struct sw_envelope head = {.kind = SW_ENVELOPE_SEND, .stream = 7, .body_size = 4};
    char name[64], to[64] = "", letter;
    unsigned number;
    uint8_t body[512];

    if (sscanf(words, "%*s %u %c %63s %63s", &number, &letter, name, to) < 3)
        _exit(1);
    if (strncmp(words, "carry_to_all ", 13) == 0)
        head.kind = SW_ENVELOPE_PUBLISH;
    head.number = number;
    head.name_size = (uint16_t)strlen(name);
    head.to_size = (uint16_t)strlen(to);
    memcpy(body, &head, sizeof head);
    memcpy(body + sizeof head, name, head.name_size);
    memcpy(body + sizeof head + head.name_size, to, head.to_size);
    memcpy(body + sizeof head + head.name_size + head.to_size, "word", 4);
    frame.call = (struct sw_frame_call){
        .name = {7, 8, number},
        .pod = 5,
        .uid = {letter == 'o' ? out_uid : own_uid, strlen(letter == 'o' ? out_uid : own_uid)},
        .key = {"x", 1},
        .service = {SW_BRIDGE_SERVICE, strlen(SW_BRIDGE_SERVICE)},
        .body = {body, sizeof head + head.name_size + head.to_size + 4},
        .turn = number,
        .depth = 1};
    host_put(&frame);
}

static bool has_failed; /* In the process of a host: its Pod _out has. */

/* "fail": that Pod has failed, and it says so again and again until it is told something. */
static inline void host_fails(void)
{
    const struct sw_frame status = {
        .kind = SW_FRAME_POD_STATUS,
        .pod_status = {.uid = {out_uid, strlen(out_uid)}, .phase = SW_FRAME_POD_FAILED}};
    struct pollfd link = {.fd = LINK, .events = POLLIN};

    has_failed = true;
    do {
        host_put(&status);
    } while (poll(&link, 1, 50) == 0);
}

/* --- A host with a quota ---------------------------------------------------------------------- */

static uint64_t has_instances, may_instances, quota_number; /* In the process of a host. */

static inline void host_says_what_it_has(const char *name_space, uint64_t number)
{
    struct sw_frame held = {.kind = SW_FRAME_QUOTA_HELD};

    held.quota_held.number = number;
    held.quota_held.name_space = (struct sw_bytes){name_space, strlen(name_space)};
    held.quota_held.instances = has_instances;
    held.quota_held.memory_bytes = held.quota_held.storage_bytes = UINT64_MAX; /* As nobody can. */
    host_put(&held);
}

/* Also when its Agent comes, in whose name it speaks. */
static inline void host_tells_what_it_may(void)
{
    char words[64];

    (void)snprintf(words, sizeof words, "may %llu", (unsigned long long)may_instances);
    if (quota_number != 0)
        host_tells(words);
}

static inline void host_takes_quota(const struct sw_frame_quota *quota)
{
    if (quota->number <= quota_number || quota->name_space.size != 4)
        _exit(1);
    quota_number = quota->number;
    may_instances = quota->instances;
    host_tells_what_it_may();
    host_says_what_it_has("shop", quota_number);
}

/* "has N": so many from now on. */
static inline void host_has(const char *words)
{
    has_instances = strtoull(words + 4, NULL, 10);
    host_says_what_it_has("shop", quota_number);
    host_says_what_it_has("shop", quota_number + 100); /* These are nobody's words. */
    host_says_what_it_has("other", quota_number);
}

/* --- A host that tells what was used ---------------------------------------------------------- */

static inline void host_tells_usage(const char *name_space, uint64_t fuel)
{
    const struct sw_bytes name = {name_space, strlen(name_space)};
    struct sw_frame told = {.kind = SW_FRAME_USAGE,
                            .usage = {.name_space = name, .time_ns = 1, .used = {.fuel = fuel}}};
    struct sw_frame pushed = {
        .kind = SW_FRAME_THROTTLED,
        .throttled = {.name_space = name, .agent = {"a", 1}, .agent_uid = {"u", 1}, .count = fuel}};

    host_put(&told);
    host_put(&pushed);
}

/* "uses N": so much in its namespace, and as much in another one. */
static inline void host_uses(const char *words)
{
    uint64_t fuel = strtoull(words + 5, NULL, 10);

    host_tells_usage("other", fuel);
    host_tells_usage("shop", fuel);
}

static inline bool act(const struct sw_frame *frame)
{
    char words[256] = "";

    if (frame->kind == SW_FRAME_QUOTA) {
        host_takes_quota(&frame->quota);
        return true;
    }

    if (frame->kind == SW_FRAME_POD_OPEN) {
        bool is_out = frame->pod_open.agent.size == 4 &&
                      memcmp(frame->pod_open.agent.data, SW_BRIDGE_OUT, 4) == 0;
        bool is_own = memcmp(frame->pod_open.uid.data, "b:", 2) != 0;

        if (is_out || is_own)
            (void)snprintf(is_out ? out_uid : own_uid, 64, "%.*s", (int)frame->pod_open.uid.size,
                           (const char *)frame->pod_open.uid.data);
        if (is_own)
            host_tells_what_it_may();
        if (is_out && has_failed)
            host_tells("out again");
        return false;
    }
    if (frame->kind == SW_FRAME_CALL_RESULT) {
        (void)snprintf(words, sizeof words, "result %u of %u", (unsigned)frame->call_result.code,
                       (unsigned)frame->call_result.name.number);
        host_tells(words);
        return true;
    }
    if (frame->kind != SW_FRAME_SEND)
        return false;
    if (frame->send.want_reply == SW_FRAME_INNER) {
        (void)snprintf(words, sizeof words, "took %.*s/%.*s", (int)frame->send.agent.size,
                       (const char *)frame->send.agent.data, (int)frame->send.key.size,
                       (const char *)frame->send.key.data);
        host_tells(words);
        return false;
    }
    if (frame->send.body.size > 4 && memcmp(frame->send.body.data, "has ", 4) == 0) {
        (void)snprintf(words, sizeof words, "%.*s", (int)frame->send.body.size,
                       (const char *)frame->send.body.data);
        host_has(words);
    }
    if (frame->send.body.size == 4 && memcmp(frame->send.body.data, "fail", 4) == 0)
        host_fails();
    if (frame->send.body.size > 5 && memcmp(frame->send.body.data, "uses ", 5) == 0) {
        (void)snprintf(words, sizeof words, "%.*s", (int)frame->send.body.size,
                       (const char *)frame->send.body.data);
        host_uses(words);
    }
    if (frame->send.body.size > 6 && memcmp(frame->send.body.data, "carry", 5) == 0) {
        (void)snprintf(words, sizeof words, "%.*s", (int)frame->send.body.size,
                       (const char *)frame->send.body.data);
        host_carries(words);
    }
    return false;
}

/* The main function of such a test: a host, if it was started as one; otherwise false. */
static inline bool is_host(int count, char **words)
{
    if (count != 3 || strcmp(words[1], "--folder") != 0)
        return false;
    (void)snprintf(gate, sizeof gate, "%s.gate", words[2]);
    (void)snprintf(fault, sizeof fault, "%s.fault", words[2]);
    (void)snprintf(damage, sizeof damage, "%s.damage", words[2]);
    if (access(damage, F_OK) == 0)
        _exit(SW_HOST_EXIT_UNREADABLE);
    host_before_stop = await_gate;
    host_acts = act;
    return true;
}
