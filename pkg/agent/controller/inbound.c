/* Frames from the host, each checked against what was asked of it. */
#include "pkg/agent/controller/state.h"
#include "pkg/agent/link/entries.h"
#include "pkg/utils/base/text.h"

#include <stdlib.h>
#include <string.h>

#define LOG_LINES_PER_S_MAX 20000 /* Beyond it a second's lines are dropped, not the host. */
#define PAGE_ITEMS_MAX 1000
#define REASON_SIZE 64
#define WORDS_SIZE 1024

/* A NUL-terminated copy, cut to the room there is; the codec has refused NUL and bad UTF-8. */
static const char *text_of(struct sw_bytes bytes, char *room, size_t size)
{
    size_t used = bytes.size < size - 1 ? bytes.size : size - 1;

    if (used > 0)
        (void)memcpy(room, bytes.data, used);
    room[used] = '\0';
    if (used < bytes.size)
        sw_text_mend_end(room);
    return room;
}

static enum sw_rc unknown(struct sw_err *err, const char *what)
{
    return sw_err_set(err, SW_E_CORRUPT, "%s of something that was not asked of it", what);
}

/* The code of an answer. Guests and hosts put any number there: only what the table of codes has
 * goes on, since others have no meaning to clients, and some no negative. */
static enum sw_rc rc_of(uint32_t code)
{
    return code <= (uint32_t)-SW_E_UNAUTHENTICATED ? (enum sw_rc)(-(int)code) : SW_E_UNKNOWN;
}

static enum sw_rc on_ready(struct sw_agents *agents, const struct sw_frame_ready *ready,
                           struct sw_err *err)
{
    char words[WORDS_SIZE];
    enum sw_rc rc;

    if (agents->state == SW_HOST_STOPPING)
        return SW_OK;
    if (agents->state != SW_HOST_STARTING || ready->version != SW_LINK_VERSION)
        return unknown(err, "READY");
    rc = sw_host_keep_identity(agents, ready->journal, err);
    if (rc != SW_OK)
        return rc;
    agents->state = SW_HOST_UP;
    agents->is_unreadable = false;
    agents->up_since_ms = sw_host_now_ms(agents);
    agents->view.instances = ready->instances;
    sw_timer_start(agents->ping, agents->options.ping_ms);
    if (agents->options.observer.on_host != NULL)
        agents->options.observer.on_host(agents->options.observer.ctx, true,
                                         text_of(ready->words, words, sizeof words));
    if (agents->is_broken)
        return SW_OK;
    sw_calls_host_up(agents);
    sw_quotas_host_up(agents);
    sw_pods_host_up(agents);
    return SW_OK;
}

static enum sw_rc on_module(struct sw_agents *agents, const struct sw_frame_result *result,
                            struct sw_err *err)
{
    struct sw_module *module = sw_map_find(agents->modules, result->what.data, result->what.size);
    char words[WORDS_SIZE];

    (void)err;
    if (module == NULL || result->code == 0)
        return SW_OK; /* Dropped meanwhile, or well. */
    module->is_sent = false;
    sw_pods_module_failed(agents, module, "ModuleInvalid",
                          text_of(result->words, words, sizeof words));
    return SW_OK;
}

static enum sw_rc on_pod_status(struct sw_agents *agents, const struct sw_frame_pod_status *status,
                                struct sw_err *err)
{
    struct sw_pod *pod = sw_pods_find(agents, status->uid);
    char reason[REASON_SIZE], words[WORDS_SIZE];
    struct sw_pod_report report = {.observed_generation = status->generation,
                                   .instances = status->instances,
                                   .ready = status->ready,
                                   .failures = status->failures,
                                   .reason = text_of(status->reason, reason, sizeof reason),
                                   .message = text_of(status->words, words, sizeof words)};

