#include "pkg/agent/runtime/actor/lists.h"

#include "pkg/agent/link/entries.h"
#include "pkg/agent/runtime/actor/hibernate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PLACE_BITS 32u      /* Of a place those of the hash; above them is the slot. */
#define LOOKS_MAX 16384u    /* So many that are awake are looked at for a page, about; */
#define ENTRIES_MAX 262144u /* of entries of those who sleep; */
#define COUNTED_MAX 4096u   /* and blocks are read to count a prefix. */
#define TRIES_MAX 3u
#define ROOM_MIN 64u

struct candidate {                /* For a row. */
    uint64_t at;                  /* Its place. */
    struct sw_instance *instance; /* NULL: it sleeps, */
    const struct sw_pod *pod;     /* in this Pod, */
    uint64_t block;               /* and its block is there. */
};

struct page { /* Of one worker: the first candidates. */
    const struct sw_item_list *list;
    struct candidate *items;
    size_t count, room, limit;
    uint64_t until; /* It holds all before this place. */
    bool is_slot_only, failed;
    uint32_t slot; /* If is_slot_only: all keys with the prefix are in it. */
};

struct home {                 /* A Pod of such, which may be gone when they were read. */
    const struct sw_pod *pod; /* Only compared. */
    bool is_metered;
    size_t uid_size;
    char uid[SW_FRAME_KEY_MAX];
};

struct asked { /* A block. */
    uint64_t at, block;
    size_t home;
};

struct sw_list_reads {
    struct sw_item_list *list; /* Owned. */
    struct sw_buffer awake;    /* Rows. */
    struct sw_buffer asleep;
    uint64_t until, now_ns;
    uint32_t tries;
    bool has_failed; /* Some could not be read: perhaps they are elsewhere by now. */
    struct home *homes;
    size_t homes_count, count;
    struct asked asked[]; /* Ascending. */
};

/* --- Places ---------------------------------------------------------------------------------- */

static uint64_t place_of(const struct sw_item_list *list, struct sw_bytes key)
{
    uint64_t hash = sw_board_key(list->hash_key, key);

    return (uint64_t)sw_slot_of_hashed(list->hash_key, key, hash) << PLACE_BITS |
           sw_asleep_hash(hash);
}

static uint64_t slot_begin(uint32_t slot)
{
    return (uint64_t)slot << PLACE_BITS;
}

/* Behind the last one that the list can have. */
static uint64_t end_of(const struct sw_item_list *list)
{
    uint32_t slot;

    return list->has_hash_key && sw_slot_of_prefix(list->hash_key, list->prefix, &slot)
               ? slot_begin(slot + 1)
               : SW_FRAME_PLACES;
}

static int compare_keys(struct sw_bytes one, struct sw_bytes other)
{
    size_t size = one.size < other.size ? one.size : other.size;
    int order = size == 0 ? 0 : memcmp(one.data, other.data, size);

    return order != 0 ? order : (one.size > other.size) - (one.size < other.size);
}

static bool has_prefix(const struct sw_item_list *list, struct sw_bytes key)
{
    return key.size >= list->prefix.size &&
           (list->prefix.size == 0 || memcmp(key.data, list->prefix.data, list->prefix.size) == 0);
}

static bool wants(const struct sw_item_list *list, enum sw_frame_instance_state state)
{
    return (list->states >> (unsigned)state & 1u) != 0;
}

/* --- Candidates ------------------------------------------------------------------------------ */

static int compare_candidates(const void *one, const void *other)
{
    const struct candidate *a = one, *b = other;

    if (a->at != b->at)
        return a->at < b->at ? -1 : 1;
    if (a->instance == NULL || b->instance == NULL)
        return (a->instance != NULL) - (b->instance != NULL);
    return compare_keys(sw_instance_key(a->instance), sw_instance_key(b->instance));
}

