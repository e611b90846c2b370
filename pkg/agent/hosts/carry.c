/* The service that bridges call: an envelope goes from one host to another, or to all others, and
 * is sent again until it was taken there, or nobody is left who could take it. The host that calls
 * is hostile: it may speak for Agents that run in it, and in their namespace only. */
#include "pkg/agent/hosts/envelope.h"
#include "pkg/agent/hosts/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEND_MS_MAX 10000 /* Without an answer it is sent again. */
#define WAIT_MS_MIN 2
#define WAIT_MS_MAX 500

struct carriage {        /* One envelope on its way. */
    struct sw_list node; /* In hosts->carriages. */
    struct sw_hosts *hosts;
    struct sw_host *from; /* NULL: its caller wants to hear nothing any more. */
    sw_service_done *done;
    void *done_ctx;
    struct sw_timer *timer;
    uint64_t wait_ms;
    unsigned sent;                    /* Answers that are awaited. */
    uint64_t left[SW_HOSTS_MAX / 64]; /* PUBLISH: hosts by index that have not taken it. */
    char name_space[64];
    char to_key[2 * 64]; /* "namespace/agent" of the receiver; "" : PUBLISH. */
    uint16_t name_at, name_size;
    enum sw_rc rc;
    size_t size;
    uint8_t bytes[];
};

struct sending { /* To one host. */
    struct carriage *carriage;
    unsigned index;
};

/* --- Envelopes ------------------------------------------------------------------------------- */

static struct sw_bytes agent_of(const uint8_t *name, size_t size)
{
    const uint8_t *slash = memchr(name, '/', size);

    return (struct sw_bytes){name, slash == NULL ? 0 : (size_t)(slash - name)};
}

static const struct sw_host_route *route_of(const struct sw_hosts *hosts, const char *name_space,
                                            struct sw_bytes agent)
{
    char key[2 * 64];
    int size = snprintf(key, sizeof key, "%s/%.*s", name_space,
                        agent.size > 63 ? 64 : (int)agent.size, (const char *)agent.data);

    return agent.size == 0 || agent.size > 63 || size >= (int)sizeof key
               ? NULL
               : sw_map_find(hosts->routes, key, (size_t)size);
}

static bool is_sound(const struct sw_envelope *head, struct sw_bytes body)
{
    return head->kind >= SW_ENVELOPE_SEND && head->kind <= SW_ENVELOPE_PUBLISH &&
           head->priority <= 3 && head->name_size > 0 && head->name_size <= SW_ENVELOPE_NAME_MAX &&
           head->to_size <= SW_ENVELOPE_NAME_MAX && head->subject_size <= SW_ENVELOPE_TEXT_MAX &&
           head->type_size <= SW_ENVELOPE_TEXT_MAX && head->stream != 0 && head->number != 0 &&
           (head->to_size == 0) == (head->kind == SW_ENVELOPE_PUBLISH) && head->status <= 0 &&
           (uint64_t)sizeof *head + head->name_size + head->to_size + head->subject_size +
                   head->type_size + head->body_size ==
               body.size;
}

/* --- On its way ------------------------------------------------------------------------------ */

static void carriage_free(struct carriage *carriage)
{
    sw_list_remove(&carriage->node);
    if (carriage->timer != NULL)
        sw_timer_free(carriage->timer);
    free(carriage);
}

void sw_hosts_carriages_done(struct sw_hosts *hosts)
{
    SW_LIST_EACH(&hosts->carriages, node)
    carriage_free(SW_LIST_ITEM(node, struct carriage, node));
}

void sw_host_carriages_forget(const struct sw_host *host)
{
    SW_LIST_EACH(&host->hosts->carriages, node)
    {
        struct carriage *carriage = SW_LIST_ITEM(node, struct carriage, node);

        carriage->left[host->index / 64] &= ~(UINT64_C(1) << host->index % 64);
    }
}