    if (pod == NULL || pod->is_closing)
        return SW_OK; /* It was said before the host knew of the end. */
    if (status->phase > SW_FRAME_POD_FAILED || status->generation > pod->spec.generation)
        return unknown(err, "POD_STATUS");
    report.uid = pod->uid;
    report.restarts = pod->restarts;
    report.phase = (enum sw_pod_phase)status->phase;
    if (report.phase != SW_POD_RUNNING)
        pod->running_ms = 0;
    else if (pod->running_ms == 0)
        pod->running_ms = sw_host_now_ms(agents) + 1;
    sw_pods_report(agents, &report);
    return SW_OK;
}

static enum sw_rc on_pod_closed(struct sw_agents *agents, const struct sw_frame_uid *closed,
                                struct sw_err *err)
{
    struct sw_pod *pod = sw_pods_find(agents, closed->uid);

    if (pod != NULL && pod->closes_open == 0 && agents->state == SW_HOST_STOPPING)
        return SW_OK; /* What keeps nothing is closed before the end. */
    if (pod == NULL || pod->closes_open == 0)
        return unknown(err, "POD_CLOSED");
    /* One that was opened again meanwhile is not closed, and of several closes the last counts. */
    if (--pod->closes_open == 0 && pod->is_closing)
        sw_pods_closed(agents, pod);
    return SW_OK;
}

static enum sw_rc on_module_wanted(struct sw_agents *agents,
                                   const struct sw_frame_module_wanted *wanted, struct sw_err *err)
{
    struct sw_pod *pod = sw_pods_find(agents, wanted->uid);
    char program[SW_ABI_PROGRAM_SIZE];

    if (wanted->digest.size >= sizeof program)
        return unknown(err, "MODULE_WANTED");
    if (pod == NULL || pod->is_closing)
        return SW_OK; /* It was said before the host knew of the end. */
    return sw_pods_module_wanted(agents, pod, text_of(wanted->digest, program, sizeof program),
                                 err);
}

static enum sw_rc on_reply(struct sw_agents *agents, const struct sw_frame_reply *reply)
{
    struct sw_request *request = sw_requests_take(agents, reply->request, SW_REQUEST_MESSAGE);
    /* Instances choose their codes, the host alone leaves out from whom an answer is. */
    bool is_not_taken = reply->code == SW_FRAME_CODE_NOT_TAKEN && reply->from.size == 0;
    struct sw_agent_result result = {.rc = is_not_taken ? SW_E_UNAVAILABLE : rc_of(reply->code),
                                     .is_not_taken = is_not_taken,
                                     .type = reply->type,
                                     .body = reply->body,
                                     .from = reply->from,
                                     .subscribers = reply->subscribers};

    if (request != NULL) /* Otherwise it was cancelled or came too late. */
        request->message_done(request->ctx, &result);
    return SW_OK;
}

/* --- Usage ----------------------------------------------------------------------------------- */

static struct sw_pod_used used_of(const struct sw_frame_used *used, uint64_t pages,
                                  uint64_t open_page_ms, uint64_t utc_ns)
{
    uint64_t page_ms = used->page_ms + open_page_ms;

    return (struct sw_pod_used){.utc_ns = utc_ns,
                                .cpu_ns = used->cpu_ns,
                                .handled = used->handled,
                                .bytes_in = used->bytes_in,
                                .sent = used->sent,
                                .bytes_out = used->bytes_out,
                                .wakeups = used->wakeups,
                                .fuel = used->fuel,
                                .memory_byte_s = page_ms / 1000 * SW_FRAME_PAGE_BYTES +
                                                 page_ms % 1000 * SW_FRAME_PAGE_BYTES / 1000,
                                .memory_bytes = pages * SW_FRAME_PAGE_BYTES};
}

static enum sw_rc on_usage(struct sw_agents *agents, const struct sw_frame_usage *told)
{
    const struct sw_agents_observer *observer = &agents->options.observer;
    char space[SW_FRAME_NAME_MAX + 1], agent[SW_FRAME_NAME_MAX + 1], uid[SW_FRAME_NAME_MAX + 1];
    struct sw_agent_usage usage = {
        .name_space = text_of(told->name_space, space, sizeof space),
        .agent = text_of(told->agent, agent, sizeof agent),
        .agent_uid = text_of(told->agent_uid, uid, sizeof uid),
        .used = used_of(&told->used, told->pages, told->open_page_ms, told->time_ns)};