/* Keep as many as the page has room for, and those whose place is that of the last one. */
static void page_cut(struct page *page)
{
    size_t cut = page->limit;

    if (page->count > 0)
        qsort(page->items, page->count, sizeof *page->items, compare_candidates);
    if (page->count <= cut)
        return;
    while (cut < page->count && page->items[cut].at == page->items[cut - 1].at)
        cut++;
    if (cut < page->count)
        page->until = page->items[cut - 1].at + 1;
    page->count = cut;
}

static void page_add(struct page *page, const struct candidate *candidate)
{
    struct candidate *grown;

    if (candidate->at < page->list->from || candidate->at >= page->until || page->failed)
        return;
    if (page->count == page->room && page->count > page->limit) {
        page_cut(page);
        if (candidate->at >= page->until)
            return;
    }
    if (page->count == page->room || (page->count > page->limit && page->count > page->room / 2)) {
        grown = realloc(page->items, (page->room * 2 + ROOM_MIN) * sizeof *grown);
        if (grown == NULL) {
            page->failed = true;
            return;
        }
        page->items = grown;
        page->room = page->room * 2 + ROOM_MIN;
    }
    page->items[page->count++] = *candidate;
}

/* --- Counts ---------------------------------------------------------------------------------- */

/* They are kept by slot, since another worker may end the page before what was counted here. */
static uint32_t *count_of(struct sw_item_list *list, uint64_t at,
                          enum sw_frame_instance_state state)
{
    uint32_t *counts = (uint32_t *)(void *)list->entries.data;

    return &counts[(at >> PLACE_BITS) * SW_FRAME_STATES + (unsigned)state];
}

static void make_counts(struct sw_item_list *list)
{
    uint8_t *room;
    size_t bytes = sizeof(uint32_t) * SW_SLOTS * SW_FRAME_STATES;

    if (!list->is_count || list->entries.size > 0)
        return;
    room = sw_buffer_reserve(&list->entries, bytes);
    if (room == NULL)
        return;
    memset(room, 0, bytes);
    list->entries.size = bytes;
}

/* --- Those that are awake -------------------------------------------------------------------- */

static enum sw_frame_instance_state state_of(const struct sw_instance *instance)
{
    if (instance->is_parked)
        return SW_FRAME_INSTANCE_PARKED;
    if (instance->is_counted_failing)
        return SW_FRAME_INSTANCE_FAILING;
    if (sw_actor_is_held(&instance->actor))
        return SW_FRAME_INSTANCE_HELD;
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

static bool is_of(const struct sw_pod *pod, const struct sw_item_list *list)
{
    return sw_bytes_is_equal(pod->config.name_space, list->name_space) &&
           sw_bytes_is_equal(pod->config.agent, list->agent);
}

static void add_awake(struct page *page, struct sw_item_list *list, struct sw_instance *instance)
{
    uint64_t first = slot_begin(sw_instance_slot(instance->id));
    struct candidate candidate = {.instance = instance, .pod = instance->pod};

    if (first >= page->until || first + (slot_begin(1) - 1) < list->from ||
        !is_of(instance->pod, list) || !wants(list, state_of(instance)) ||
        !has_prefix(list, sw_instance_key(instance)))
        return;
    candidate.at = place_of(list, sw_instance_key(instance));
    if (!list->is_count)
        page_add(page, &candidate);
    else if (candidate.at >= list->from && candidate.at < page->until)
        ++*count_of(list, candidate.at, state_of(instance));
}

/* All of a worker are looked through by their ids, which say their slots, unless those of the Agent
 * are few. */
static void scan_awake(struct sw_worker *worker, struct sw_item_list *list, struct page *page,
                       size_t awake)
{
    struct sw_map_entry pod, entry;
    size_t cursor = 0, inner;
    uint64_t id;
    void *value;

    if ((list->states & ~(1u << SW_FRAME_INSTANCE_ASLEEP)) == 0)
        return;
    if (awake > LOOKS_MAX && awake > sw_idmap_count(worker->instances) / 8) {
        while (sw_idmap_next(worker->instances, &cursor, &id, &value)) {
            uint64_t first = slot_begin(sw_instance_slot(id));

            if (first < page->until && first + slot_begin(1) > list->from)
                add_awake(page, list, value);
        }
        return;
    }
    while (sw_map_next(worker->pods, &cursor, &pod)) {
        inner = 0;
        while (is_of(pod.value, list) &&
               sw_map_next(((struct sw_pod *)pod.value)->instances, &inner, &entry))
            add_awake(page, list, entry.value);
    }
}

/* --- Those that sleep ------------------------------------------------------------------------ */

static void scan_slot(const struct sw_pod *pod, const struct sw_asleep *asleep,
                      struct sw_item_list *list, struct page *page)
{
    struct sw_asleep_entry entry;
    size_t cursor = 0;

