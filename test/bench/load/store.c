/* `put`, `get` and `list`: AgentTemplates, the kind that no controller follows, of one size. */
#include "test/bench/load/load.h"

#include "pkg/apis/swarm/v1/protobuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_OBJECTS 5000u
#define NAME_MAX_BYTES 64

struct storing {
    struct load *load;
    struct sw_arena *arena; /* For one object at a time. */
    struct sw_buffer object;
    char *pad;                        /* Many 'x'. */
    size_t pad_sizes[NAME_MAX_BYTES]; /* By the length of the name. */
    const char *mark;                 /* "warm" and "put" are different objects, */
    size_t each;                      /* each numbered from 0, so many by each worker. */
};

static void name_of(const struct storing *storing, size_t worker, size_t n,
                    char ret_name[NAME_MAX_BYTES])
{
    (void)snprintf(ret_name, NAME_MAX_BYTES, "%s-%zu", storing->mark, worker * storing->each + n);
}

static void encode(struct storing *storing, const char *name, size_t pad_size)
{
    struct sw_api_pair note = {.key = "pad", .value = storing->pad};
    struct sw_api_agent_template *object;

    sw_arena_reset(storing->arena);
    sw_buffer_reset(&storing->object);
    object = sw_object_new(sw_kind_find("AgentTemplate"), storing->arena);
    object->metadata.name = name;
    object->metadata.namespace = storing->load->options.space;
    object->metadata.annotations = &note;
    object->metadata.annotations_count = 1;
    object->spec.agent.runtime = SW_API_RUNTIME_WASM;
    storing->pad[pad_size] = '\0';
    sw_protobuf_encode(&sw_api_agent_template_message, object, &storing->object);
    storing->pad[pad_size] = 'x';
}

/* How long the note must be so that an object of this name has exactly the wanted size; 0: none. */
static size_t pad_size_of(struct storing *storing, const char *name)
{
    size_t wanted = storing->load->options.size, length = strlen(name);
    size_t *known = &storing->pad_sizes[length];

    if (*known != 0)
        return *known;
    encode(storing, name, wanted / 2); /* About as long, so that sizes take as many bytes. */
    *known = wanted / 2 + wanted - storing->object.size;
    encode(storing, name, *known);
    if (storing->object.size != wanted)
        load_fail(storing->load, SW_E_INVALID, "objects of this size cannot be made");
    return *known;
}

static void put_object(struct storing *storing, const char *name)
{
    encode(storing, name, pad_size_of(storing, name));
}

static void ask_put(void *ctx, size_t worker, size_t n, struct sw_buffer *out)
{
    struct storing *storing = ctx;
    struct sw_api_write_request request = {0};
    char name[NAME_MAX_BYTES];

    name_of(storing, worker, n, name);
    put_object(storing, name);
    request.object = (struct sw_bytes){storing->object.data, storing->object.size};
    sw_protobuf_encode(&sw_api_write_request_message, &request, out);
}

/* Whether an object is the one that was written, with its note whole. */
static void check_object(struct storing *storing, struct sw_bytes bytes, const char *name)
{
    size_t pad_size = pad_size_of(storing, name);
    const struct sw_api_object_meta *meta;
    void *object;

    sw_arena_reset(storing->arena);
    if (sw_object_decode(sw_kind_find("AgentTemplate"), bytes, storing->arena, &object, NULL) !=
        SW_OK) {
        load_fail(storing->load, SW_E_CORRUPT, "an object cannot be read");
        return;
    }
    meta = sw_object_meta_of(object);
    if (strcmp(meta->name, name) != 0 || meta->resource_version == 0)
        load_fail(storing->load, SW_E_CORRUPT, "another object was answered");
    else if (meta->annotations_count != 1 || strlen(meta->annotations[0].value) != pad_size ||
             memcmp(meta->annotations[0].value, storing->pad, pad_size) != 0)
        load_fail(storing->load, SW_E_CORRUPT, "an object has changed");
}

static void check_one(void *ctx, size_t worker, size_t n, struct sw_bytes answer)
{
    char name[NAME_MAX_BYTES];

    name_of(ctx, worker, n, name);
    check_object(ctx, answer, name);
}

static void ask_get(void *ctx, size_t worker, size_t n, struct sw_buffer *out)
{
    struct storing *storing = ctx;
    struct sw_api_get_request request = {.namespace = storing->load->options.space};
    char name[NAME_MAX_BYTES];

    name_of(storing, worker, n, name);
    request.name = name;
    sw_protobuf_encode(&sw_api_get_request_message, &request, out);
}

/* --- Lists: pages, one after another ---------------------------------------------------------- */

struct listing {
    struct storing *storing;
    struct load_reply reply;
    struct sw_arena *arena; /* For one page. */
    size_t wanted, found, left;
    uint64_t begun_ns;
    bool *seen; /* By number, when every object is looked at; otherwise NULL. */
};

static void list_page(struct listing *listing, const char *token)
{
    struct load *load = listing->storing->load;
    struct sw_api_list_request request = {
        .namespace = load->options.space, .limit = PAGE_OBJECTS, .continue_ = token};
    struct sw_buffer message;

    sw_buffer_init(&message, LOAD_MESSAGE_MAX);
    sw_protobuf_encode(&sw_api_list_request_message, &request, &message);
    load_call(load, "/swarm.v1.AgentTemplates/List", (struct sw_bytes){message.data, message.size},
              &listing->reply);
    sw_buffer_done(&message);
}

