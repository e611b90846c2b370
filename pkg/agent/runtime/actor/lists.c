#include "pkg/agent/runtime/actor/lists.h"

#include "pkg/agent/link/entries.h"
#include "pkg/agent/runtime/actor/hibernate.h"

#include <stdlib.h>
#include <string.h>

struct row {
    uint64_t order;
    struct sw_frame_instance view; /* Texts are borrowed. */
    const struct sw_pod *pod;      /* It sleeps there, */
    uint64_t place;                /* and its block is not read yet; 0: it is. */
};

struct page { /* The first rows behind a key, in order. */
    const struct sw_item_list *list;
    struct row *rows;
    size_t count;
    bool has_more, has_after;
    uint64_t after; /* The order of that key. */
};

struct candidate { /* One that sleeps. */
    uint64_t order, place;
};

/* --- Order ----------------------------------------------------------------------------------- */

static uint64_t order_of(const struct sw_item_list *list, struct sw_bytes key)
{
    uint64_t hash = sw_board_key(list->hash_key, key);

    return (uint64_t)sw_slot_of_hashed(list->hash_key, key, hash) << 32 | sw_asleep_hash(hash);
}

static int compare_keys(struct sw_bytes one, struct sw_bytes other)
{
    size_t size = one.size < other.size ? one.size : other.size;
    int order = size == 0 ? 0 : memcmp(one.data, other.data, size);

    return order != 0 ? order : (one.size > other.size) - (one.size < other.size);
}

/* Of two that hash alike one at most sleeps, and comes first: its key is not known. */
static bool is_before(const struct row *one, const struct row *other)
{
    if (one->order != other->order)
        return one->order < other->order;
    if (one->place != 0 || other->place != 0)
        return one->place != 0;
    return compare_keys(one->view.key, other->view.key) < 0;
}

static void page_add(struct page *page, const struct row *row)
{
    size_t low = 0, high = page->count, limit = page->list->limit;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (is_before(&page->rows[middle], row))
            low = middle + 1;
        else
            high = middle;
    }
    if (page->count == limit) {
        page->has_more = true;
        if (low == limit)
            return;
        page->count--;
    }
    memmove(page->rows + low + 1, page->rows + low, (page->count - low) * sizeof *page->rows);
    page->rows[low] = *row;
    page->count++;
}

/* --- Those that are awake -------------------------------------------------------------------- */

static enum sw_frame_instance_state state_of(const struct sw_instance *instance)
{
    if (instance->is_parked)
        return SW_FRAME_INSTANCE_PARKED;
    if (instance->is_counted_failing)
        return SW_FRAME_INSTANCE_FAILING;
    switch (instance->actor.wait.kind) {
    case SW_WAIT_ASK:
        return SW_FRAME_INSTANCE_ASKS;
    case SW_WAIT_RECEIVE:
        return SW_FRAME_INSTANCE_RECEIVES;
    case SW_WAIT_SLEEP:
        return SW_FRAME_INSTANCE_SLEEPS;
    case SW_WAIT_CALL:
        return SW_FRAME_INSTANCE_CALLS;
    case SW_WAIT_NONE:
        break;
    }
    return instance->waiting > 0 ? SW_FRAME_INSTANCE_BUSY : SW_FRAME_INSTANCE_IDLE;
}

static struct sw_frame_instance view_of(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_frame_instance view = {
        .key = sw_instance_key(instance),
        .pod = instance->pod->config.uid,
        .digest = instance->spec == NULL ? (struct sw_bytes){NULL, 0} : instance->spec->digest,
        .state = state_of(instance),
        .waiting = instance->waiting,
        .segments = instance->actor.segments,
        .failures = instance->actor.failures,
        .memory_bytes = instance->guest == NULL
                            ? 0
                            : worker->engine.memory_bytes(worker->engine.ctx, instance->guest),
        .last_ns = instance->actor.last_ns,
        .pages = instance->pages,
    };

    if (instance->is_metered)
        sw_meter_fill_row(worker->now_ns, sw_instance_used(instance), &view);
    return view;
}