    if (list->is_count && list->prefix.size == 0) {
        if (slot_begin(asleep->slot) >= list->from)
            *count_of(list, slot_begin(asleep->slot), SW_FRAME_INSTANCE_ASLEEP) +=
                (uint32_t)sw_asleep_count(asleep);
        return;
    }
    while (sw_asleep_next(asleep, &cursor, &entry))
        page_add(page, &(struct candidate){.at = slot_begin(asleep->slot) | entry.hash,
                                           .pod = pod,
                                           .block = entry.place});
}

static void scan_asleep(struct sw_worker *worker, struct sw_item_list *list, struct page *page)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    if (!wants(list, SW_FRAME_INSTANCE_ASLEEP))
        return;
    while (sw_map_next(worker->pods, &cursor, &entry)) {
        const struct sw_pod *pod = entry.value;

        if (!is_of(pod, list) || pod->asleep == NULL ||
            memcmp(pod->hash_key, list->hash_key, sizeof pod->hash_key) != 0)
            continue; /* It ends, and another Agent has its name. */
        for (uint32_t slot = (uint32_t)(list->from >> PLACE_BITS);
             slot < SW_SLOTS && slot_begin(slot) < page->until; slot++)
            if (pod->asleep[slot] != NULL)
                scan_slot(pod, pod->asleep[slot], list, page);
    }
}

/* --- A worker's page ------------------------------------------------------------------------- */

/* So many slots that about max of count are in them. */
static uint64_t slots_for(uint64_t count, uint64_t max)
{
    uint64_t slots = count <= max ? SW_SLOTS : SW_SLOTS * max / count;

    return slots == 0 ? 1 : slots;
}

/* How far to look, so that the worker is not held up: whole slots. */
static uint64_t window(const struct sw_worker *worker, const struct sw_item_list *list,
                       size_t *ret_awake)
{
    uint64_t awake = 0, asleep = 0, slots, other;
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (sw_map_next(worker->pods, &cursor, &entry)) {
        const struct sw_pod *pod = entry.value;

        if (!is_of(pod, list))
            continue;
        awake += sw_map_count(pod->instances);
        asleep += pod->asleep_count;
    }
    *ret_awake = awake;
    slots = slots_for(awake, LOOKS_MAX);
    if (wants(list, SW_FRAME_INSTANCE_ASLEEP) && !(list->is_count && list->prefix.size == 0)) {
        other = slots_for(asleep, list->is_count ? COUNTED_MAX : ENTRIES_MAX);
        slots = other < slots ? other : slots;
    }
    slots += list->from >> PLACE_BITS;
    return slots >= SW_SLOTS ? SW_FRAME_PLACES : slots << PLACE_BITS;
}