    usage.used.storage_bytes = told->storage_bytes;
    usage.used.reserved_bytes = told->reserved_bytes;
    if (observer->on_usage != NULL)
        observer->on_usage(observer->ctx, &usage);
    return SW_OK;
}

_Static_assert((int)SW_POD_LIMITS == (int)SW_FRAME_LIMITS &&
                   (int)SW_POD_LIMIT_QUOTA_MESSAGES == (int)SW_FRAME_LIMIT_QUOTA_MESSAGES &&
                   (int)SW_POD_LIMIT_QUOTA_INSTANCES == (int)SW_FRAME_LIMIT_QUOTA_INSTANCES &&
                   (int)SW_POD_LIMIT_QUOTA_MEMORY == (int)SW_FRAME_LIMIT_QUOTA_MEMORY &&
                   (int)SW_POD_LIMIT_QUOTA_CPU == (int)SW_FRAME_LIMIT_QUOTA_CPU &&
                   (int)SW_POD_LIMIT_QUOTA_STORAGE == (int)SW_FRAME_LIMIT_QUOTA_STORAGE,
               "both sides count limits alike");

static enum sw_rc on_throttled(struct sw_agents *agents, const struct sw_frame_throttled *told)
{
    const struct sw_agents_observer *observer = &agents->options.observer;
    char space[SW_FRAME_NAME_MAX + 1], agent[SW_FRAME_NAME_MAX + 1], uid[SW_FRAME_NAME_MAX + 1];
    const struct sw_agent_throttle throttle = {
        .name_space = text_of(told->name_space, space, sizeof space),
        .agent = text_of(told->agent, agent, sizeof agent),
        .agent_uid = text_of(told->agent_uid, uid, sizeof uid),
        .limit = (enum sw_pod_limit)told->limit,
        .count = told->count};

    if (observer->on_throttled != NULL)
        observer->on_throttled(observer->ctx, &throttle);
    return SW_OK;
}

static enum sw_rc on_quota_held(struct sw_agents *agents, const struct sw_frame_quota_held *told)
{
    const struct sw_agents_observer *observer = &agents->options.observer;
    char space[SW_FRAME_NAME_MAX + 1];
    const struct sw_agent_held held = {.name_space = text_of(told->name_space, space, sizeof space),
                                       .number = told->number,
                                       .instances = told->instances,
                                       .memory_bytes = told->memory_bytes,
                                       .storage_bytes = told->storage_bytes};

    if (observer->on_quota_held != NULL)
        observer->on_quota_held(observer->ctx, &held);
    return SW_OK;
}

/* --- Pages ----------------------------------------------------------------------------------- */

static enum sw_rc on_instances(struct sw_agents *agents, const struct sw_frame_instances *list,
                               struct sw_err *err)
{
    struct sw_reader reader = sw_reader_of(list->entries.data, list->entries.size);
    struct sw_request *request = sw_requests_take(agents, list->request, SW_REQUEST_LIST);
    struct sw_agent_page page = {.rc = rc_of(list->code), .next = list->next};
    struct sw_reader counts = sw_reader_of(list->counts.data, list->counts.size);
    struct sw_agent_instance *items;
    struct sw_frame_instance entry;

    if (request == NULL)
        return SW_OK;
    for (uint32_t i = 0; i < SW_FRAME_STATES && list->counts.size > 0; i++)
        page.counts[i] = sw_reader_u64(&counts);
    if (counts.failed || list->next >= SW_FRAME_PLACES)
        return unknown(err, "INSTANCES");
    items = calloc(list->count + 1, sizeof *items);
    while (items != NULL && page.count < list->count && sw_frame_instance_take(&reader, &entry)) {
        const struct sw_pod *pod = sw_pods_find(agents, entry.pod);

        items[page.count++] = (struct sw_agent_instance){
            .key = entry.key,
            .pod = pod == NULL ? "" : pod->spec.name,
            .digest = entry.digest,
            .state = (enum sw_frame_instance_state)entry.state,
            .waiting = entry.waiting,
            .segments = entry.segments,
            .failures = entry.failures,
            .memory_bytes = entry.memory_bytes,
            .disk_bytes = entry.disk_bytes,
            .last_ns = entry.last_ns,
            .used = used_of(&entry.used, entry.pages, entry.open_page_ms, entry.used_ns),
        };
    }
    if (items == NULL || page.count != list->count)
        page = (struct sw_agent_page){.rc = SW_E_UNAVAILABLE};
    page.instances = items;
    request->list_done(request->ctx, &page);
    free(items);
    return SW_OK;
}

