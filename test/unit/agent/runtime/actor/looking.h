/* One host lives; another process looks at what it has on the disk meanwhile, or afterwards. */
#pragma once
#include "pkg/agent/runtime/actor/past.h"
#include "test/support/actors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct actors actors;
static struct sw_guest_module second; /* A later program. */
static struct sw_shared shared;       /* Of who looks. */
static struct script_engine guests;
static struct sw_worker *worker;
static struct sw_past *past;
static struct sw_past_view view;
static struct sw_err err;
static uint64_t bytes_max;

static inline void open_with(struct sw_guest_module *module, const char *digest)
{
    actors.next_module = module;
    actors_open(&actors, &(struct actors_pod){
                             .number = 1, .agent = "a", .is_keyed = true, .digest = digest});
    actors_settle(&actors);
}

static inline int set_up(void **state)
{
    (void)state;
    actors_init(&actors, 2, 1);
    actors.module.version = 7;
    second = (struct sw_guest_module){
        .refs = 1, .has_on_timer = true, .on_upgrade = "", .version = 8, .factor = 10};
    bytes_max = 1u << 20;
    past = NULL;
    worker = NULL;
    open_with(&actors.module, "sha256:1");
    return 0;
}

static inline void stop_looking(void)
{
    if (past != NULL)
        sw_past_close(past);
    if (worker != NULL) {
        sw_worker_free(worker);
        if (shared.journal != NULL)
            sw_journal_close(shared.journal);
        sw_shared_done(&shared);
    }
    past = NULL;
    worker = NULL;
}

static inline int tear_down(void **state)
{
    (void)state;
    stop_looking();
    actors_kill(&actors);
    disk_done(&actors.disk);
    assert_int_equal(actors.module.refs, 1);
    assert_int_equal(second.refs, 1);
    return 0;
}

static inline enum sw_rc get_program(void *ctx, struct sw_worker *whose, struct sw_bytes pod,
                                     struct sw_bytes digest, struct sw_err *ret_err)
{
    struct sw_guest_module *module =
        sw_bytes_is_equal(digest, script_text("sha256:1")) ? &actors.module : &second;

    (void)ctx;
    assert_int_equal(pod.size, 36);
    if (sw_bytes_is_equal(digest, script_text("sha256:none")))
        return sw_err_set(ret_err, SW_E_NOT_FOUND, "it is not to be had");
    module->refs++;
    sw_worker_put(whose, sw_item_program_new(digest, module));
    return SW_OK;
}

static inline enum sw_rc look_as(const char *engine, const char *agent, const char *key)
{
    static const char uid[] = "01932c07-8ba2-7c1e-9a2b-012345678961"; /* Of "a". */
    struct sw_journal_options journal = {.system = &actors.disk.system,
                                         .folder = "host",
                                         .segment_bytes = 1u << 16,
                                         .is_read_only = true,
                                         .is_followed = true};
    struct sw_worker_options options = {
        .shared = &shared, .engine = script_guest_engine(&guests), .count = 1};
    struct sw_past_options all = {.journal = &journal,
                                  .shared = &shared,
                                  .name_space = script_text("default"),
                                  .agent = script_text(agent),
                                  .agent_uid = {uid, 36},
                                  .key = script_text(key),
                                  .bytes_max = bytes_max,
                                  .program = get_program};
    uint64_t writes = actors.disk.writes, syncs = actors.disk.syncs;
    enum sw_rc rc;

    stop_looking();
    memset(&err, 0, sizeof err);
    assert_int_equal(sw_shared_init(&shared, &actors.disk.system, engine), SW_OK);
    assert_int_equal(sw_worker_new(&options, &worker, &err), SW_OK);
    all.worker = worker;
    rc = sw_past_open(&all, &past, &err);
    assert_true(actors.disk.writes == writes && actors.disk.syncs == syncs);
    if (rc == SW_OK)
        sw_past_view(past, &view);
    return rc;
}

static inline void look(const char *key)
{
    assert_int_equal(look_as("engine 1", "a", key), SW_OK);
}

static inline void take_snapshot(void)
{
    actors_rest(&actors);
    assert_int_equal(sw_snapshot_begin(&actors.shared, actors.workers, actors.count, NULL), SW_OK);
    assert_int_equal(actors_snapshot(&actors), SW_OK);
}

static inline struct sw_past_turn turn_of(uint64_t number)
{
    struct sw_past_turn turn;

    assert_int_equal(sw_past_turn(past, number, &turn, &err), SW_OK);
    assert_int_equal(turn.number, number);
    return turn;
}

/* The counter that the instance would answer with to "get" after that turn. */
static inline const char *answer_after(uint64_t number)
{
    static char words[64];
    const char *counter;
    struct sw_past_input input = {
        .has_body = true, .body = script_text("get"), .deadline_ms = 1000};
    struct sw_past_trial trial;
    struct sw_reader reader;
    struct sw_effect effect;

    assert_int_equal(sw_past_go(past, number, &err), SW_OK);
    assert_int_equal(sw_past_try(past, number + 1, &input, &trial, &err), SW_OK);
    assert_int_equal(trial.outcome, SW_OUTCOME_DONE);
    reader = sw_reader_of(trial.effects.data, trial.effects.size);
    assert_true(sw_effect_take(&reader, &effect));
    assert_int_equal(effect.kind, SW_EFFECT_REPLY);
    snprintf(words, sizeof words, "%.*s", (int)effect.body.size, (const char *)effect.body.data);
    counter = strchr(words, '=') + 1;
    words[strcspn(words, " ")] = 0;
    return counter;
}

/* The journal's beginning goes, with the records that were before the snapshot: an
 * instance of that Pod fills it. */
static inline void cut_the_journal(uint64_t filler)
{
    char body[300];

    memset(body, 'x', sizeof body);
    body[sizeof body - 1] = 0;
    memcpy(body, "add 1 ", 6);
    for (int i = 0; i < 600; i++)
        actors_ask(&actors, filler, "filler", body);
    take_snapshot();
}
