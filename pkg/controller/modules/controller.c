#include "pkg/controller/modules/controller.h"

#include "pkg/apis/swarm/v1/object.h"
#include "pkg/store/objects/objects.h"
#include "pkg/utils/base/map.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Passes in a grace: what is named is looked at in its second half, so it counts from the last
 * time that it was seen to be needed, at most half a grace ago. */
#define PASSES 8u
#define PASS_MS_MIN 20u
#define PASS_MS_MAX 600000u
#define KEY_SIZE (sizeof(struct sw_module_name))
#define PREFIX "sha256:"

struct entry {          /* A module that is there, or was. */
    uint64_t needed_ms; /* When it was last seen to be. */
    bool is_there;
};

struct sw_module_controller {
    struct sw_module_controller_options options;
    struct sw_timer *timer;
    struct sw_map *entries; /* By "namespace/digest". */
    uint64_t started_ms;
    /* Of the pass that goes on: when it began, and what may go. */
    uint64_t pass_began_ms;
    struct sw_module_name *candidates;
    size_t count, at;
    struct question *question;                  /* That is open. */
    unsigned holds;                             /* Nothing is removed while there are some. */
    char searched[SW_MODULE_NAMESPACE_MAX + 1]; /* The namespace that was, last. */
    struct sw_module_controller_view view, next;
};

struct question {
    struct sw_module_controller *controller; /* NULL: nobody waits for it. */
    uint64_t needed_ms;                      /* Of its candidate, when it was asked. */
};

static uint64_t now_ms(const struct sw_module_controller *controller)
{
    const struct sw_system *system = controller->options.system;

    return system->monotonic_ns(system->ctx) / 1000000;
}

static uint64_t pass_ms(const struct sw_module_controller *controller)
{
    uint64_t ms = controller->options.grace_ms / PASSES;

    return ms < PASS_MS_MIN ? PASS_MS_MIN : ms > PASS_MS_MAX ? PASS_MS_MAX : ms;
}

/* --- Entries --------------------------------------------------------------------------------- */

static size_t key_of(const char *namespace, const char *digest, char ret_key[KEY_SIZE])
{
    int size = snprintf(ret_key, KEY_SIZE, "%s/%s", namespace, digest);

    return size > 0 && (size_t)size < KEY_SIZE ? (size_t)size : 0;
}

/* NULL: no memory, or no name of a module. */
static struct entry *entry_of(struct sw_module_controller *controller, const char *namespace,
                              const char *digest)
{
    char key[KEY_SIZE];
    size_t size = key_of(namespace, digest, key);
    struct entry *entry = size == 0 ? NULL : sw_map_find(controller->entries, key, size);

    if (entry != NULL || size == 0)
        return entry;
    entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    entry->needed_ms = controller->started_ms;
    if (sw_map_put(controller->entries, key, size, entry, NULL) == SW_OK)
        return entry;
    free(entry);
    return NULL;
}

static struct entry *entry_find(const struct sw_module_controller *controller,
                                const struct sw_module_name *name)
{
    char key[KEY_SIZE];
    size_t size = key_of(name->namespace, name->digest, key);

    return size == 0 ? NULL : sw_map_find(controller->entries, key, size);
}

static void touch(struct sw_module_controller *controller, const char *namespace,
                  const char *digest)
{
    struct entry *entry = entry_of(controller, namespace, digest);

    if (entry != NULL)
        entry->needed_ms = now_ms(controller);
}

static bool touch_named(void *ctx, const struct sw_module_name *name)
{
    touch(ctx, name->namespace, name->digest);
    return true;
}

/* What runs a bundle, and what its payload names, is needed for as long as the bundle is there,
 * needed or not.
 * SW_OK: also if it is a module.  Others: it could not be looked at. */
static enum sw_rc touch_runtime(struct sw_module_controller *controller,
                                const struct sw_module_name *name, struct sw_err *err)
{
    const struct sw_modules *modules = controller->options.modules;
    struct sw_module_name runtime;
    char digest[SW_DIGEST_TEXT_SIZE];
    enum sw_rc rc = sw_modules_runtime(modules, name, digest, err);

    if (rc == SW_E_NOT_FOUND)
        return SW_OK;
    if (rc == SW_OK && sw_modules_home(modules, name->namespace, digest, &runtime) == SW_OK)
        touch(controller, runtime.namespace, runtime.digest);
    return rc == SW_OK ? sw_modules_named(modules, name, touch_named, controller, err) : rc;
}