static enum sw_rc on_letters(struct sw_agents *agents, const struct sw_frame_instances *list,
                             struct sw_err *err)
{
    struct sw_reader reader = sw_reader_of(list->entries.data, list->entries.size);
    struct sw_request *request = sw_requests_take(agents, list->request, SW_REQUEST_LETTERS);
    struct sw_agent_letters_page page = {.rc = rc_of(list->code), .has_more = list->has_more != 0};
    struct sw_agent_letter *items;
    struct sw_frame_letter entry;

    if (request == NULL)
        return SW_OK;
    if (list->count > PAGE_ITEMS_MAX)
        return unknown(err, "LETTERS_PAGE");
    items = calloc(list->count + 1, sizeof *items);
    while (items != NULL && page.count < list->count && sw_frame_letter_take(&reader, &entry)) {
        const struct sw_pod *pod = sw_pods_find(agents, entry.pod);

        items[page.count++] = (struct sw_agent_letter){
            .number = entry.number,
            .time_ns = entry.time_ns,
            .key = entry.key,
            .pod = pod == NULL ? "" : pod->spec.name,
            .from = entry.from,
            .subject = entry.subject,
            .type = entry.type,
            .reason = entry.reason,
            .words = entry.words,
            .attempts = entry.attempts,
            .is_timer = entry.is_timer != 0,
            .is_reply = entry.is_reply != 0,
            .timer = entry.timer,
            .size_bytes = entry.size_bytes,
            .body = entry.body,
        };
    }
    if (items == NULL || page.count != list->count)
        page = (struct sw_agent_letters_page){.rc = SW_E_UNAVAILABLE};
    page.letters = items;
    request->letters_done(request->ctx, &page);
    free(items);
    return SW_OK;
}

static enum sw_rc on_event(struct sw_agents *agents, const struct sw_frame_event *said)
{
    const struct sw_pod *pod = said->uid.size == 0 ? NULL : sw_pods_find(agents, said->uid);
    char reason[REASON_SIZE], words[WORDS_SIZE], key[SW_FRAME_KEY_MAX + 1];
    struct sw_pod_event event = {.is_warning = said->is_warning != 0,
                                 .reason = text_of(said->reason, reason, sizeof reason),
                                 .instance = text_of(said->key, key, sizeof key),
                                 .message = text_of(said->words, words, sizeof words)};

    if (pod == NULL) {
        sw_log(agents->options.logger, event.is_warning ? SW_LOG_WARN : SW_LOG_INFO, "host",
               "%s: %s", event.reason, event.message);
        if (said->uid.size == 0 && agents->options.observer.on_event != NULL)
            agents->options.observer.on_event(agents->options.observer.ctx, event.is_warning,
                                              event.reason, event.message);
        return SW_OK;
    }
    event.uid = pod->uid;
    if (agents->pod_observer.on_event != NULL)
        agents->pod_observer.on_event(agents->pod_observer.ctx, &event);
    return SW_OK;
}

static enum sw_rc on_log(struct sw_agents *agents, const struct sw_frame_log *line)
{
    const struct sw_pod *pod = sw_pods_find(agents, line->uid);
    uint64_t second = sw_host_now_ms(agents) / 1000;
    struct sw_agent_log log = {
        .key = line->key, .text = line->text, .level = line->level, .time_ns = line->time_ns};

