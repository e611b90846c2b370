#include "pkg/store/memory/memory.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/store/memory/state.h"

enum sw_rc sw_memory_watch_start(struct sw_memory *memory, const char *prefix, uint64_t revision,
                                 const struct sw_store_watcher *watcher,
                                 struct sw_store_watch **ret_watch, struct sw_err *err)
{
    size_t prefix_size = strlen(prefix);

    if (revision > memory->revision || revision < memory->compacted_revision) {
        sw_err_set(err, SW_E_RANGE,
                   "changes after revision %" PRIu64 " are not kept; kept are %" PRIu64
                   " to %" PRIu64,
                   revision, memory->compacted_revision, memory->revision);
        sw_err_hint(err, "list again and watch from the revision of the list");
        return SW_E_RANGE;
    }
    if (memory->watches_count >= memory->limits.watches_max)
        return sw_err_set(err, SW_E_EXHAUSTED, "there are %zu watches already, the most allowed",
                          memory->watches_count);
    struct sw_store_watch *watch = calloc(1, sizeof(*watch) + prefix_size + 1);
    if (watch == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a watch");
    watch->watcher = *watcher;
    watch->next = sw_memory_history_after(&memory->history, revision);
    watch->progress = revision;
    watch->prefix_size = prefix_size;
    memcpy(watch->prefix, prefix, prefix_size + 1);
    sw_list_add(&memory->watches, &watch->link);
    memory->watches_count++;
    *ret_watch = watch;
    return SW_OK;
}

static void watch_free(struct sw_store_watch *watch)
{
    sw_list_remove(&watch->link);
    free(watch);
}

/* While watches are served a stopped one stays linked, so that the round can go on past it. */
void sw_memory_watch_stop(struct sw_memory *memory, struct sw_store_watch *watch)
{
    assert(!watch->is_stopped);
    watch->is_stopped = true;
    memory->watches_count--;
    if (!memory->is_dispatching)
        watch_free(watch);
}

void sw_memory_watch_pause(struct sw_store_watch *watch)
{
    watch->is_paused = true;
}

void sw_memory_watch_resume(struct sw_store_watch *watch)
{
    watch->is_paused = false;
    watch->is_announced = false;
}

static void end_watch(struct sw_memory *memory, struct sw_store_watch *watch,
                      const struct sw_err *err)
{
    watch->is_stopped = true;
    memory->watches_count--; /* Its place is free for the one that its owner may start now. */
    watch->watcher.on_end(watch->watcher.ctx, err);
}

static bool has_passed(const struct sw_memory *memory, const struct sw_store_watch *watch)
{
    return watch->next < memory->history.begin;
}

static void end_passed(struct sw_memory *memory, struct sw_store_watch *watch)
{
    struct sw_err err = {0};

    sw_err_set(&err, SW_E_RANGE,
               "the watch fell behind: changes up to revision %" PRIu64 " are compacted",
               memory->compacted_revision);
    sw_err_hint(&err, "list again and watch from the revision of the list");
    end_watch(memory, watch, &err);
}

static void show_change(struct sw_store_watch *watch, const struct change *change)
{
    const struct version *version = change->version;

    if (strncmp(version->item->key, watch->prefix, watch->prefix_size) != 0)
        return;
    bool had_value = version->older != NULL && !version->older->item->is_deleted;
    struct sw_store_event event = {
        .item = version->item,
        .previous = had_value ? version->older->item : NULL,
    };
    watch->watcher.on_event(watch->watcher.ctx, &event);
}

static void tell_progress(struct sw_store_watch *watch, uint64_t revision)
{
    watch->progress = revision;
    if (watch->watcher.on_progress != NULL)
        watch->watcher.on_progress(watch->watcher.ctx, revision);
}

static bool is_served(const struct sw_store_watch *watch)
{
    return !watch->is_stopped && !watch->is_paused;
}

static void serve_watch(struct sw_memory *memory, struct sw_store_watch *watch)
{
    if (!watch->is_stopped && has_passed(memory, watch))
        end_passed(memory, watch);
    if (is_served(watch) && !watch->is_announced) {
        watch->is_announced = true;
        tell_progress(watch, watch->progress);
    }
    while (is_served(watch) && watch->next != memory->history.end)
        show_change(watch, sw_memory_history_at(&memory->history, watch->next++));
    if (is_served(watch) && watch->progress != memory->revision)
        tell_progress(watch, memory->revision);
}

static void free_stopped(struct sw_memory *memory)
{
    SW_LIST_EACH(&memory->watches, link)
    {
        struct sw_store_watch *watch = SW_LIST_ITEM(link, struct sw_store_watch, link);
        if (watch->is_stopped)
            watch_free(watch);
    }
}

void sw_memory_dispatch(struct sw_memory *memory)
{
    assert(!memory->is_dispatching);
    memory->is_dispatching = true;
    /* Not SW_LIST_EACH: a callback may add a watch behind the present one. */
    for (struct sw_list *link = memory->watches.next; link != &memory->watches; link = link->next)
        serve_watch(memory, SW_LIST_ITEM(link, struct sw_store_watch, link));
    memory->is_dispatching = false;
    free_stopped(memory);
    sw_memory_compact(memory, memory->compact_wanted);
}

void sw_memory_watches_done(struct sw_memory *memory)
{
    struct sw_err err = {0};

    sw_err_set(&err, SW_E_UNAVAILABLE, "the store is closing");
    memory->is_dispatching = true;
    memory->limits.watches_max = 0; /* What ends now must not begin again. */
    for (struct sw_list *link = memory->watches.next; link != &memory->watches; link = link->next) {
        struct sw_store_watch *watch = SW_LIST_ITEM(link, struct sw_store_watch, link);
        if (!watch->is_stopped)
            end_watch(memory, watch, &err);
    }
    memory->is_dispatching = false;
    free_stopped(memory);
}