static void add_awake(struct sw_worker *worker, const struct sw_pod *pod, struct page *page)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (sw_map_next(pod->instances, &cursor, &entry)) {
        struct row row = {.order = order_of(page->list, entry.key)};

        if (page->has_after &&
            (row.order < page->after ||
             (row.order == page->after && compare_keys(entry.key, page->list->after) <= 0)))
            continue;
        row.view = view_of(worker, entry.value);
        page_add(page, &row);
    }
}

/* --- Those that sleep ------------------------------------------------------------------------ */

static int compare_candidates(const void *one, const void *other)
{
    const struct candidate *a = one, *b = other;

    return a->order < b->order ? -1 : a->order > b->order;
}

/* The first ones of a slot behind the key. False: no memory. */
static bool add_slot(const struct sw_pod *pod, const struct sw_asleep *asleep, struct page *page)
{
    struct candidate *list = malloc((sw_asleep_count(asleep) + 1) * sizeof *list);
    struct sw_asleep_entry entry;
    size_t cursor = 0, count = 0;

    if (list == NULL)
        return false;
    while (sw_asleep_next(asleep, &cursor, &entry)) {
        uint64_t order = (uint64_t)asleep->slot << 32 | entry.hash;

        if (!page->has_after || order > page->after)
            list[count++] = (struct candidate){order, entry.place};
    }
    qsort(list, count, sizeof *list, compare_candidates);
    for (size_t i = 0; i < count && i <= page->list->limit; i++)
        page_add(page, &(struct row){.order = list[i].order, .pod = pod, .place = list[i].place});
    free(list);
    return true;
}

/* False: no memory. */
static bool add_asleep(const struct sw_pod *pod, struct page *page)
{
    uint32_t slot = page->has_after ? (uint32_t)(page->after >> 32) : 0;

    if (pod->asleep == NULL ||
        memcmp(pod->hash_key, page->list->hash_key, sizeof pod->hash_key) != 0)
        return true; /* It ends, and another Agent has its name. */
    for (; slot < SW_SLOTS; slot++) {
        if (page->count == page->list->limit && page->has_more &&
            page->rows[page->count - 1].order < (uint64_t)slot << 32)
            break; /* The rest comes behind this page. */
        if (pod->asleep[slot] != NULL && !add_slot(pod, pod->asleep[slot], page))
            return false;
    }
    return true;
}

/* Read what a row shows of one that sleeps; its key is copied to the end of texts. False: it cannot
 * be read, and is left out. */
static bool fill(struct sw_worker *worker, struct row *row, struct sw_buffer *texts)
{
    struct sw_snapshot_instance saved;
    struct sw_actor actor = {0};
    const struct sw_spec *spec;
    enum sw_rc rc =
        sw_shelf_read(worker->shared->shelf, row->place, false, &worker->rest.block, &saved, NULL);

    if (rc != SW_OK || sw_actor_load(&actor, saved.actor, NULL) != SW_OK)
        return false;
    spec = sw_specs_find(&worker->shared->specs, saved.spec);
    row->view = (struct sw_frame_instance){.key = {texts->data + texts->size, saved.key.size},
                                           .pod = row->pod->config.uid,
                                           .digest = spec == NULL ? (struct sw_bytes){NULL, 0}
                                                                  : spec->digest,
                                           .state = SW_FRAME_INSTANCE_ASLEEP,
                                           .segments = actor.segments,
                                           .failures = actor.failures,
                                           .last_ns = actor.last_ns,
                                           .pages = saved.pages};
    if (row->pod->config.is_durable)
        sw_meter_fill_row(worker->now_ns, &saved.used, &row->view);
    sw_buffer_put(texts, saved.key.data, saved.key.size);
    sw_actor_done(&actor);
    return true;
}

/* --- All of it ------------------------------------------------------------------------------- */

