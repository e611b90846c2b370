#include "web/api/state.h"

#include "pkg/utils/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define INSTANCES_STANDARD 500u
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- States ---- */

static const char *const state_names[SW_GATEWAY_STATES] = {"Idle",   "Running", "Waiting", "Asleep",
                                                           "Parked", "Failing", "Held"};
static const struct {
    const char *name;
    uint32_t states;
} groups[] = {{"Awake", SW_GATEWAY_STATES_ALL & ~(1u << SW_GATEWAY_ASLEEP)}};

/* The states of a name; 0: there is none of it. */
static uint32_t states_of(const char *name)
{
    for (unsigned i = 0; i < SW_GATEWAY_STATES; i++)
        if (strcasecmp(name, state_names[i]) == 0)
            return 1u << i;
    for (size_t i = 0; i < COUNT(groups); i++)
        if (strcasecmp(name, groups[i].name) == 0)
            return groups[i].states;
    return 0;
}

static enum sw_rc refuse_state(const char *name, struct sw_err *err)
{
    (void)sw_err_set(err, SW_E_INVALID, "there is no state \"%.32s\"", name);
    sw_err_field(err, "state");
    sw_err_hint(err,
                "they are Idle, Running, Waiting, Asleep, Parked, Failing, Held, and Awake for "
                "all but Asleep");
    return SW_E_INVALID;
}

/* "asleep,parked"; NULL or "": all. */
static enum sw_rc read_states(const char *text, uint32_t *ret_states, struct sw_err *err)
{
    uint32_t states = 0;

    while (text != NULL && text[0] != '\0') {
        size_t size = strcspn(text, ",");
        char name[16];
        uint32_t some;

        (void)snprintf(name, sizeof name, "%.*s", size < sizeof name ? (int)size : 15, text);
        some = size < sizeof name ? states_of(name) : 0;
        if (some == 0)
            return refuse_state(name, err);
        states |= some;
        text += size + (text[size] == ',');
    }
    *ret_states = states == 0 ? SW_GATEWAY_STATES_ALL : states;
    return SW_OK;
}

/* ---- Pages ---- */

static void put_instance(const struct sw_gateway_instance *item, struct sw_buffer *out)
{
    const struct {
        const char *name, *text;
    } texts[] = {{"name", item->name},     {"pod", item->pod},
                 {"node", item->node},     {"state", state_names[item->state]},
                 {"module", item->module}, {"message", item->message}};

    for (size_t i = 0; i < COUNT(texts); i++) {
        sw_buffer_print(out, "%c\"%s\":", i == 0 ? '{' : ',', texts[i].name);
        sw_json_put_text(out, texts[i].text == NULL ? "" : texts[i].text);
    }
    sw_buffer_print(out,
                    ",\"turns\":\"%" PRIu64 "\",\"mailbox\":\"%" PRIu64
                    "\",\"memoryBytes\":\"%" PRIu64 "\",\"diskBytes\":\"%" PRIu64 "\"",
                    item->turns, item->mailbox, item->memory_bytes, item->disk_bytes);
    if (item->usage.utc_ns != 0) {
        sw_buffer_put_text(out, ",\"usage\":");
        sw_gateway_put_usage(&item->usage, out);
    }
    sw_buffer_put_u8(out, '}');
}

static void put_page(const struct sw_gateway_instances_page *page, struct sw_buffer *out)
{
    if (page->is_count) {
        sw_buffer_put_text(out, "{\"counts\":{");
        for (unsigned i = 0; i < SW_GATEWAY_STATES; i++)
            sw_buffer_print(out, "%s\"%s\":\"%" PRIu64 "\"", i == 0 ? "" : ",", state_names[i],
                            page->counts[i]);
        sw_buffer_put_u8(out, '}');
    } else {
        sw_buffer_put_text(out, "{\"items\":[");
        for (size_t i = 0; i < page->count; i++) {
            if (i > 0)
                sw_buffer_put_u8(out, ',');
            put_instance(&page->items[i], out);
        }
        sw_buffer_put_u8(out, ']');
    }
    if (page->next == 0)
        sw_buffer_put_text(out, ",\"continue\":\"\"}");
    else
        sw_buffer_print(out, ",\"continue\":\"%010" PRIx64 "\"}", page->next);
}

static void on_instances(void *ctx, enum sw_rc rc, const struct sw_gateway_instances_page *page,
                         const struct sw_err *err)
{
    struct gateway_call *call = ctx;
    struct sw_buffer body;
    struct sw_err none = {0};

    if (rc != SW_OK) {
        sw_gateway_fail(call, rc, err);
        return;
    }
    sw_buffer_init(&body, GATEWAY_LIST_BYTES_MAX);
    put_page(page, &body);
    if (body.failed) {
        (void)sw_err_set(&none, SW_E_EXHAUSTED, "no memory for the list");
        sw_gateway_fail(call, SW_E_EXHAUSTED, &none);
    } else {
        sw_gateway_answer_bytes(call, 200, "application/json",
                                (struct sw_bytes){.data = body.data, .size = body.size});
    }
    sw_buffer_done(&body);
}

/* Ten hex digits, as put_page gives them out. */
static enum sw_rc read_continue(const char *text, uint64_t *ret_from, struct sw_err *err)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t from = 0;
    size_t size = text == NULL ? 0 : strlen(text);

    if (size != 0 && (size != 10 || strspn(text, digits) != size)) {
        (void)sw_err_set(err, SW_E_INVALID, "not a text that this server gave out");
        sw_err_field(err, "continue");
        return SW_E_INVALID;
    }
    for (size_t i = 0; i < size; i++)
        from = from << 4 | (uint64_t)(strchr(digits, text[i]) - digits);
    *ret_from = from;
    return SW_OK;
}

static enum sw_rc read_query(const struct gateway_call *call,
                             struct sw_gateway_instances *ret_query, struct sw_err *err)
{
    const char *prefix = sw_gateway_query_text(call, "prefix");
    uint64_t limit = 0;
    enum sw_rc rc =
        sw_gateway_query_number(call, "limit", 0, SW_GATEWAY_INSTANCES_MAX, &limit, err);

    *ret_query = (struct sw_gateway_instances){.namespace_ = call->route.namespace_,
                                               .agent = call->route.name,
                                               .prefix = prefix == NULL ? "" : prefix};
    ret_query->limit = limit == 0 ? INSTANCES_STANDARD : (uint32_t)limit;
    if (rc == SW_OK)
        rc = read_continue(sw_gateway_query_text(call, "continue"), &ret_query->from, err);
    if (rc == SW_OK)
        rc = read_states(sw_gateway_query_text(call, "state"), &ret_query->states, err);
    if (rc == SW_OK)
        rc = sw_gateway_query_bool(call, "count", &ret_query->is_count, err);
    return rc;
}

void sw_gateway_serve_instances(struct gateway_call *call)
{
    struct sw_gateway_agents *agents = &call->gateway->options.agents;
    struct sw_gateway_instances query;
    struct sw_err err = {0};
    enum sw_rc rc = read_query(call, &query, &err);

    if (rc == SW_OK && agents->instances == NULL)
        rc = sw_err_set(&err, SW_E_UNSUPPORTED, "this daemon runs no agents");
    if (rc == SW_OK)
        rc = sw_gateway_check_agent(call, &err);
    if (rc == SW_OK)
        rc = agents->instances(agents->ctx, &query, on_instances, call, &err);
    if (rc != SW_OK)
        sw_gateway_fail(call, rc, &err);
}
