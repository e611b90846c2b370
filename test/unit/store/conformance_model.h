/* Random work on a store, compared with a model that keeps every revision. See conformance.h. */
#pragma once
#include "test/unit/store/harness.h"

#define MODEL_KEYS 12
#define MODEL_REVISIONS_MAX 2000
#define MODEL_WATCHES 6

struct model_state { /* Value number of each key, 0: absent. */
    int values[MODEL_KEYS];
};

struct model_watch {
    struct sw_store_watch *watch;
    struct model_state seen; /* Built from events alone, starting from the model's own past. */
    bool is_paused;
};

struct model {
    struct harness *harness;
    uint64_t random, seed;
    struct model_state at[MODEL_REVISIONS_MAX]; /* After each revision. */
    uint64_t revision;                          /* Newest accepted. */
    int values, outstanding, next_value;
    struct model_watch watches[MODEL_WATCHES];
};

static unsigned model_draw(struct model *model, unsigned below)
{
    model->random ^= model->random << 13;
    model->random ^= model->random >> 7;
    model->random ^= model->random << 17;
    return (unsigned)((model->random >> 20) % below);
}

static void model_key(char ret_key[32], unsigned number)
{
    snprintf(ret_key, 32, "%s/n/k%u", number % 3 == 0 ? "pods" : "agents", number);
}

static int model_number(const char *key)
{
    return atoi(strrchr(key, 'k') + 1);
}

static int model_value(const struct sw_store_item *item)
{
    int value = 0;

    if (!item->is_deleted)
        memcpy(&value, item->value.data, sizeof(value));
    return value;
}

static void model_done(void *ctx, const struct sw_store_result *result)
{
    struct model *model = ctx;

    assert_int_equal(result->rc, SW_OK);
    assert_true(sw_store_revision(model->harness->store) >= result->revision);
    model->outstanding--;
}

/* One to three random puts and deletes of distinct keys; the model foretells the revision. */
static void model_commit(struct model *model)
{
    struct sw_store_op ops[3];
    char keys[3][32];
    int values[3];
    size_t count = 1 + model_draw(model, 3);
    unsigned first = model_draw(model, MODEL_KEYS);
    struct model_state next = model->at[model->revision];
    bool has_effect = false;
    struct sw_err err = {0};

    for (size_t i = 0; i < count; i++) {
        unsigned number = (first + (unsigned)i * 5) % MODEL_KEYS;
        bool is_delete = model_draw(model, 3) == 0;
        model_key(keys[i], number);
        values[i] = ++model->next_value;
        ops[i] = (struct sw_store_op){.action = is_delete ? SW_STORE_DELETE : SW_STORE_PUT,
                                      .key = keys[i],
                                      .value = {&values[i], sizeof(values[i])}};
        has_effect |= !is_delete || next.values[number] != 0;
        next.values[number] = is_delete ? 0 : values[i];
    }
    if (has_effect)
        model->at[++model->revision] = next;
    model->outstanding++;
    assert_int_equal(sw_store_commit(model->harness->store, &(struct sw_store_txn){ops, count},
                                     model_done, model, &err),
                     SW_OK);
}

struct model_listing {
    struct model *model;
    struct model_state found;
    int page;
};

static bool model_visit(void *ctx, const struct sw_store_item *item)
{
    struct model_listing *listing = ctx;

    listing->found.values[model_number(item->key)] = model_value(item);
    return --listing->page > 0;
}

/* List in pages, committing in between, and compare with the model's state of that revision. */
static void model_list(struct model *model)
{
    struct model_listing listing = {.model = model};
    struct sw_store_list_end end = {0};
    struct sw_store_view view;
    struct sw_err err = {0};

    sw_store_view(model->harness->store, &view);
    uint64_t oldest = view.compacted_revision == 0 ? 1 : view.compacted_revision;
    if (view.revision < oldest)
        return;
    uint64_t revision = oldest + model_draw(model, (unsigned)(view.revision - oldest + 1));
    do {
        char token[SW_STORE_TOKEN_MAX];
        memcpy(token, end.token, sizeof(token));
        listing.page = 1 + (int)model_draw(model, 4);
        enum sw_rc rc = sw_store_list(
            model->harness->store,
            &(struct sw_store_list_request){.prefix = "", .token = token, .revision = revision},
            model_visit, &listing, &end, &err);
        if (rc == SW_E_RANGE)
            return; /* Compacted meanwhile: the honest answer. */
        assert_int_equal(rc, SW_OK);
        assert_int_equal(end.revision, revision);
        model_commit(model);
        (void)harness_step(model->harness, false);
    } while (end.token[0] != '\0');
    assert_memory_equal(&listing.found, &model->at[revision], sizeof(listing.found));
}

