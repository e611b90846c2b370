#include "pkg/agent/runtime/actor/requests.h"

#include "pkg/agent/store/effect.h"
#include "pkg/utils/base/hash.h"

#include <stdlib.h>
#include <string.h>

#define ID_BYTES_MAX 1024u

struct request {
    uint64_t time_ns, handle, value;
    int32_t status;
    uint32_t id_size, type_size, body_size;
    char bytes[]; /* Name, type, body. */
};

struct item { /* The hash stands beside the pointer, so that a search touches one block. */
    uint32_t hash;
    struct request *request;
};

struct sw_requests {
    uint32_t count, capacity;
    uint64_t bytes;     /* Of all requests. */
    struct item *items; /* Owned, the oldest first. */
};

/* Only to be told apart quickly: names are compared in the end. */
static uint32_t hash_of(struct sw_bytes id)
{
    return sw_crc32c(0, id.data, id.size);
}

static uint64_t bytes_of(const struct request *request)
{
    return sizeof *request + request->id_size + request->type_size + request->body_size;
}

static struct request *request_new(struct sw_bytes id, uint64_t time_ns,
                                   const struct sw_request_view *view)
{
    struct request *request = malloc(sizeof *request + id.size + view->type.size + view->body.size);
    char *bytes;

    if (request == NULL)
        return NULL;
    *request = (struct request){.time_ns = time_ns,
                                .handle = view->handle,
                                .value = view->value,
                                .status = view->status,
                                .id_size = (uint32_t)id.size,
                                .type_size = (uint32_t)view->type.size,
                                .body_size = (uint32_t)view->body.size};
    bytes = request->bytes;
    memcpy(bytes, id.data, id.size);
    if (view->type.size > 0)
        memcpy(bytes + id.size, view->type.data, view->type.size);
    if (view->body.size > 0)
        memcpy(bytes + id.size + view->type.size, view->body.data, view->body.size);
    return request;
}

void sw_requests_free(struct sw_requests *requests)
{
    if (requests == NULL)
        return;
    for (uint32_t i = 0; i < requests->count; i++)
        free(requests->items[i].request);
    free(requests->items);
    free(requests);
}

/* Where the request of this name stands; count: nowhere. The newest are asked for most. */
static uint32_t find(const struct sw_requests *requests, struct sw_bytes id)
{
    uint32_t hash = hash_of(id);

    for (uint32_t i = requests->count; i-- > 0;) {
        const struct request *request = requests->items[i].request;

        if (requests->items[i].hash == hash && request->id_size == id.size &&
            memcmp(request->bytes, id.data, id.size) == 0)
            return i;
    }
    return requests->count;
}

static void remove_at(struct sw_requests *requests, uint32_t i)
{
    struct request *request = requests->items[i].request;

    requests->bytes -= bytes_of(request);
    requests->count--;
    memmove(requests->items + i, requests->items + i + 1,
            (requests->count - i) * sizeof *requests->items);
    free(request);
}

static bool is_old(const struct request *request, uint64_t now_ns)
{
    return now_ns > request->time_ns && now_ns - request->time_ns > SW_REQUESTS_KEPT_NS;
}

/* Forget what is too old, and the oldest of too many or too large ones; the newest stays. */
static void forget(struct sw_requests *requests, uint64_t now_ns)
{
    while (requests->count > 1 &&
           (requests->count > SW_REQUESTS_MAX || requests->bytes > SW_REQUESTS_BYTES_MAX ||
            is_old(requests->items[0].request, now_ns)))
        remove_at(requests, 0);
}

bool sw_requests_find(const struct sw_requests *requests, struct sw_bytes id, uint64_t now_ns,
                      struct sw_request_view *ret_view)
{
    uint32_t i = requests == NULL ? 0 : find(requests, id);
    const struct request *request;

    if (requests == NULL || i == requests->count || is_old(requests->items[i].request, now_ns))
        return false;
    request = requests->items[i].request;
    *ret_view = (struct sw_request_view){
        .handle = request->handle,
        .value = request->value,
        .status = request->status,
        .type = {request->bytes + request->id_size, request->type_size},
        .body = {request->bytes + request->id_size + request->type_size, request->body_size}};
    return true;
}

