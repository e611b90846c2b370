#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/controller/node/state.h"

static struct sw_node_pod *find_uid(const struct sw_node_controller *controller, const char *uid)
{
    return sw_map_find(controller->by_uid, uid, strlen(uid));
}

/* What a runner says goes into the store, which takes nothing but UTF-8: the rest is masked. */
static void copy_text(char *into, size_t size, const char *text)
{
    snprintf(into, size, "%s", text == NULL ? "" : text);
    sw_text_mend_end(into);
    if (sw_text_is_utf8(into, strlen(into)))
        return;
    for (; *into != '\0'; into++)
        if ((unsigned char)*into >= 0x80)
            *into = '?';
}

static uint64_t backoff_of(const struct sw_node_pod *entry)
{
    uint64_t wait_ms = entry->backoff_ms;

    for (unsigned i = 1; i < entry->failures && wait_ms < entry->backoff_max_ms; i++)
        wait_ms *= 2;
    return wait_ms < entry->backoff_max_ms ? wait_ms : entry->backoff_max_ms;
}

/* A Pod that was ready for as long as its longest wait has put its earlier failures behind it. */
void sw_node_pod_fail(struct sw_node_controller *controller, struct sw_node_pod *entry,
                      const char *reason, const char *message)
{
    uint64_t now_ms = sw_node_now_ms(controller);

    if (entry->ready_since_ms != 0 && now_ms - entry->ready_since_ms >= entry->backoff_max_ms)
        entry->failures = 0;
    entry->ready_since_ms = 0;
    entry->failures++;
    entry->is_open = false;
    entry->phase = SW_POD_FAILED;
    entry->ready = 0;
    entry->retry_ms = now_ms + backoff_of(entry);
    copy_text(entry->reason, sizeof(entry->reason), reason[0] == '\0' ? "Failed" : reason);
    copy_text(entry->message, sizeof(entry->message), message);
}

void sw_node_pod_free(struct sw_node_controller *controller, struct sw_node_pod *entry)
{
    if (sw_map_find(controller->by_key, entry->key, strlen(entry->key)) == entry)
        sw_map_remove(controller->by_key, entry->key, strlen(entry->key));
    sw_map_remove(controller->by_uid, entry->uid, strlen(entry->uid));
    free(entry);
}

static void take_report(struct sw_node_controller *controller, struct sw_node_pod *entry,
                        const struct sw_pod_report *report)
{
    entry->phase = report->phase;
    entry->observed_generation = report->observed_generation;
    entry->instances = report->instances;
    entry->ready = report->ready;
    entry->host_restarts = report->restarts;
    copy_text(entry->reason, sizeof(entry->reason), report->reason);
    copy_text(entry->message, sizeof(entry->message), report->message);
    if (report->phase != SW_POD_RUNNING)
        entry->ready_since_ms = 0;
    else if (entry->ready_since_ms == 0)
        entry->ready_since_ms = sw_node_now_ms(controller);
}

static void on_status(void *ctx, const struct sw_pod_report *report)
{
    struct sw_node_controller *controller = ctx;
    struct sw_node_pod *entry = find_uid(controller, report->uid);

    if (entry == NULL || !entry->is_open)
        return; /* Late news of a Pod that was given up. */
    if (report->phase == SW_POD_FAILED)
        sw_node_pod_fail(controller, entry, report->reason, report->message);
    else
        take_report(controller, entry, report);
    sw_reconciler_add(controller->reconciler, entry->key, 0);
}

static void on_usage(void *ctx, const struct sw_pod_usage *usage)
{
    struct sw_node_controller *controller = ctx;
    struct sw_node_pod *entry = find_uid(controller, usage->uid);
    uint64_t now_ms, next_ms;

    if (entry == NULL || !entry->is_open)
        return;
    entry->used = usage->used;
    now_ms = sw_node_now_ms(controller);
    next_ms = entry->used_ms + SW_NODE_USAGE_MS;
    if (entry->used_ms == 0 || next_ms <= now_ms) {
        entry->used_ms = now_ms;
        next_ms = now_ms;
    }
    sw_reconciler_add(controller->reconciler, entry->key, next_ms - now_ms);
}

static void on_event(void *ctx, const struct sw_pod_event *event)
{
    struct sw_node_controller *controller = ctx;
    const struct sw_node_pod *entry = find_uid(controller, event->uid);
    char instance[SW_OBJECT_KEY_MAX] = "", space[64];

    if (entry == NULL || controller->options.events == NULL)
        return;
    if (event->instance != NULL && event->instance[0] != '\0')
        snprintf(instance, sizeof(instance), "%s/%.180s", entry->agent_name, event->instance);
    sw_text_mend_end(instance);
    const char *begin = strchr(entry->key, '/') + 1; /* "pods/SPACE/name" */
    snprintf(space, sizeof(space), "%.*s", (int)strcspn(begin, "/"), begin);
    sw_events_record(controller->options.events,
                     &(struct sw_occurrence){.kind = sw_kind_find("Agent"),
                                             .namespace_name = space,
                                             .name = entry->agent_name,
                                             .uid = entry->agent_uid,
                                             .instance = instance,
                                             .is_warning = event->is_warning,
                                             .reason = event->reason,
                                             .component = "agent-host",
                                             .message = event->message});
}

static void on_closed(void *ctx, const char *uid)
{
    struct sw_node_controller *controller = ctx;
    struct sw_node_pod *entry = find_uid(controller, uid);

    if (entry == NULL || !entry->is_closing)
        return;
    entry->is_closed = true;
    entry->is_open = false;
    entry->ready = entry->instances = 0;
    if (sw_map_find(controller->by_key, entry->key, strlen(entry->key)) != entry)
        sw_node_pod_free(controller, entry); /* The name belongs to another Pod by now. */
    else
        sw_reconciler_add(controller->reconciler, entry->key, 0);
}

struct sw_pod_observer sw_node_observer(struct sw_node_controller *controller)
{
    return (struct sw_pod_observer){.ctx = controller,
                                    .on_status = on_status,
                                    .on_event = on_event,
                                    .on_usage = on_usage,
                                    .on_throttled = sw_node_on_throttled,
                                    .on_closed = on_closed};
}