static void model_on_event(void *ctx, const struct sw_store_event *event)
{
    struct model_watch *watch = ctx;
    int number = model_number(event->item->key);
    int before = event->previous == NULL ? 0 : model_value(event->previous);

    assert_int_equal(watch->seen.values[number], before);
    watch->seen.values[number] = model_value(event->item);
}

static void model_on_end(void *ctx, const struct sw_err *err)
{
    struct model_watch *watch = ctx;

    assert_true(err->rc == SW_E_RANGE || err->rc == SW_E_UNAVAILABLE);
    watch->watch = NULL;
}

static void model_watch(struct model *model)
{
    struct model_watch *watch = &model->watches[model_draw(model, MODEL_WATCHES)];
    struct sw_store_watcher watcher = {
        .ctx = watch, .on_event = model_on_event, .on_end = model_on_end};
    struct sw_store_view view;
    struct sw_err err = {0};

    sw_store_view(model->harness->store, &view);
    if (watch->watch == NULL) {
        uint64_t span = view.revision - view.compacted_revision + 1;
        uint64_t revision = view.compacted_revision + model_draw(model, (unsigned)span);
        watch->seen = model->at[revision];
        watch->is_paused = false;
        assert_int_equal(sw_store_watch_start(model->harness->store, "", revision, &watcher,
                                              &watch->watch, &err),
                         SW_OK);
    } else if (watch->is_paused) {
        watch->is_paused = false;
        sw_store_watch_resume(model->harness->store, watch->watch);
    } else if (model_draw(model, 2) == 0) {
        watch->is_paused = true;
        sw_store_watch_pause(model->harness->store, watch->watch);
    } else {
        sw_store_watch_stop(model->harness->store, watch->watch);
        watch->watch = NULL;
    }
}

static void model_compact(struct model *model)
{
    uint64_t newest = sw_store_revision(model->harness->store);

    if (model_draw(model, 8) == 0)
        sw_store_compact(model->harness->store,
                         newest - model_draw(model, (unsigned)newest / 2 + 1));
}

/* When nothing is outstanding, every watch that runs has built the newest state. */
static void model_check(struct model *model)
{
    while (model->outstanding > 0)
        assert_true(harness_step(model->harness, true));
    while (harness_step(model->harness, false))
        ;
    assert_int_equal(sw_store_revision(model->harness->store), model->revision);
    for (int i = 0; i < MODEL_WATCHES; i++)
        if (model->watches[i].watch != NULL && !model->watches[i].is_paused)
            assert_memory_equal(&model->watches[i].seen, &model->at[model->revision],
                                sizeof(struct model_state));
}

static void model_work(struct model *model, int rounds)
{
    static void (*const actions[])(struct model *model) = {model_list,    model_watch, model_watch,
                                                           model_compact, model_check, model_commit,
                                                           model_commit,  model_commit};

    for (int i = 0; i < rounds && model->revision < MODEL_REVISIONS_MAX - 10; i++)
        actions[model_draw(model, 8)](model);
    model_check(model);
}

static void random_work_agrees_with_a_simple_model(void **state)
{
    const char *given = getenv("SW_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);

    print_message("SW_TEST_SEED=%llu\n", (unsigned long long)seed);
    struct model *model = calloc(1, sizeof(*model));
    assert_non_null(model);
    model->harness = *state;
    model->random = seed * 2 + 1;
    harness_close(*state);
    model->harness->limits.history_events_max = 64;
    harness_open(*state);
    model_work(model, 600);
    harness_close(*state); /* Ends the watches while the model is there. */
    free(model);
}

#define CONFORMANCE_MODEL(test) test(random_work_agrees_with_a_simple_model)