uint64_t sw_requests_end_ns(const struct sw_requests *requests)
{
    return requests == NULL || requests->count == 0
               ? 0
               : requests->items[requests->count - 1].request->time_ns + SW_REQUESTS_KEPT_NS + 1;
}

/* Room for one more. */
static enum sw_rc grow(struct sw_requests *requests)
{
    uint32_t wanted = requests->capacity == 0 ? 2 : requests->capacity * 2;
    struct item *grown;

    if (requests->count < requests->capacity)
        return SW_OK;
    grown = realloc(requests->items, wanted * sizeof *grown);
    if (grown == NULL)
        return SW_E_EXHAUSTED;
    requests->items = grown;
    requests->capacity = wanted;
    return SW_OK;
}

enum sw_rc sw_requests_add(struct sw_requests **requests, struct sw_bytes id, uint64_t time_ns,
                           const struct sw_request_view *view)
{
    struct request *request = request_new(id, time_ns, view);
    struct sw_requests *all = *requests;
    uint32_t before;

    if (request != NULL && all == NULL)
        all = *requests = calloc(1, sizeof *all);
    if (request == NULL || all == NULL || grow(all) != SW_OK) {
        free(request);
        return SW_E_EXHAUSTED;
    }
    before = find(all, id);
    if (before < all->count)
        remove_at(all, before);
    all->items[all->count++] = (struct item){hash_of(id), request};
    all->bytes += bytes_of(request);
    forget(all, time_ns);
    return SW_OK;
}

enum sw_rc sw_requests_answer(struct sw_requests *requests, const struct sw_request_view *answer)
{
    uint32_t i = 0;
    struct request *old, *grown;
    struct sw_request_view view = *answer;

    if (requests == NULL)
        return SW_OK;
    while (i < requests->count && requests->items[i].request->handle != answer->handle)
        i++;
    if (i == requests->count)
        return SW_OK;
    old = requests->items[i].request;
    view.handle = 0;
    grown = request_new((struct sw_bytes){old->bytes, old->id_size}, old->time_ns, &view);
    if (grown == NULL)
        return SW_E_EXHAUSTED;
    requests->bytes += bytes_of(grown) - bytes_of(old);
    requests->items[i].request = grown;
    free(old);
    forget(requests, 0); /* Results come long after their names: these count, too. */
    return SW_OK;
}

void sw_requests_save(const struct sw_requests *requests, struct sw_buffer *out)
{
    uint32_t count = requests == NULL ? 0 : requests->count;

    sw_buffer_put_u32(out, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct request *request = requests->items[i].request;
        const char *bytes = request->bytes;

        sw_buffer_put_u64(out, request->time_ns);
        sw_buffer_put_u64(out, request->handle);
        sw_buffer_put_u64(out, request->value);
        sw_buffer_put_u32(out, (uint32_t)request->status);
        sw_buffer_put_bytes(out, (struct sw_bytes){bytes, request->id_size});
        sw_buffer_put_bytes(out, (struct sw_bytes){bytes + request->id_size, request->type_size});
        sw_buffer_put_bytes(out, (struct sw_bytes){bytes + request->id_size + request->type_size,
                                                   request->body_size});
    }
}

enum sw_rc sw_requests_load(struct sw_requests **ret_requests, struct sw_reader *reader)
{
    uint32_t count = sw_reader_u32(reader);
    enum sw_rc rc = count > SW_REQUESTS_MAX ? SW_E_CORRUPT : SW_OK;

    for (uint32_t i = 0; rc == SW_OK && i < count; i++) {
        struct sw_request_view view = {0};
        uint64_t time_ns = sw_reader_u64(reader);
        struct sw_bytes id;

        view.handle = sw_reader_u64(reader);
        view.value = sw_reader_u64(reader);
        view.status = (int32_t)sw_reader_u32(reader);
        id = sw_reader_bytes(reader, ID_BYTES_MAX);
        view.type = sw_reader_bytes(reader, SW_EFFECT_TEXT_MAX);
        view.body = sw_reader_bytes(reader, SW_EFFECT_BODY_MAX);
        rc = reader->failed || id.size == 0 ? SW_E_CORRUPT
                                            : sw_requests_add(ret_requests, id, time_ns, &view);
    }
    return reader->failed ? SW_E_CORRUPT : rc;
}
