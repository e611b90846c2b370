#include "pkg/broker/model/room.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define KIB 1024u

struct model_share {
    uint64_t bytes;
    uint32_t calls;
    uint32_t name_size;
    char name[];
};

static struct sw_bytes name_of(const void *value)
{
    const struct model_share *share = value;

    return (struct sw_bytes){share->name, share->name_size};
}

enum sw_rc sw_model_room_init(struct model_room *room, uint64_t seed, uint32_t calls_max,
                              uint64_t bytes_max)
{
    *room = (struct model_room){.calls_max = calls_max, .bytes_max = bytes_max};
    room->shares = sw_map_new_of(seed, name_of);
    return room->shares == NULL ? SW_E_EXHAUSTED : SW_OK;
}

void sw_model_room_done(struct model_room *room)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (room->shares != NULL && sw_map_next(room->shares, &cursor, &entry))
        free(entry.value);
    sw_map_free(room->shares);
    room->shares = NULL;
}

static enum sw_rc check_bytes(const struct model_room *room, const struct model_share *share,
                              uint64_t bytes, uint64_t all_max, struct sw_err *err)
{
    uint64_t space_max = all_max / 5 * 4, own = share == NULL ? 0 : share->bytes;
    bool fits = bytes <= all_max && room->bytes <= all_max - bytes;

    if (fits && bytes <= space_max && own <= space_max - bytes)
        return SW_OK;
    (void)sw_err_set(err, SW_E_EXHAUSTED,
                     "calls of models of this %s hold %" PRIu64 " KiB of %" PRIu64
                     ", and this one needs %" PRIu64 " more",
                     fits ? "namespace" : "node", (fits ? own : room->bytes) / KIB,
                     (fits ? space_max : all_max) / KIB, bytes / KIB + 1);
    sw_err_hint(err, "call again later, ask less at once, or have models.requests-size raised");
    return SW_E_EXHAUSTED;
}

static uint64_t requests_max(const struct model_room *room)
{
    return room->bytes_max / 4 * 3;
}

static enum sw_rc check_calls(const struct model_room *room, const struct model_share *share,
                              struct sw_err *err)
{
    uint32_t space_max = room->calls_max - room->calls_max / 5;

    if (room->calls >= room->calls_max)
        (void)sw_err_set(err, SW_E_EXHAUSTED, "%u calls of models are under way on this node",
                         room->calls_max);
    else if (share != NULL && share->calls >= space_max)
        (void)sw_err_set(err, SW_E_EXHAUSTED, "%u calls of models are under way in this namespace",
                         space_max);
    else
        return SW_OK;
    sw_err_hint(err, "call again later, ask less at once, or have models.requests raised");
    return SW_E_EXHAUSTED;
}

/* NULL: no memory. */
static struct model_share *share_new(struct model_room *room, const char *name, size_t size)
{
    struct model_share *share = calloc(1, sizeof *share + size);

    if (share == NULL)
        return NULL;
    share->name_size = (uint32_t)size;
    memcpy(share->name, name, size);
    if (sw_map_put(room->shares, share->name, size, share, NULL) == SW_OK)
        return share;
    free(share);
    return NULL;
}

enum sw_rc sw_model_room_enter(struct model_room *room, const char *name_space, uint64_t bytes,
                               struct model_share **ret_share, struct sw_err *err)
{
    size_t size = strlen(name_space);
    struct model_share *share = sw_map_find(room->shares, name_space, size);
    enum sw_rc rc = check_calls(room, share, err);

    if (rc == SW_OK)
        rc = check_bytes(room, share, bytes, requests_max(room), err);
    if (rc != SW_OK)
        return rc;
    if (share == NULL)
        share = share_new(room, name_space, size);
    if (share == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a call");
    share->calls++;
    share->bytes += bytes;
    room->calls++;
    room->bytes += bytes;
    *ret_share = share;
    return SW_OK;
}

enum sw_rc sw_model_room_grow(struct model_room *room, struct model_share *share, uint64_t bytes,
                              bool is_answer, struct sw_err *err)
{
    enum sw_rc rc =
        check_bytes(room, share, bytes, is_answer ? room->bytes_max : requests_max(room), err);

    if (rc != SW_OK)
        return rc;
    share->bytes += bytes;
    room->bytes += bytes;
    return SW_OK;
}

void sw_model_room_shrink(struct model_room *room, struct model_share *share, uint64_t bytes)
{
    share->bytes -= bytes;
    room->bytes -= bytes;
}

void sw_model_room_leave(struct model_room *room, struct model_share *share, uint64_t bytes)
{
    sw_model_room_shrink(room, share, bytes);
    room->calls--;
    if (--share->calls > 0)
        return;
    (void)sw_map_remove(room->shares, share->name, share->name_size);
    free(share);
}
