#include "test/sim/rerun.h"

#include "pkg/agent/abi/abi.h"
#include "pkg/agent/runtime/actor/past.h"
#include "pkg/agent/runtime/actor/rerun.h"
#include "pkg/agent/runtime/host/guest_wasm.h"
#include "pkg/agent/runtime/wasm/wasm.h"
#include "pkg/agent/store/effect.h"
#include "pkg/agent/store/history.h"
#include "pkg/utils/base/idmap.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rerun {
    struct sw_guest_engine engine;
    const struct sim_front *front;
    struct sw_guest_module *modules[SIM_PROGRAMS];
    struct sim_rerun_result *result;
};

static enum sw_rc get_program(void *ctx, struct sw_worker *worker, struct sw_bytes pod,
                              struct sw_bytes digest, struct sw_err *err)
{
    struct rerun *rerun = ctx;
    const struct sw_bytes code = sim_front_code(rerun->front, digest);
    struct sw_item *item;
    uint32_t program = 0;

    (void)pod;
    if (code.size == 0)
        return sw_err_set(err, SW_E_NOT_FOUND, "a module that never was");
    while (rerun->front->codes[program].data != code.data)
        program++;
    item = sw_item_program_new(
        digest, rerun->engine.module_ref(rerun->engine.ctx, rerun->modules[program]));
    if (item == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a module");
    sw_worker_put(worker, item);
    return SW_OK;
}

static void tell(void *ctx, const struct sw_rerun_trouble *trouble)
{
    const struct rerun *rerun = ctx;

    snprintf(rerun->result->words, sizeof rerun->result->words, "replayed, %.*s/%.*s: %s",
             (int)trouble->agent.size, (const char *)trouble->agent.data, (int)trouble->key.size,
             trouble->key.size > 0 ? (const char *)trouble->key.data : "", trouble->words);
}

/* Who looks on, with an engine and the modules of its own. */
struct looker {
    struct rerun rerun;
    struct sw_shared shared;
    struct sw_wasm_worker *wasm;
    struct sw_worker *worker;
};

static void looker_init(struct looker *looker, const struct sim_front *front,
                        struct sim_rerun_result *result)
{
    const struct sim_host *host = front->host;
    struct sw_worker_options options = {.shared = &looker->shared, .count = 1};
    struct sw_err err = {0};

    *looker = (struct looker){.rerun = {.front = front, .result = result}};
    if (sw_shared_init(&looker->shared, &host->options.disk->system, SW_ABI_FINGERPRINT) != SW_OK ||
        sw_wasm_worker_new(host->options.wasm, &looker->wasm, &err) != SW_OK)
        abort();
    looker->rerun.engine = options.engine = sw_guest_wasm_worker(looker->wasm);
    if (sw_worker_new(&options, &looker->worker, &err) != SW_OK)
        abort();
    for (uint32_t i = 0; i < SIM_PROGRAMS; i++)
        if (sw_guest_wasm_open(host->options.wasm, SW_ABI_COMPACT, front->codes[i],
                               &looker->rerun.modules[i], &err) != SW_OK)
            abort();
}

static void looker_done(struct looker *looker)
{
    struct sw_guest_engine *engine = &looker->rerun.engine;

    sw_worker_free(looker->worker);
    for (uint32_t i = 0; i < SIM_PROGRAMS; i++)
        engine->module_unref(engine->ctx, looker->rerun.modules[i]);
    sw_wasm_worker_free(looker->wasm);
    if (looker->shared.journal != NULL)
        sw_journal_close(looker->shared.journal);
    sw_shared_done(&looker->shared);
}

static struct sw_journal_options journal_of(const struct sim_front *front)
{
    return (struct sw_journal_options){.system = &front->host->options.disk->system,
                                       .folder = SIM_HOST_FOLDER,
                                       .is_read_only = true};
}

void sim_rerun(const struct sim_front *front, struct sim_rerun_result *ret_result)
{
    struct sw_journal_options journal = journal_of(front);
    struct sw_rerun_report report;
    struct sw_err err = {0};
    struct looker looker;
    struct sw_rerun_options all = {.journal = &journal,
                                   .shared = &looker.shared,
                                   .workers = &looker.worker,
                                   .count = 1,
                                   .ctx = &looker.rerun,
                                   .program = get_program,
                                   .tell = tell};

    memset(ret_result, 0, sizeof *ret_result);
    looker_init(&looker, front, ret_result);
    if (sw_rerun(&all, &report, &err) != SW_OK)
        snprintf(ret_result->words, sizeof ret_result->words, "it cannot be replayed: %.500s",
                 err.message);
    ret_result->segments = report.segments;
    ret_result->compared = report.compared;
    looker_done(&looker);
}

/* --- What Agents keep ------------------------------------------------------------------------ */

struct kept { /* Whom files of history name. */
    const struct sim_front *front;
    struct sim_rerun_result *result;
    const struct sim_pod *pod; /* Of the file that is read. */
    struct sw_map *met;        /* By Agent and key. */
    struct sw_idmap *known;    /* Instances of which the file has said what they were. */
};

#define LOOK_EVERY 8u /* Turns between two at which memories are compared. */

/* The digest of its memory after a turn. */
static enum sw_rc digest_at(struct sw_past *past, uint64_t number, uint64_t *ret_digest,
                            struct sw_err *err)
{
    struct sw_past_state state;
    enum sw_rc rc = sw_past_go(past, number, err);