/* All Agents of that name have one, which orders the list. */
static void find_hash_key(const struct sw_worker *worker, struct sw_item_list *list)
{
    const struct sw_route *route = sw_routes_agent(worker->routes, list->name_space, list->agent);
    uint32_t slot;

    if (list->has_hash_key || route == NULL)
        return;
    memcpy(list->hash_key, route->hash_key, sizeof list->hash_key);
    list->has_hash_key = true;
    if (!sw_slot_of_prefix(list->hash_key, list->prefix, &slot))
        return;
    list->from = list->from > slot_begin(slot) ? list->from : slot_begin(slot);
    list->until = slot_begin(slot + 1);
}

static void collect(struct sw_worker *worker, struct sw_item_list *list, struct page *page)
{
    bool reads_all = list->prefix.size > 0 && wants(list, SW_FRAME_INSTANCE_ASLEEP);
    size_t awake;
    uint64_t end = window(worker, list, &awake);

    *page = (struct page){.list = list,
                          .until = end < list->until ? end : list->until,
                          .limit = list->is_count ? SIZE_MAX
                                   : reads_all    ? SW_FRAME_PAGE_MAX
                                                  : list->limit};
    scan_awake(worker, list, page, awake);
    scan_asleep(worker, list, page);
    page_cut(page);
}

/* --- Merging --------------------------------------------------------------------------------- */

struct rows { /* As they stand in a buffer. */
    struct sw_reader reader;
    struct sw_bytes bytes; /* The present one; size 0: none is left. */
    struct sw_bytes key;
    uint64_t at;
};

static void next_row(const struct sw_item_list *list, struct rows *rows)
{
    struct sw_frame_instance view;
    size_t begin = rows->reader.at;

    rows->bytes.size = 0;
    if (!sw_frame_instance_take(&rows->reader, &view))
        return;
    rows->bytes = (struct sw_bytes){rows->reader.data + begin, rows->reader.at - begin};
    rows->key = view.key;
    rows->at = place_of(list, view.key);
}

static struct rows rows_of(const struct sw_item_list *list, const struct sw_buffer *buffer)
{
    struct rows rows = {.reader = sw_reader_of(buffer->data, buffer->size)};

    next_row(list, &rows);
    return rows;
}

static bool is_before(const struct rows *one, const struct rows *other)
{
    if (one->bytes.size == 0 || other->bytes.size == 0)
        return one->bytes.size != 0;
    return one->at != other->at ? one->at < other->at : compare_keys(one->key, other->key) < 0;
}

/* Have the list hold these rows as well, as far as the page goes. */
static void merge(struct sw_item_list *list, const struct sw_buffer *more)
{
    struct rows had = rows_of(list, &list->entries), new = rows_of(list, more);
    struct sw_buffer out;
    uint64_t last = 0;
    uint32_t count = 0;

    sw_buffer_init(&out, list->entries.size_max);
    for (;;) {
        struct rows *first = is_before(&had, &new) ? &had : &new;

        if (first->bytes.size == 0 || first->at >= list->until)
            break;
        if (count >= list->limit && (first->at != last || count == SW_FRAME_ROWS_MAX)) {
            list->until = last + 1;
            break;
        }
        sw_buffer_put(&out, first->bytes.data, first->bytes.size);
        last = first->at;
        count++;
        next_row(list, first);
    }
    out.failed = out.failed || list->entries.failed || more->failed;
    sw_buffer_done(&list->entries);
    list->entries = out;
    list->count = count;
}

/* --- On to the next -------------------------------------------------------------------------- */

/* Of the slots that the page tells of. */
static void sum_up(struct sw_item_list *list)
{
    for (uint64_t slot = 0; slot < list->until >> PLACE_BITS && !list->entries.failed; slot++)
        for (uint32_t state = 0; state < SW_FRAME_STATES; state++)
            list->counts[state] += *count_of(list, slot << PLACE_BITS, state);
}