/* Tick off an object by its name, and look at all of it. */
static void look_at(struct listing *listing, struct sw_bytes item)
{
    struct storing *storing = listing->storing;
    size_t number;
    char name[NAME_MAX_BYTES];
    void *object;

    sw_arena_reset(storing->arena);
    if (sw_object_decode(sw_kind_find("AgentTemplate"), item, storing->arena, &object, NULL) !=
        SW_OK) {
        load_fail(storing->load, SW_E_CORRUPT, "an object cannot be read");
        return;
    }
    (void)snprintf(name, sizeof name, "%s", sw_object_meta_of(object)->name);
    if (sscanf(name, "put-%zu", &number) != 1)
        return; /* Of the warm-up. */
    if (number >= listing->wanted || listing->seen[number]) {
        load_fail(storing->load, SW_E_CORRUPT, "a list has what was not written, or has it twice");
        return;
    }
    listing->seen[number] = true;
    listing->found++;
    check_object(storing, item, name);
}

static void on_page(void *ctx, struct sw_bytes answer)
{
    struct listing *listing = ctx;
    struct load *load = listing->storing->load;
    struct sw_api_object_list list;

    sw_arena_reset(listing->arena);
    if (sw_protobuf_decode(&sw_api_object_list_message, answer, listing->arena, &list, NULL) !=
        SW_OK) {
        load_fail(load, SW_E_CORRUPT, "a list cannot be read");
        return;
    }
    for (size_t i = 0; listing->seen != NULL && i < list.items_count; i++)
        look_at(listing, list.items[i]);
    if (listing->seen == NULL)
        listing->found += list.items_count;
    if (list.metadata.continue_[0] != '\0') {
        list_page(listing, list.metadata.continue_);
        return;
    }
    if (listing->found != listing->wanted) {
        load_fail(load, SW_E_CORRUPT, "a list does not have all that was written");
        return;
    }
    listing->found = 0;
    listing->left--;
    if (listing->seen == NULL)
        load_note(load, load_now_ns(load) - listing->begun_ns);
    listing->begun_ns = load_now_ns(load);
    if (listing->left > 0)
        list_page(listing, "");
    else
        sw_loop_stop(load->loop);
}

static bool list_all(struct listing *listing)
{
    struct load *load = listing->storing->load;

    listing->reply = (struct load_reply){load, on_page, listing};
    listing->arena = sw_arena_new(LOAD_MESSAGE_MAX);
    listing->begun_ns = load_now_ns(load);
    if (listing->arena == NULL)
        load_fail(load, SW_E_EXHAUSTED, "no memory for a list");
    else
        list_page(listing, "");
    if (load->failure.rc == SW_OK)
        sw_loop_run(load->loop);
    sw_arena_free(listing->arena);
    return load->failure.rc == SW_OK;
}

/* --- The workloads --------------------------------------------------------------------------- */

static bool storing_init(struct storing *storing, struct load *load)
{
    *storing = (struct storing){.load = load,
                                .arena = sw_arena_new(LOAD_MESSAGE_MAX),
                                .pad = sw_arena_get(load->arena, 2 * load->options.size + 1),
                                .mark = "put"};
    sw_buffer_init(&storing->object, LOAD_MESSAGE_MAX);
    if (storing->arena == NULL || storing->pad == NULL)
        load_fail(load, SW_E_EXHAUSTED, "no memory for objects");
    else
        (void)memset(storing->pad, 'x', 2 * load->options.size);
    return load->failure.rc == SW_OK;
}

static void storing_done(struct storing *storing)
{
    sw_arena_free(storing->arena);
    sw_buffer_done(&storing->object);
}

/* Do the work unmeasured for the warm-up, then measured. */
static bool storing_run(struct storing *storing, const struct load_work *work, const char *warm)
{
    const struct load_options *options = &storing->load->options;

    storing->mark = warm;
    storing->each = options->warm / options->workers;
    if (!load_run(storing->load, work, storing->each, false))
        return false;
    storing->mark = "put";
    storing->each = options->count / options->workers;
    return load_run(storing->load, work, storing->each, true);
}

static bool put_all(struct storing *storing)
{
    const struct load_work work = {.path = "/swarm.v1.AgentTemplates/Create",
                                   .ctx = storing,
                                   .ask = ask_put,
                                   .check = check_one};
    struct listing listing = {.storing = storing, .left = 1};
    bool is_good;

    if (!storing_run(storing, &work, "warm"))
        return false;
    listing.wanted = storing->each * storing->load->options.workers;
    listing.seen = calloc(listing.wanted, sizeof *listing.seen);
    is_good = listing.seen != NULL && list_all(&listing);
    free(listing.seen);
    return is_good;
}

bool load_put(struct load *load)
{
    struct storing storing;
    bool is_good = storing_init(&storing, load) && put_all(&storing);

    storing_done(&storing);
    return is_good;
}

bool load_get(struct load *load)
{
    struct storing storing;
    const struct load_work work = {.path = "/swarm.v1.AgentTemplates/Get",
                                   .ctx = &storing,
                                   .ask = ask_get,
                                   .check = check_one};
    bool is_good = storing_init(&storing, load) && storing_run(&storing, &work, "put");

    storing_done(&storing);
    return is_good;
}

bool load_list(struct load *load)
{
    struct storing storing;
    struct listing listing = {
        .storing = &storing, .wanted = load->options.objects, .left = load->options.count};
    bool is_good = storing_init(&storing, load);

    load->started_ns = load_now_ns(load);
    is_good = is_good && list_all(&listing);
    load->ended_ns = load_now_ns(load);
    storing_done(&storing);
    return is_good;
}