static bool is_left(const struct carriage *carriage)
{
    for (size_t i = 0; i < SW_HOSTS_MAX / 64; i++)
        if (carriage->left[i] != 0)
            return true;
    return false;
}

/* Nothing is on its way: the end, or another try. */
static void settle(struct carriage *carriage)
{
    struct sw_service_answer answer = {.rc = carriage->rc};

    if (carriage->sent > 0)
        return;
    if (carriage->from == NULL) {
        carriage_free(carriage);
        return;
    }
    if (is_left(carriage)) {
        sw_timer_start(carriage->timer, carriage->wait_ms);
        carriage->wait_ms =
            2 * carriage->wait_ms > WAIT_MS_MAX ? WAIT_MS_MAX : 2 * carriage->wait_ms;
        return;
    }
    carriage->done(carriage->done_ctx, &answer);
    carriage_free(carriage);
}

/* Whether it is worth another try: the host is not up, or full, or died over it. */
static bool may_be_taken(enum sw_rc rc)
{
    return rc != SW_OK && rc != SW_E_INVALID;
}

static void on_taken(void *ctx, const struct sw_agent_result *result)
{
    struct sending sending = *(struct sending *)ctx;
    struct carriage *carriage = sending.carriage;

    free(ctx);
    carriage->sent--;
    if (!may_be_taken(result->rc)) {
        carriage->left[sending.index / 64] &= ~(UINT64_C(1) << sending.index % 64);
        if (carriage->rc == SW_OK)
            carriage->rc = result->rc;
    }
    settle(carriage);
}

/* What cannot be sent now is among those that are left. */
static void send_to(struct carriage *carriage, struct sw_host *host)
{
    struct sw_agent_send send = {.name_space = carriage->name_space,
                                 .to = {carriage->bytes + carriage->name_at, carriage->name_size},
                                 .body = {carriage->bytes, carriage->size},
                                 .priority = -1,
                                 .is_inner = true,
                                 .timeout_ms = SEND_MS_MAX};
    struct sending *sending = malloc(sizeof *sending);
    struct sw_err err = {0};

    if (sending == NULL)
        return;
    *sending = (struct sending){carriage, host->index};
    if (sw_agents_send(host->agents, &send, on_taken, sending, &err) == SW_OK)
        carriage->sent++;
    else
        free(sending);
}

static bool is_left_at(const struct carriage *carriage, const struct sw_host *host)
{
    return (carriage->left[host->index / 64] >> host->index % 64 & 1) != 0;
}

/* One try. Hosts that are gone since have nobody who waits for it. */
static void carry(struct carriage *carriage)
{
    uint64_t there[SW_HOSTS_MAX / 64] = {0};

    SW_LIST_EACH(&carriage->hosts->all, node)
    {
        struct sw_host *host = SW_LIST_ITEM(node, struct sw_host, node);

        if (host->agents == NULL || !is_left_at(carriage, host))
            continue;
        there[host->index / 64] |= UINT64_C(1) << host->index % 64;
        send_to(carriage, host);
    }
    for (size_t i = 0; i < SW_HOSTS_MAX / 64; i++)
        carriage->left[i] &= there[i];
}

/* As long as the receiver's Agent is there it will be taken. */
static void on_timer(void *ctx)
{
    struct carriage *carriage = ctx;

    if (carriage->to_key[0] != '\0' &&
        sw_map_find(carriage->hosts->routes, carriage->to_key, strlen(carriage->to_key)) == NULL) {
        memset(carriage->left, 0, sizeof carriage->left);
        carriage->rc = SW_E_NOT_FOUND;
    } else {
        carry(carriage);
    }
    settle(carriage);
}

/* --- The service ----------------------------------------------------------------------------- */