static void answer(struct sw_worker *worker, struct sw_item_list *list)
{
    struct sw_frame frame = {
        .kind = SW_FRAME_INSTANCES,
        .instances = {.request = list->request,
                      .code = list->entries.failed ? (uint32_t)-SW_E_EXHAUSTED : 0,
                      .next = list->until < end_of(list) ? list->until : 0}};

    if (list->is_count) {
        sum_up(list);
        frame.instances.counts = (struct sw_bytes){list->counts, sizeof list->counts};
    } else if (!list->entries.failed) {
        frame.instances.count = list->count;
        frame.instances.entries = (struct sw_bytes){list->entries.data, list->entries.size};
    }
    sw_output_frame(worker, &frame, list->epoch);
}

static void pass_on(struct sw_worker *worker, struct sw_item_list *list)
{
    if (sw_output_epoch_now(worker) > list->epoch)
        list->epoch = sw_output_epoch_now(worker);
    if (worker->options.index + 1 < worker->options.count) {
        sw_item_put(&worker->sent[worker->options.index + 1], &list->item);
        return;
    }
    answer(worker, list);
    sw_item_free(&list->item, &worker->engine);
}

/* --- Reading --------------------------------------------------------------------------------- */

void sw_list_reads_free(struct sw_list_reads *reads)
{
    if (reads == NULL)
        return;
    if (reads->list != NULL)
        sw_item_free(&reads->list->item, NULL);
    free(reads->homes);
    sw_buffer_done(&reads->awake);
    sw_buffer_done(&reads->asleep);
    free(reads);
}

/* What a row shows of one that sleeps. False: nobody can tell. */
static bool read_row(struct sw_shared *shared, struct sw_item_read *item, const struct asked *asked,
                     struct sw_frame_instance *ret_view)
{
    const struct home *home = &item->list->homes[asked->home];
    struct sw_snapshot_instance *saved = &item->saved;
    const struct sw_spec *spec;
    struct sw_actor actor = {0};

    if (sw_shelf_read(shared->shelf, asked->block, false, &item->block, saved, NULL) != SW_OK ||
        place_of(item->list->list, saved->key) != asked->at ||
        sw_actor_load(&actor, saved->actor, NULL) != SW_OK)
        return false;
    spec = sw_specs_find(&shared->specs, saved->spec);
    *ret_view = (struct sw_frame_instance){.key = saved->key,
                                           .pod = {home->uid, home->uid_size},
                                           .digest = spec == NULL ? (struct sw_bytes){NULL, 0}
                                                                  : spec->digest,
                                           .state = SW_FRAME_INSTANCE_ASLEEP,
                                           .segments = actor.segments,
                                           .failures = actor.failures,
                                           .disk_bytes = item->block.size,
                                           .last_ns = actor.last_ns,
                                           .pages = saved->pages};
    if (home->is_metered)
        sw_meter_fill_row(item->list->now_ns, &saved->used, ret_view);
    sw_actor_done(&actor);
    return true;
}

void sw_list_read(struct sw_shared *shared, struct sw_item_read *item)
{
    struct sw_list_reads *reads = item->list;
    struct sw_item_list *list = reads->list;
    struct sw_frame_instance view;
    uint32_t count = 0;

    for (size_t i = 0; i < reads->count; i++) {
        if (!read_row(shared, item, &reads->asked[i], &view)) {
            reads->has_failed = true;
            continue;
        }
        if (!has_prefix(list, view.key))
            continue;
        if (list->is_count) {
            ++*count_of(list, reads->asked[i].at, SW_FRAME_INSTANCE_ASLEEP);
            continue;
        }
        sw_frame_instance_put(&view, &reads->asleep);
        if (++count == list->limit) { /* Of the rest nobody is to hear yet. */
            reads->until =
                reads->until < reads->asked[i].at + 1 ? reads->until : reads->asked[i].at + 1;
            return;
        }
    }
}