void sw_module_controller_touch(struct sw_module_controller *controller, const char *namespace,
                                const char *digest)
{
    struct sw_module_name name;
    char key[KEY_SIZE];

    if (controller == NULL || key_of(namespace, digest, key) == 0)
        return;
    touch(controller, namespace, digest);
    (void)snprintf(name.namespace, sizeof name.namespace, "%s", namespace);
    (void)snprintf(name.digest, sizeof name.digest, "%s", digest);
    (void)touch_runtime(controller, &name, NULL);
}

static void forget(struct sw_module_controller *controller, const struct sw_module_name *name)
{
    char key[KEY_SIZE];
    size_t size = key_of(name->namespace, name->digest, key);

    free(sw_map_remove(controller->entries, key, size));
}

/* --- Who names it ---------------------------------------------------------------------------- */

/* Looks for digests in an object as it is stored: a text stands there as it is, whatever field it
 * is in, also one that this version does not know. */
struct search {
    struct sw_module_controller *controller;
    const char *namespace;
    uint64_t now_ms;
};

static void mark(const struct search *search, const char *digest)
{
    struct sw_module_name name;
    struct entry *entry;

    (void)snprintf(name.namespace, sizeof name.namespace, "%s", search->namespace);
    (void)snprintf(name.digest, sizeof name.digest, "%.*s", (int)sizeof name.digest - 1, digest);
    entry = entry_find(search->controller, &name);
    if (entry == NULL)
        return;
    entry->needed_ms = search->now_ms;
}

static bool look_into(void *ctx, const struct sw_store_item *item)
{
    const struct search *search = ctx;
    const char *at = item->value.data;
    size_t left = item->value.size, size = sizeof((struct sw_module_name *)0)->digest - 1;

    while (left >= size) {
        const char *found = memmem(at, left, PREFIX, strlen(PREFIX));

        if (found == NULL || left - (size_t)(found - at) < size)
            break;
        mark(search, found);
        left -= (size_t)(found - at) + strlen(PREFIX);
        at = found + strlen(PREFIX);
    }
    return true;
}

/* Mark what the objects of a namespace name. */
static enum sw_rc search_namespace(struct sw_module_controller *controller, const char *namespace,
                                   struct sw_err *err)
{
    struct search search = {controller, namespace, now_ms(controller)};
    enum sw_rc rc = SW_OK;

    for (unsigned i = 0; rc == SW_OK && i < sw_kind_count; i++) {
        char prefix[SW_OBJECT_KEY_MAX];
        struct sw_store_list_request request = {.prefix = prefix};
        struct sw_store_list_end end;

        if (!sw_kinds[i].is_namespaced || strcmp(sw_kinds[i].name, "Event") == 0)
            continue; /* What an Event tells of is over. */
        sw_object_key(&sw_kinds[i], namespace, NULL, prefix);
        rc = sw_store_list(controller->options.store, &request, look_into, &search, &end, err);
    }
    return rc;
}

/* --- Removing -------------------------------------------------------------------------------- */

static void go_on(struct sw_module_controller *controller);

struct others { /* Namespaces that have it besides. */
    const struct sw_module_name *name;
    bool is_there;
};

static bool look_at_other(void *ctx, const struct sw_module_name *name)
{
    struct others *others = ctx;

    others->is_there = strcmp(name->digest, others->name->digest) == 0 &&
                       strcmp(name->namespace, others->name->namespace) != 0;
    return !others->is_there;
}

static void remove_one(struct sw_module_controller *controller, const struct sw_module_name *name)
{
    const struct sw_module_controller_options *options = &controller->options;
    struct others others = {name, false};
    struct sw_err err = {0};
    enum sw_rc rc = sw_modules_each(options->modules, look_at_other, &others, &err);

    /* Machine code first: without the module nobody would look for it any more. */
    if (rc == SW_OK)
        options->drop(options->ctx, name->digest, !others.is_there);
    if (rc == SW_OK)
        rc = sw_modules_remove(options->modules, name, &err);
    if (rc != SW_OK) {
        sw_log(options->logger, SW_LOG_WARN, "modules", "module %s cannot be removed: %s",
               name->digest, err.message);
        return;
    }
    forget(controller, name);
    controller->view.removed++;
    sw_log(options->logger, SW_LOG_INFO, "modules",
           "module %s of namespace %s was removed: nothing needs it", name->digest,
           name->namespace);
}