/* Whom it is for. SW_E_NOT_FOUND: nobody, any more. SW_E_DENIED: whoever sent it may not. */
static enum sw_rc aim(struct carriage *carriage, const struct sw_envelope *head, struct sw_err *err)
{
    const struct sw_hosts *hosts = carriage->hosts;
    const uint8_t *name = carriage->bytes + sizeof *head;
    const struct sw_host_route *from =
        route_of(hosts, carriage->name_space, agent_of(name, head->name_size));
    const struct sw_host_route *to;

    if (head->kind == SW_ENVELOPE_PUBLISH) {
        /* Of another host's Agent: its bridge here published what came from there. */
        if (from != NULL && from->host == carriage->from)
            sw_hosts_of_space(hosts, carriage->name_space, carriage->from, carriage->left);
        return SW_OK;
    }
    if (from == NULL)
        return sw_err_set(err, SW_E_NOT_FOUND, "the sender is gone");
    if (from->host != carriage->from)
        return sw_err_set(err, SW_E_DENIED, "the sender does not run in this agent host");
    to = route_of(hosts, carriage->name_space, agent_of(name + head->name_size, head->to_size));
    if (to == NULL || to->host == carriage->from)
        return sw_err_set(err, SW_E_NOT_FOUND, "the receiver is gone");
    (void)snprintf(carriage->to_key, sizeof carriage->to_key, "%s/%s", to->name_space, to->agent);
    carriage->left[to->host->index / 64] = UINT64_C(1) << to->host->index % 64;
    return SW_OK;
}

static enum sw_rc start(void *ctx, const struct sw_service_call *call, sw_service_done *done,
                        void *done_ctx, void **ret_ticket, struct sw_err *err)
{
    struct sw_host *host = ctx;
    struct sw_hosts *hosts = host->hosts;
    struct carriage *carriage;
    struct sw_envelope head;
    enum sw_rc rc;

    if (call->body.size < sizeof head || call->body.size > SW_ENVELOPE_BYTES_MAX)
        return sw_err_set(err, SW_E_INVALID, "that is no envelope");
    memcpy(&head, call->body.data, sizeof head);
    if (!is_sound(&head, call->body))
        return sw_err_set(err, SW_E_INVALID, "that is no envelope");
    carriage = calloc(1, sizeof *carriage + call->body.size);
    if (carriage == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a message between agent hosts");
    sw_list_init(&carriage->node);
    carriage->hosts = hosts;
    carriage->from = host;
    carriage->done = done;
    carriage->done_ctx = done_ctx;
    carriage->wait_ms = WAIT_MS_MIN;
    carriage->name_at = sizeof head;
    carriage->name_size = head.name_size;
    carriage->size = call->body.size;
    memcpy(carriage->bytes, call->body.data, call->body.size);
    (void)snprintf(carriage->name_space, sizeof carriage->name_space, "%s", call->name_space);
    rc = aim(carriage, &head, err);
    carriage->timer =
        rc == SW_OK ? sw_timer_new(hosts->options.host.loop, on_timer, carriage) : NULL;
    if (rc == SW_OK && carriage->timer == NULL)
        rc = sw_err_set(err, SW_E_EXHAUSTED, "no memory for a message between agent hosts");
    if (rc != SW_OK) {
        carriage_free(carriage);
        return rc;
    }
    sw_list_add(&hosts->carriages, &carriage->node);
    *ret_ticket = carriage;
    carriage->sent = 1; /* Its end is told later in any case. */
    carry(carriage);
    carriage->sent--;
    if (carriage->sent == 0)
        sw_timer_start(carriage->timer, 0);
    return SW_OK;
}

/* The answers that are awaited come all the same. */
static void cancel(void *ctx, void *ticket)
{
    struct carriage *carriage = ticket;

    (void)ctx;
    carriage->from = NULL;
    sw_timer_stop(carriage->timer);
    settle(carriage);
}

struct sw_service sw_host_bridge_service(struct sw_host *host)
{
    return (struct sw_service){
        .name = SW_BRIDGE_SERVICE, .ctx = host, .start = start, .cancel = cancel};
}