    if (rc == SW_OK)
        rc = sw_past_state(past, &state, err);
    if (rc == SW_OK)
        *ret_digest = sw_effects_digest(state.image);
    return rc;
}

/* Backwards each turn is made from the state that stands before it, not from those before. */
static enum sw_rc look_back(struct sw_past *past, struct sw_buffer *digests, struct sw_err *err)
{
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && digests->size > 0) {
        struct sw_reader reader = sw_reader_of(digests->data + digests->size - 16, 16);
        uint64_t number = sw_reader_u64(&reader), before = sw_reader_u64(&reader), digest;

        digests->size -= 16;
        rc = digest_at(past, number, &digest, err);
        if (rc == SW_OK && digest != before)
            rc = sw_err_set(err, SW_E_PRECONDITION,
                            "after @%" PRIu64 " it is not what the turns before lead to", number);
    }
    return rc;
}

/* All turns of a past, forwards and back. is_all: none is missing. */
static enum sw_rc look_through(struct sw_past *past, bool is_all, struct sim_rerun_result *result,
                               struct sw_err *err)
{
    struct sw_past_view view;
    struct sw_buffer digests;
    enum sw_rc rc = SW_OK;

    sw_past_view(past, &view);
    if (is_all && view.first != 1)
        return sw_err_set(err, SW_E_CORRUPT, "it begins with @%" PRIu64, view.first);
    sw_buffer_init(&digests, SIZE_MAX / 2);
    for (uint64_t number = view.first; rc == SW_OK && number <= view.last; number++) {
        struct sw_past_turn turn;
        struct sw_err none = {0};
        uint64_t digest;

        if (sw_past_turn(past, number, &turn, &none) != SW_OK) {
            rc = is_all ? sw_err_set(err, SW_E_CORRUPT, "@%" PRIu64 " is missing", number) : SW_OK;
            continue;
        }
        rc = number % LOOK_EVERY == 0 ? digest_at(past, number, &digest, err)
                                      : sw_past_go(past, number, err);
        if (rc == SW_OK && number % LOOK_EVERY == 0) {
            sw_buffer_put_u64(&digests, number);
            sw_buffer_put_u64(&digests, digest);
        }
        if (rc == SW_E_RANGE && !is_all)
            rc = SW_OK;
        result->segments++;
    }
    if (rc == SW_OK)
        rc = look_back(past, &digests, err);
    sw_buffer_done(&digests);
    return rc;
}

/* Look at one instance. */
static void live_again(struct kept *kept, const struct sim_pod *pod, struct sw_bytes key)
{
    struct sw_journal_options journal = journal_of(kept->front);
    struct sim_rerun_result *result = kept->result;
    bool is_all = pod->history_turns == 0 && kept->front->host->gaps == 0;
    struct sw_past *past = NULL;
    struct sw_err err = {0};
    struct looker looker;
    struct sw_past_options options = {.journal = &journal,
                                      .shared = &looker.shared,
                                      .name_space = {"default", 7},
                                      .agent = {pod->agent, strlen(pod->agent)},
                                      .agent_uid = {pod->agent_uid, strlen(pod->agent_uid)},
                                      .key = key,
                                      .bytes_max = UINT64_MAX,
                                      .ctx = &looker.rerun,
                                      .program = get_program};
    enum sw_rc rc;

    looker_init(&looker, kept->front, result);
    options.worker = looker.worker;
    rc = sw_past_open(&options, &past, &err);
    if (rc == SW_OK)
        rc = look_through(past, is_all, result, &err);
    if (rc != SW_OK && result->words[0] == 0)
        snprintf(result->words, sizeof result->words, "the history of %s/%.*s: %.400s", pod->agent,
                 (int)key.size, (const char *)key.data, err.message);
    if (past != NULL)
        sw_past_close(past);
    looker_done(&looker);
}

