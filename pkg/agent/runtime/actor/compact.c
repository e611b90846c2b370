#include "pkg/agent/runtime/actor/compact.h"

#include "pkg/agent/runtime/actor/capture.h"

static bool is_sparse(const struct sw_worker *worker, uint64_t place)
{
    uint32_t number = sw_shelf_number_of(place);

    for (uint32_t i = 0; i < worker->rest.sparse_count; i++)
        if (worker->rest.sparse[i] == number)
            return true;
    return false;
}

void sw_compact_begin(struct sw_worker *worker)
{
    if (worker->rest.sparse_count > 0 || worker->shared->shelf == NULL)
        return;
    worker->rest.sparse_count = sw_shelf_sparse(worker->shared->shelf, worker->rest.sparse);
    worker->rest.sparse_tables = 0;
    SW_LIST_EACH(&worker->rest.asleep, node)
    worker->rest.sparse_tables++;
}

/* It lies at the end of the newest shelf from now on. False: there is no room now. */
static bool move(struct sw_worker *worker, const struct sw_pod *pod, struct sw_asleep *asleep,
                 const struct sw_asleep_entry *entry, const struct sw_snapshot_instance *saved)
{
    struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_INSTANCE, .instance = *saved};
    struct sw_shelf *shelf = worker->shared->shelf;
    uint64_t place;

    sw_buffer_reset(&worker->block);
    sw_snapshot_block_put(&block, &worker->block);
    if (worker->block.failed ||
        sw_shelf_put(shelf, (struct sw_bytes){worker->block.data, worker->block.size}, &place) !=
            SW_OK)
        return false;
    sw_capture_asleep_first(worker, pod, asleep);
    sw_asleep_move(asleep, entry->hash, place);
    sw_shelf_drop(shelf, entry->place);
    worker->counts.moved++;
    return true;
}

/* Whether the table is through for this time. */
static bool compact(struct sw_worker *worker, struct sw_asleep *asleep)
{
    const struct sw_pod *pod = sw_map_find(worker->pods, &asleep->pod, sizeof asleep->pod);
    struct sw_snapshot_instance saved;
    struct sw_asleep_entry entry;
    size_t cursor = 0;

    while (sw_asleep_next(asleep, &cursor, &entry)) {
        enum sw_rc rc;

        if (!is_sparse(worker, entry.place) ||
            sw_idmap_find(worker->rest.loadings, entry.place) != NULL)
            continue;
        rc = sw_shelf_read(worker->shared->shelf, entry.place, true, &worker->rest.block, &saved,
                           NULL);
        if (rc == SW_OK && !move(worker, pod, asleep, &entry, &saved))
            return false;
        if (rc == SW_E_UNAVAILABLE && worker->rest.compacting < SW_COMPACT_READS_MAX) {
            struct sw_item_read *item = sw_item_read_new(worker->options.index, entry.place);

            if (item == NULL)
                return false;
            item->pod = asleep->pod;
            item->slot = asleep->slot;
            item->hash = entry.hash;
            item->is_move = true;
            worker->rest.compacting++;
            sw_item_put(&worker->rest.reads, &item->item);
        }
    }
    return true;
}

void sw_compact_step(struct sw_worker *worker)
{
    struct sw_list *node = sw_list_first(&worker->rest.asleep);
    struct sw_asleep *asleep;

    if (worker->rest.sparse_count == 0 || worker->rest.compacting >= SW_COMPACT_READS_MAX)
        return;
    if (node == NULL || worker->rest.sparse_tables == 0) {
        worker->rest.sparse_count = 0;
        return;
    }
    asleep = SW_LIST_ITEM(node, struct sw_asleep, capture);
    if (!compact(worker, asleep))
        return;
    sw_list_remove(node);
    sw_list_add(&worker->rest.asleep, node);
    worker->rest.sparse_tables--;
}

void sw_compact_loaded(struct sw_worker *worker, const struct sw_item_read *item)
{
    const struct sw_pod *pod = sw_map_find(worker->pods, &item->pod, sizeof item->pod);
    struct sw_asleep *asleep = pod == NULL || pod->asleep == NULL ? NULL : pod->asleep[item->slot];
    struct sw_asleep_entry entry;

    worker->rest.compacting--;
    if (item->rc == SW_OK && asleep != NULL && sw_asleep_find(asleep, item->hash, &entry) &&
        entry.place == item->place && sw_idmap_find(worker->rest.loadings, entry.place) == NULL)
        (void)move(worker, pod, asleep, &entry, &item->saved);
}
