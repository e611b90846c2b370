#include "pkg/agent/runtime/actor/requests.h"

#include "pkg/agent/store/effect.h"
#include "pkg/utils/base/hash.h"

#include <stdlib.h>
#include <string.h>

#define ID_BYTES_MAX 1024u
#define NS_PER_S 1000000000u
#define CACHE_LINE_BYTES 64u
#define PREFETCH_BYTES 384u /* Some twenty of them. */

struct request {
    uint64_t time_ns, handle, value;
    int32_t status;
    uint32_t id_size, type_size, body_size;
    char bytes[]; /* Name, type, body. */
};

struct item { /* What is looked at each time stands beside the pointer, so that it is one block. */
    uint32_t hash, time_s;
    struct request *request;
};

struct sw_requests {
    uint32_t count, capacity;
    uint64_t bytes;      /* Of all requests. */
    struct item items[]; /* Their requests are owned; the oldest is the first. */
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

static bool is_old(const struct item *item, uint64_t now_ns)
{
    const struct request *request = item->request;

    if ((uint32_t)(now_ns / NS_PER_S) - item->time_s < SW_REQUESTS_KEPT_NS / NS_PER_S)
        return false; /* Most are not, and are not looked at. */
    return now_ns > request->time_ns && now_ns - request->time_ns > SW_REQUESTS_KEPT_NS;
}

/* Forget what is too old, and the oldest of too many or too large ones; the newest stays. */
static void forget(struct sw_requests *requests, uint64_t now_ns)
{
    while (requests->count > 1 &&
           (requests->count > SW_REQUESTS_MAX || requests->bytes > SW_REQUESTS_BYTES_MAX ||
            is_old(&requests->items[0], now_ns)))
        remove_at(requests, 0);
}

void sw_requests_prefetch(const struct sw_requests *requests)
{
    for (size_t at = 0; at < PREFETCH_BYTES; at += CACHE_LINE_BYTES)
        __builtin_prefetch((const char *)requests + at);
}

bool sw_requests_find(const struct sw_requests *requests, struct sw_bytes id, uint64_t now_ns,
                      struct sw_request_view *ret_view)
{
    uint32_t i = requests == NULL ? 0 : find(requests, id);
    const struct request *request;

    if (requests == NULL || i == requests->count || is_old(&requests->items[i], now_ns))
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
static enum sw_rc grow(struct sw_requests **requests)
{
    struct sw_requests *old = *requests, *grown;
    uint32_t wanted = old == NULL ? 2 : old->capacity * 2;

    if (old != NULL && old->count < old->capacity)
        return SW_OK;
    grown = realloc(old, sizeof *grown + wanted * sizeof grown->items[0]);
    if (grown == NULL)
        return SW_E_EXHAUSTED;
    if (old == NULL)
        *grown = (struct sw_requests){0};
    grown->capacity = wanted;
    *requests = grown;
    return SW_OK;
}

/* As the newest one. */
static enum sw_rc append(struct sw_requests **requests, struct sw_bytes id, uint64_t time_ns,
                         const struct sw_request_view *view)
{
    struct request *request = request_new(id, time_ns, view);
    struct sw_requests *all;

    if (request == NULL || grow(requests) != SW_OK) {
        free(request);
        return SW_E_EXHAUSTED;
    }
    all = *requests;
    all->items[all->count++] = (struct item){hash_of(id), (uint32_t)(time_ns / NS_PER_S), request};
    all->bytes += bytes_of(request);
    return SW_OK;
}

enum sw_rc sw_requests_add(struct sw_requests **requests, struct sw_bytes id, uint64_t time_ns,
                           const struct sw_request_view *view)
{
    uint32_t count = *requests == NULL ? 0 : (*requests)->count;
    uint32_t before = count == 0 ? 0 : find(*requests, id);
    enum sw_rc rc = append(requests, id, time_ns, view);

    if (rc != SW_OK)
        return rc;
    if (before < count)
        remove_at(*requests, before);
    forget(*requests, time_ns);
    return SW_OK;
}

enum sw_rc sw_requests_answer(struct sw_requests *requests, const struct sw_request_view *answer)
{
    uint32_t i = requests == NULL ? 0 : requests->count;
    struct request *old, *grown;
    struct sw_request_view view = *answer;

    /* Most have their answer at once. */
    while (i > 0 && requests->items[i - 1].request->handle != answer->handle)
        i--;
    if (i-- == 0)
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
                                            : append(ret_requests, id, time_ns, &view);
        if (rc == SW_OK)
            forget(*ret_requests, time_ns);
    }
    return reader->failed ? SW_E_CORRUPT : rc;
}
