#include "pkg/store/objects/query.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/store/objects/state.h"

static void query_prefix(const struct sw_object_query *query, char ret_prefix[SW_OBJECT_KEY_MAX])
{
    bool has_name = query->name != NULL && query->name[0] != '\0';
    const char *name = has_name ? query->name : query->name_prefix;
    const char *space = query->namespace_name == NULL ? "" : query->namespace_name;

    if (space[0] == '\0' && query->kind->is_namespaced)
        sw_object_key(query->kind, NULL, NULL, ret_prefix);
    else
        sw_object_key(query->kind, space, name, ret_prefix);
}

/* Whether labels fit needs the object, which is decoded into an arena that is reset each time. An
 * object that cannot be read fits nothing: whoever gets it by name is told. */
static bool item_fits(const struct sw_kind *kind, const struct sw_selector *selector,
                      struct sw_arena *arena, const struct sw_store_item *item)
{
    struct sw_err ignored = {0};
    void *object = NULL;

    if (selector == NULL || selector->count == 0)
        return true;
    sw_arena_reset(arena);
    return sw_object_of_item(kind, item, arena, &object, &ignored) == SW_OK &&
           sw_selector_fits(selector, object);
}

/* --- Lists --------------------------------------------------------------------------------------
 */

struct listing {
    const struct sw_object_query *query;
    struct sw_arena *arena;
    uint32_t left;
    bool is_limited;
    sw_store_visit *visit;
    void *ctx;
};

static bool visit_fitting(void *ctx, const struct sw_store_item *item)
{
    struct listing *listing = ctx;

    if (!item_fits(listing->query->kind, listing->query->selector, listing->arena, item))
        return true;
    bool goes_on = listing->visit(listing->ctx, item);
    return goes_on && !(listing->is_limited && --listing->left == 0);
}

enum sw_rc sw_objects_list(const struct sw_objects *objects, const struct sw_object_query *query,
                           const struct sw_object_page *page, sw_store_visit *visit, void *ctx,
                           struct sw_err *err)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(SW_OBJECT_ARENA_MAX);
    char prefix[SW_OBJECT_KEY_MAX];
    struct sw_store_list_end end;
    struct listing listing = {.query = query,
                              .arena = arena,
                              .left = page->limit,
                              .is_limited = page->limit > 0,
                              .visit = visit,
                              .ctx = ctx};

    if (arena == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for this list");
    query_prefix(query, prefix);
    const struct sw_store_list_request request = {
        .prefix = prefix, .token = page->token, .revision = page->revision};
    return sw_store_list(objects->store, &request, visit_fitting, &listing,
                         page->ret_end != NULL ? page->ret_end : &end, err);
}

/* --- Watches ------------------------------------------------------------------------------------
 */

struct sw_object_watch {
    struct sw_objects *objects;
    struct sw_object_query query; /* Its texts and selector live in `own`. */
    struct sw_object_watcher watcher;
    struct sw_store_watch *watch;
    struct sw_arena *own, *scratch;
    char *prefix;
    bool is_exact;   /* Only the key that equals the prefix. */
    bool is_listing; /* The objects that there were are still being told. */
    bool is_paused, is_stopped, is_busy;
    uint64_t list_revision;
    char token[SW_STORE_TOKEN_MAX];
};

static void watch_free(struct sw_object_watch *watch)
{
    sw_arena_free(watch->scratch);
    sw_arena_free(watch->own);
    free(watch);
}

static void tell(struct sw_object_watch *watch, enum sw_api_watch_event_type type,
                 const struct sw_store_item *item, uint64_t revision)
{
    const struct sw_object_event event = {.type = type, .item = item, .revision = revision};

    watch->watcher.on_event(watch->watcher.ctx, &event);
}

static bool watch_fits(struct sw_object_watch *watch, const struct sw_store_item *item)
{
    if (item == NULL || item->is_deleted)
        return false;
    return item_fits(watch->query.kind, watch->query.selector, watch->scratch, item);
}

static bool tell_existing(void *ctx, const struct sw_store_item *item)
{
    struct sw_object_watch *watch = ctx;

    if ((!watch->is_exact || strcmp(item->key, watch->prefix) == 0) && watch_fits(watch, item))
        tell(watch, SW_API_WATCH_EVENT_TYPE_ADDED, item, item->revision);
    return !watch->is_stopped && !watch->is_paused;
}

static void end(struct sw_object_watch *watch, const struct sw_err *err)
{
    watch->is_stopped = true;
    watch->watcher.on_end(watch->watcher.ctx, err);
}

/* Tell of what there was at the beginning, as far as the watcher takes it. */
static void go_on_listing(struct sw_object_watch *watch)
{
    struct sw_store_list_end page;
    struct sw_err err = {0};
    const struct sw_store_list_request request = {
        .prefix = watch->prefix, .token = watch->token, .revision = watch->list_revision};

    enum sw_rc rc =
        sw_store_list(watch->objects->store, &request, tell_existing, watch, &page, &err);
    if (watch->is_stopped)
        return;
    if (rc != SW_OK) {
        sw_store_watch_stop(watch->objects->store, watch->watch);
        end(watch, &err);
        return;
    }
    memcpy(watch->token, page.token, sizeof(watch->token));
    watch->is_listing = page.token[0] != '\0';
}