/* Which of the Pods it is; SIZE_MAX: no memory. */
static size_t home_of(struct sw_list_reads *reads, const struct sw_pod *pod)
{
    size_t at = reads->homes_count;
    struct home *grown;

    while (at > 0)
        if (reads->homes[--at].pod == pod)
            return at;
    grown = realloc(reads->homes, (reads->homes_count + 1) * sizeof *grown);
    if (grown == NULL)
        return SIZE_MAX;
    reads->homes = grown;
    grown += reads->homes_count;
    *grown = (struct home){
        .pod = pod, .is_metered = pod->config.is_durable, .uid_size = pod->config.uid.size};
    assert(grown->uid_size <= sizeof grown->uid);
    memcpy(grown->uid, pod->config.uid.data, grown->uid_size);
    return reads->homes_count++;
}

/* NULL: no memory. The rows of those who are awake are in it already. */
static struct sw_list_reads *reads_of(struct sw_worker *worker, struct sw_item_list *list,
                                      const struct page *page)
{
    struct sw_list_reads *reads = calloc(1, sizeof *reads + page->count * sizeof(struct asked));

    if (reads == NULL)
        return NULL;
    reads->until = page->until;
    reads->now_ns = worker->now_ns;
    sw_buffer_init(&reads->awake, list->entries.size_max);
    sw_buffer_init(&reads->asleep, list->entries.size_max);
    for (size_t i = 0; i < page->count; i++) {
        const struct candidate *candidate = &page->items[i];
        struct asked *asked = &reads->asked[reads->count];

        if (candidate->instance != NULL) {
            struct sw_frame_instance view = view_of(worker, candidate->instance);

            sw_frame_instance_put(&view, &reads->awake);
            continue;
        }
        *asked = (struct asked){candidate->at, candidate->block, home_of(reads, candidate->pod)};
        if (asked->home == SIZE_MAX) {
            sw_list_reads_free(reads);
            return NULL;
        }
        reads->count++;
    }
    return reads;
}

/* All that this worker has to tell is there. */
static void finish(struct sw_worker *worker, struct sw_list_reads *reads)
{
    struct sw_item_list *list = reads->list;

    reads->list = NULL;
    if (reads->until < list->until)
        list->until = reads->until;
    if (!list->is_count) {
        merge(list, &reads->awake);
        merge(list, &reads->asleep);
    }
    sw_list_reads_free(reads);
    pass_on(worker, list);
}

static void give_up(struct sw_worker *worker, struct sw_item_list *list)
{
    list->entries.failed = true;
    pass_on(worker, list);
}

static void look(struct sw_worker *worker, struct sw_item_list *list, uint32_t tries)
{
    struct sw_item_read *item = NULL;
    struct sw_list_reads *reads;
    struct page page;

    collect(worker, list, &page);
    reads = page.failed ? NULL : reads_of(worker, list, &page);
    free(page.items);
    if (reads == NULL) {
        give_up(worker, list);
        return;
    }
    reads->list = list;
    reads->tries = tries;
    if (reads->count == 0) {
        finish(worker, reads);
        return;
    }
    item = sw_item_read_new(worker->options.index, 0);
    if (item == NULL) {
        reads->list = NULL;
        sw_list_reads_free(reads);
        give_up(worker, list);
        return;
    }
    item->list = reads;
    sw_item_put(&worker->rest.reads, &item->item);
}

void sw_list_loaded(struct sw_worker *worker, struct sw_item_read *item)
{
    struct sw_list_reads *reads = item->list;
    struct sw_item_list *list = reads->list;
    uint32_t tries;

    item->list = NULL;
    if (!reads->has_failed || reads->tries + 1 >= TRIES_MAX || list->is_count) {
        finish(worker, reads);
        return;
    }
    tries = reads->tries + 1;
    reads->list = NULL;
    sw_list_reads_free(reads);
    look(worker, list, tries);
}

void sw_list_deliver(struct sw_worker *worker, struct sw_item_list *list)
{
    find_hash_key(worker, list);
    make_counts(list);
    if (list->entries.failed || !list->has_hash_key || list->from >= list->until) {
        pass_on(worker, list);
        return;
    }
    look(worker, list, 0);
}