static bool is_of(const struct sw_pod *pod, const struct sw_item_list *list)
{
    return sw_bytes_is_equal(pod->config.name_space, list->name_space) &&
           sw_bytes_is_equal(pod->config.agent, list->agent);
}

/* All Agents of that name have one, which orders the list. */
static void find_hash_key(const struct sw_worker *worker, struct sw_item_list *list)
{
    const struct sw_route *route = sw_routes_agent(worker->routes, list->name_space, list->agent);

    if (!list->has_hash_key && route != NULL)
        memcpy(list->hash_key, route->hash_key, sizeof list->hash_key);
    list->has_hash_key = list->has_hash_key || route != NULL;
}

static void answer(struct sw_worker *worker, const struct sw_item_list *list)
{
    struct sw_frame frame = {
        .kind = SW_FRAME_INSTANCES,
        .instances = {.request = list->request,
                      .code = list->entries.failed ? (uint32_t)-SW_E_EXHAUSTED : 0,
                      .count = list->count,
                      .has_more = list->has_more,
                      .entries = {list->entries.data, list->entries.size}}};

    if (list->entries.failed)
        frame.instances.count = 0, frame.instances.entries.size = 0;
    sw_output_frame(worker, &frame, list->epoch);
}

/* The rows of the workers before, and this one's. False: no memory. */
static bool collect(struct sw_worker *worker, const struct sw_item_list *list, struct page *page)
{
    struct sw_reader reader = sw_reader_of(list->entries.data, list->entries.size);
    struct row row = {.place = 0};
    struct sw_map_entry entry;
    size_t cursor = 0;
    bool is_good = true;

    while (sw_frame_instance_take(&reader, &row.view)) {
        row.order = order_of(list, row.view.key);
        page_add(page, &row);
    }
    while (is_good && sw_map_next(worker->pods, &cursor, &entry)) {
        if (!is_of(entry.value, list))
            continue;
        add_awake(worker, entry.value, page);
        is_good = add_asleep(entry.value, page);
    }
    return is_good;
}

static void write_rows(struct sw_worker *worker, struct page *page, struct sw_buffer *out)
{
    size_t count = page->count;
    struct sw_buffer texts;

    /* Rows borrow from it, so it must not move. */
    sw_buffer_init(&texts, page->count * SW_FRAME_KEY_MAX + 1);
    if (sw_buffer_reserve(&texts, page->count * SW_FRAME_KEY_MAX + 1) == NULL)
        out->failed = true;
    for (size_t i = 0; !out->failed && i < count; i++) {
        if (page->rows[i].place == 0 || fill(worker, &page->rows[i], &texts))
            sw_frame_instance_put(&page->rows[i].view, out);
        else
            page->count--;
    }
    sw_buffer_done(&texts);
}

void sw_list_deliver(struct sw_worker *worker, struct sw_item_list *list)
{
    struct page page = {.list = list, .has_more = list->has_more};
    struct sw_buffer entries;

    find_hash_key(worker, list);
    page.has_after = list->after.size > 0;
    page.after = order_of(list, list->after);
    sw_buffer_init(&entries, list->entries.size_max);
    page.rows = malloc((page.list->limit + 1) * sizeof *page.rows);
    entries.failed = page.rows == NULL || list->entries.failed || !collect(worker, list, &page);
    if (!entries.failed)
        write_rows(worker, &page, &entries);
    free(page.rows);
    sw_buffer_done(&list->entries);
    list->entries = entries;
    list->count = (uint32_t)page.count;
    list->has_more = page.has_more;
    if (sw_output_epoch_now(worker) > list->epoch)
        list->epoch = sw_output_epoch_now(worker);
    if (worker->options.index + 1 < worker->options.count) {
        sw_item_put(&worker->sent[worker->options.index + 1], &list->item);
        return;
    }
    answer(worker, list);
    sw_item_free(&list->item, &worker->engine);
}