static enum sw_rc meet(struct kept *kept, struct sw_bytes key)
{
    char name[320];
    int size = snprintf(name, sizeof name, "%s/%.*s", kept->pod->agent, (int)key.size,
                        (const char *)key.data);

    if (sw_map_find(kept->met, name, (size_t)size) != NULL)
        return SW_OK;
    live_again(kept, kept->pod, key);
    return sw_map_put(kept->met, name, (size_t)size, kept, NULL);
}

/* A file says for itself what each instance was before its records. */
static enum sw_rc visit_records(struct kept *kept, struct sw_bytes records, struct sw_err *err)
{
    struct sw_reader reader = sw_reader_of(records.data, records.size);
    struct sw_bytes bytes;
    uint64_t lsn;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && sw_snapshot_tail_take(&reader, &lsn, &bytes)) {
        const struct sw_record_segment *segment;
        struct sw_record record;

        rc = sw_record_take(bytes, &record, err);
        segment = &record.segment;
        if (rc == SW_OK && (segment->entry == SW_ENTRY_START || sw_record_is_birth(segment))) {
            rc = sw_idmap_put(kept->known, segment->instance, kept, NULL);
            if (rc == SW_OK)
                rc = meet(kept, segment->key);
        }
        if (rc == SW_OK && sw_idmap_find(kept->known, segment->instance) == NULL)
            rc = sw_err_set(err, SW_E_CORRUPT,
                            "an instance of %s has records at lsn %" PRIu64
                            ", and nothing says what it was before",
                            kept->pod->agent, lsn);
    }
    return rc;
}

static enum sw_rc visit(void *ctx, const struct sw_snapshot_block *block, struct sw_err *err)
{
    struct kept *kept = ctx;

    if (block->kind == SW_SNAPSHOT_RECORDS)
        return visit_records(kept, block->records, err);
    if (block->kind != SW_SNAPSHOT_INSTANCE)
        return SW_OK;
    if (sw_idmap_put(kept->known, block->instance.id, kept, NULL) != SW_OK)
        abort();
    return meet(kept, block->instance.key);
}

/* Whose file it is.  NULL: nobody's who keeps any. */
static const struct sim_pod *pod_of(const struct sim_front *front, uint64_t agent)
{
    for (uint32_t i = 0; i < SIM_PODS; i++) {
        const char *uid = front->pods[i].agent_uid;

        if (sw_history_agent((struct sw_bytes){uid, strlen(uid)}) == agent)
            return front->pods[i].history_bytes > 0 ? &front->pods[i] : NULL;
    }
    return NULL;
}

static void look_at_file(struct kept *kept, const struct sw_history_name *name)
{
    char path[128], text[SW_HISTORY_NAME_MAX];
    struct sw_snapshot_report report;
    struct sw_err err = {0};
    enum sw_rc rc;

    sw_history_name_put(name, false, text);
    snprintf(path, sizeof path, "%s/%s", SIM_HOST_FOLDER, text);
    kept->pod = pod_of(kept->front, name->agent);
    kept->known = sw_idmap_new(1, 0);
    if (kept->known == NULL)
        abort();
    rc = kept->pod == NULL ? sw_err_set(&err, SW_E_CORRUPT, "it is of nobody who keeps one")
                           : sw_snapshot_scan(&kept->front->host->options.disk->system, path, visit,
                                              kept, &report, &err);
    if (rc != SW_OK && kept->result->words[0] == 0)
        snprintf(kept->result->words, sizeof kept->result->words, "a file of history: %.500s",
                 err.message);
}

void sim_rerun_kept(const struct sim_front *front, struct sim_rerun_result *ret_result)
{
    struct kept kept = {.front = front, .result = ret_result, .met = sw_map_new(1)};
    struct sw_history_list list = {.names = NULL};
    struct sw_err err = {0};

    memset(ret_result, 0, sizeof *ret_result);
    if (kept.met == NULL || sw_history_list(&front->host->options.disk->system, SIM_HOST_FOLDER,
                                            NULL, &list, &err) != SW_OK)
        abort();
    for (size_t i = 0; i < list.count; i++)
        look_at_file(&kept, &list.names[i]);
    sw_history_list_done(&list);
    sw_map_free(kept.met);
}