/* Run a callback's work so that a stop inside of it frees the watch only afterwards. */
static bool enter(struct sw_object_watch *watch)
{
    watch->is_busy = true;
    if (watch->is_listing)
        go_on_listing(watch);
    return !watch->is_stopped && !watch->is_listing;
}

static void leave(struct sw_object_watch *watch)
{
    watch->is_busy = false;
    if (watch->is_stopped)
        watch_free(watch);
}

static void tell_change(struct sw_object_watch *watch, const struct sw_store_event *event)
{
    bool fitted = watch_fits(watch, event->previous);
    bool fits = watch_fits(watch, event->item);
    uint64_t revision = event->item->revision;

    if (fits)
        tell(watch, fitted ? SW_API_WATCH_EVENT_TYPE_MODIFIED : SW_API_WATCH_EVENT_TYPE_ADDED,
             event->item, revision);
    else if (fitted)
        tell(watch, SW_API_WATCH_EVENT_TYPE_DELETED, event->previous, revision);
}

/* The store's watch is paused while objects are told first, so no change comes before its time. */
static void on_store_event(void *ctx, const struct sw_store_event *event)
{
    struct sw_object_watch *watch = ctx;

    assert(!watch->is_listing);
    if (watch->is_exact && strcmp(event->item->key, watch->prefix) != 0)
        return;
    watch->is_busy = true;
    tell_change(watch, event);
    leave(watch);
}

static void on_store_progress(void *ctx, uint64_t revision)
{
    struct sw_object_watch *watch = ctx;

    if (enter(watch) && !watch->is_paused)
        tell(watch, SW_API_WATCH_EVENT_TYPE_BOOKMARK, NULL, revision);
    leave(watch);
}

static void on_store_end(void *ctx, const struct sw_err *err)
{
    struct sw_object_watch *watch = ctx;

    watch->is_busy = true;
    end(watch, err);
    leave(watch);
}

static enum sw_rc copy_query(struct sw_object_watch *watch, const struct sw_object_query *query)
{
    char prefix[SW_OBJECT_KEY_MAX];
    struct sw_selector *selector = sw_arena_get(watch->own, sizeof(*selector));

    if (selector == NULL)
        return SW_E_EXHAUSTED;
    if (query->selector != NULL)
        *selector = *query->selector;
    for (size_t i = 0; i < selector->count; i++) {
        struct sw_selector_term *term = &selector->terms[i];
        term->key = sw_arena_copy(watch->own, term->key, strlen(term->key));
        term->value = sw_arena_copy(watch->own, term->value, strlen(term->value));
        if (term->key == NULL || term->value == NULL)
            return SW_E_EXHAUSTED;
    }
    query_prefix(query, prefix);
    watch->prefix = sw_arena_copy(watch->own, prefix, strlen(prefix));
    watch->is_exact = query->name != NULL && query->name[0] != '\0';
    watch->query = (struct sw_object_query){.kind = query->kind, .selector = selector};
    return watch->prefix == NULL ? SW_E_EXHAUSTED : SW_OK;
}

static struct sw_object_watch *watch_new(struct sw_objects *objects,
                                         const struct sw_object_query *query,
                                         const struct sw_object_watcher *watcher)
{
    struct sw_object_watch *watch = calloc(1, sizeof(*watch));

    if (watch == NULL)
        return NULL;
    watch->objects = objects;
    watch->watcher = *watcher;
    watch->own = sw_arena_new(SW_OBJECT_ARENA_MAX);
    watch->scratch = sw_arena_new(SW_OBJECT_ARENA_MAX);
    if (watch->own == NULL || watch->scratch == NULL || copy_query(watch, query) != SW_OK) {
        watch_free(watch);
        return NULL;
    }
    return watch;
}

enum sw_rc sw_objects_watch_start(struct sw_objects *objects, const struct sw_object_query *query,
                                  uint64_t revision, const struct sw_object_watcher *watcher,
                                  struct sw_object_watch **ret_watch, struct sw_err *err)
{
    const struct sw_store_watcher calls = {
        .on_event = on_store_event, .on_progress = on_store_progress, .on_end = on_store_end};
    struct sw_object_watch *watch = watch_new(objects, query, watcher);
    struct sw_store_watcher own = calls;

    if (watch == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a watch");
    own.ctx = watch;
    watch->is_listing = revision == 0;
    watch->list_revision = sw_store_revision(objects->store);
    enum sw_rc rc = sw_store_watch_start(objects->store, watch->prefix,
                                         revision == 0 ? watch->list_revision : revision, &own,
                                         &watch->watch, err);
    if (rc != SW_OK) {
        watch_free(watch);
        return rc;
    }
    *ret_watch = watch;
    return SW_OK;
}

void sw_objects_watch_stop(struct sw_object_watch *watch)
{
    assert(!watch->is_stopped);
    sw_store_watch_stop(watch->objects->store, watch->watch);
    watch->is_stopped = true;
    if (!watch->is_busy)
        watch_free(watch);
}

void sw_objects_watch_pause(struct sw_object_watch *watch)
{
    watch->is_paused = true;
    sw_store_watch_pause(watch->objects->store, watch->watch);
}

void sw_objects_watch_resume(struct sw_object_watch *watch)
{
    watch->is_paused = false;
    sw_store_watch_resume(watch->objects->store, watch->watch);
}