/* Let go of a question that was answered.  NULL: nobody waits for it. */
static struct sw_module_controller *question_end(struct question *question)
{
    struct sw_module_controller *controller = question->controller;

    free(question);
    if (controller != NULL)
        controller->question = NULL;
    return controller;
}

/* All that was written by somebody who had the grace to do so can be seen now. */
static void on_barrier(void *ctx, const struct sw_store_result *result)
{
    uint64_t needed_ms = ((struct question *)ctx)->needed_ms;
    struct sw_module_controller *controller = question_end(ctx);
    const struct sw_module_name *name;
    const struct entry *entry;
    struct sw_err err = {0};

    if (controller == NULL)
        return;
    name = &controller->candidates[controller->at++];
    if (result->rc == SW_OK && search_namespace(controller, name->namespace, &err) == SW_OK) {
        entry = entry_find(controller, name);
        if (entry != NULL && entry->needed_ms == needed_ms && controller->holds == 0 &&
            !controller->options.has(controller->options.ctx, name))
            remove_one(controller, name);
    }
    go_on(controller);
}

/* The host has answered. Meanwhile somebody may have come for it. */
static void on_answer(void *ctx, enum sw_rc rc)
{
    static const struct sw_store_txn nothing = {.count = 0};
    struct question *question = ctx;
    struct sw_module_controller *controller = question->controller;
    struct sw_err err = {0};

    if (rc == SW_OK && controller != NULL)
        rc = sw_store_commit(controller->options.store, &nothing, on_barrier, question, &err);
    else if (rc == SW_OK)
        rc = SW_E_CANCELLED;
    if (rc == SW_OK)
        return;
    controller = question_end(question);
    if (controller == NULL)
        return;
    controller->next.held += rc == SW_E_PRECONDITION;
    controller->at++;
    go_on(controller);
}

/* Ask about the next one that may go. False: not now. */
static bool ask(struct sw_module_controller *controller)
{
    const struct sw_module_controller_options *options = &controller->options;
    const struct sw_module_name *name = &controller->candidates[controller->at];
    const struct entry *entry = entry_find(controller, name);
    struct question *question = calloc(1, sizeof *question);
    struct sw_err err = {0};

    if (question == NULL || entry == NULL) {
        free(question);
        return false;
    }
    *question = (struct question){controller, entry->needed_ms};
    controller->question = question;
    if (options->ask(options->ctx, name->digest, on_answer, question, &err) == SW_OK)
        return true;
    controller->question = NULL;
    free(question);
    return false;
}

static void go_on(struct sw_module_controller *controller)
{
    uint64_t removed = controller->view.removed;

    if (controller->at < controller->count && ask(controller))
        return;
    controller->view = controller->next;
    controller->view.removed = removed;
    sw_timer_start(controller->timer, pass_ms(controller));
}

/* --- Passes ---------------------------------------------------------------------------------- */

struct census { /* Of all that is there. */
    struct sw_module_controller *controller;
    enum sw_rc rc;
    struct sw_err *err;
};

static bool note(void *ctx, const struct sw_module_name *name)
{
    struct census *census = ctx;
    struct entry *entry = entry_of(census->controller, name->namespace, name->digest);

    if (entry == NULL) {
        census->rc = sw_err_set(census->err, SW_E_EXHAUSTED, "no memory for a module");
        return false;
    }
    entry->is_there = true;
    census->rc = touch_runtime(census->controller, name, census->err);
    return census->rc == SW_OK;
}

static enum sw_rc note_all(struct sw_module_controller *controller, struct sw_err *err)
{
    struct census census = {.controller = controller, .err = err};
    enum sw_rc rc = sw_modules_each(controller->options.modules, note, &census, err);

    return rc == SW_OK ? census.rc : rc;
}