    if (second != agents->log_second) {
        agents->log_second = second;
        agents->logs_in_second = 0;
    }
    if (pod == NULL || agents->options.observer.on_log == NULL ||
        agents->logs_in_second++ >= LOG_LINES_PER_S_MAX)
        return SW_OK;
    log.name_space = pod->spec.namespace_name;
    log.agent = pod->spec.agent_name;
    agents->options.observer.on_log(agents->options.observer.ctx, &log);
    return SW_OK;
}

static enum sw_rc on_stats(struct sw_agents *agents, const struct sw_frame_stats *stats)
{
    struct sw_agents_view *view = &agents->view;

    view->instances = stats->instances;
    view->waiting = stats->waiting;
    view->memory_bytes = stats->memory_bytes;
    view->packed_bytes = stats->packed_bytes;
    view->asleep = stats->asleep;
    view->shelf_bytes = stats->shelf_bytes;
    view->hibernated = stats->hibernated;
    view->woken = stats->woken;
    view->segments = stats->segments;
    view->failures = stats->failures;
    view->sends = stats->sends;
    view->publishes = stats->publishes;
    view->replies = stats->replies;
    view->refused = stats->refused;
    view->retried = stats->retried;
    view->parked = stats->parked;
    view->expired = stats->expired;
    view->calls = stats->calls;
    view->replayed = stats->replayed;
    view->epochs = stats->epochs;
    view->journal_bytes = stats->journal_bytes;
    view->journal_kept_bytes = stats->journal_kept_bytes;
    view->snapshots = stats->snapshots;
    view->snapshots_failed = stats->snapshots_failed;
    view->snapshot_bytes = stats->snapshot_bytes;
    view->still_ns = stats->still_ns;
    view->rebalanced = stats->rebalanced;
    return SW_OK;
}

enum sw_rc sw_host_receive(struct sw_agents *agents, const struct sw_frame *frame,
                           struct sw_err *err)
{
    if (frame->kind != SW_FRAME_READY && agents->state == SW_HOST_STARTING &&
        frame->kind != SW_FRAME_EVENT && frame->kind != SW_FRAME_STATS)
        return unknown(err, "word before READY");
    if (frame->kind == SW_FRAME_READY)
        return on_ready(agents, &frame->ready, err);
    if (frame->kind == SW_FRAME_MODULE_RESULT)
        return on_module(agents, &frame->result, err);
    if (frame->kind == SW_FRAME_POD_STATUS)
        return on_pod_status(agents, &frame->pod_status, err);
    if (frame->kind == SW_FRAME_POD_CLOSED)
        return on_pod_closed(agents, &frame->pod_closed, err);
    if (frame->kind == SW_FRAME_MODULE_WANTED)
        return on_module_wanted(agents, &frame->module_wanted, err);
    if (frame->kind == SW_FRAME_REPLY)
        return on_reply(agents, &frame->reply);
    if (frame->kind == SW_FRAME_INSTANCES)
        return on_instances(agents, &frame->instances, err);
    if (frame->kind == SW_FRAME_LETTERS_PAGE)
        return on_letters(agents, &frame->instances, err);
    if (frame->kind == SW_FRAME_EVENT)
        return on_event(agents, &frame->event);
    if (frame->kind == SW_FRAME_LOG)
        return on_log(agents, &frame->log);
    if (frame->kind == SW_FRAME_STATS)
        return on_stats(agents, &frame->stats);
    if (frame->kind == SW_FRAME_USAGE)
        return on_usage(agents, &frame->usage);
    if (frame->kind == SW_FRAME_THROTTLED)
        return on_throttled(agents, &frame->throttled);
    if (frame->kind == SW_FRAME_QUOTA_HELD)
        return on_quota_held(agents, &frame->quota_held);
    if (frame->kind == SW_FRAME_CALL)
        sw_calls_take(agents, &frame->call);
    if (frame->kind == SW_FRAME_CALL_END)
        sw_calls_end(agents, &frame->call_end);
    if (frame->kind == SW_FRAME_PONG && frame->request.request <= agents->ping_number)
        agents->pings_open = 0;
    if (frame->kind == SW_FRAME_STOPPED) /* After which it exits. */
        agents->has_ended_well = frame->result.code == 0;
    return SW_OK;
}