/* As of when the pass began: what it saw itself is not old, however long it takes. */
static bool is_due(const struct sw_module_controller *controller, const struct entry *entry,
                   uint64_t part)
{
    uint64_t began_ms = controller->pass_began_ms;

    return entry->needed_ms <= began_ms &&
           began_ms - entry->needed_ms >= controller->options.grace_ms / part;
}

/* Look for who names what is in that namespace, if it was not looked at lately. */
static bool look_at_one(void *ctx, const struct sw_module_name *name)
{
    struct sw_module_controller *controller = ctx;
    struct entry *entry = entry_find(controller, name);
    struct sw_err err = {0};

    controller->next.modules++;
    if (entry == NULL || !is_due(controller, entry, 2))
        return true;
    if (strcmp(controller->searched, name->namespace) != 0) {
        if (search_namespace(controller, name->namespace, &err) != SW_OK)
            return false; /* It is tried again. */
        memcpy(controller->searched, name->namespace, sizeof controller->searched);
    }
    if (controller->options.has(controller->options.ctx, name))
        entry->needed_ms = now_ms(controller);
    if (!is_due(controller, entry, 2))
        return true;
    controller->next.unnamed++;
    if (is_due(controller, entry, 1) && controller->count < SW_MODULE_PASS_MAX)
        controller->candidates[controller->count++] = *name;
    return true;
}

/* Those that others removed, or a push that failed left behind. */
static void forget_absent(struct sw_module_controller *controller)
{
    struct sw_map_entry found;
    size_t cursor = 0;

    while (sw_map_next(controller->entries, &cursor, &found)) {
        struct entry *entry = found.value;
        bool is_gone = !entry->is_there && is_due(controller, entry, 1);

        entry->is_there = false;
        if (!is_gone)
            continue;
        free(sw_map_remove(controller->entries, found.key.data, found.key.size));
        cursor = 0;
    }
}

static void on_timer(void *ctx)
{
    struct sw_module_controller *controller = ctx;
    const struct sw_modules *modules = controller->options.modules;
    struct sw_err err = {0};
    enum sw_rc rc;

    controller->pass_began_ms = now_ms(controller);
    controller->count = controller->at = 0;
    controller->searched[0] = '\0';
    controller->next = (struct sw_module_controller_view){0};
    rc = note_all(controller, &err);
    if (rc == SW_OK)
        forget_absent(controller);
    if (rc == SW_OK)
        rc = sw_modules_each(modules, look_at_one, controller, &err);
    if (rc != SW_OK)
        sw_log(controller->options.logger, SW_LOG_WARN, "modules", "%s", err.message);
    go_on(controller);
}

/* --- Life ------------------------------------------------------------------------------------ */

enum sw_rc sw_module_controller_new(const struct sw_module_controller_options *options,
                                    struct sw_module_controller **ret_controller,
                                    struct sw_err *err)
{
    SW_CLEANUP(sw_module_controller_freep)
    struct sw_module_controller *made = calloc(1, sizeof *made);

    if (made == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the controller of modules");
    made->options = *options;
    made->started_ms = now_ms(made);
    made->entries = sw_map_new(0);
    made->candidates = calloc(SW_MODULE_PASS_MAX, sizeof *made->candidates);
    made->timer = sw_timer_new(options->loop, on_timer, made);
    if (made->entries == NULL || made->candidates == NULL || made->timer == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the controller of modules");
    sw_timer_start(made->timer, pass_ms(made));
    *ret_controller = SW_TAKE(made);
    return SW_OK;
}

void sw_module_controller_free(struct sw_module_controller *controller)
{
    struct sw_map_entry found;
    size_t cursor = 0;

    if (controller == NULL)
        return;
    if (controller->question != NULL)
        controller->question->controller = NULL;
    if (controller->timer != NULL)
        sw_timer_free(controller->timer);
    while (controller->entries != NULL && sw_map_next(controller->entries, &cursor, &found))
        free(found.value);
    sw_map_free(controller->entries);
    free(controller->candidates);
    free(controller);
}

void sw_module_controller_hold(struct sw_module_controller *controller)
{
    controller->holds++;
}

void sw_module_controller_let_go(struct sw_module_controller *controller)
{
    assert(controller->holds > 0);
    controller->holds--;
}

void sw_module_controller_view(const struct sw_module_controller *controller,
                               struct sw_module_controller_view *ret_view)
{
    *ret_view = controller->view;
}
