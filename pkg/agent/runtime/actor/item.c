#include "pkg/agent/runtime/actor/worker.h"

#include "include/swarm/agent.h"
#include "pkg/agent/runtime/actor/lists.h"
#include "pkg/agent/store/shelf.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES_BYTES_MAX (1u << 20)

/* A copy of a struct of `size` bytes that begins with a sw_item, with room for its texts behind. */
static void *item_new(const void *template, size_t size, struct sw_bytes *const *texts,
                      enum sw_item_kind kind)
{
    size_t room = 0;
    struct sw_item *item;

    for (size_t i = 0; texts[i] != NULL; i++)
        room += texts[i]->size;
    item = malloc(size + room);
    if (item == NULL)
        return NULL;
    memcpy(item, template, size);
    *item = (struct sw_item){NULL, kind};
    return item;
}

/* Copy the texts behind the struct; they are those of the copy already. */
static void keep_texts(void *at, struct sw_bytes *const *texts)
{
    char *place = at;

    for (size_t i = 0; texts[i] != NULL; i++) {
        if (texts[i]->size > 0)
            memcpy(place, texts[i]->data, texts[i]->size);
        texts[i]->data = place;
        place += texts[i]->size;
    }
}

struct sw_item_read *sw_item_read_new(uint32_t worker, uint64_t place)
{
    struct sw_item_read *item = calloc(1, sizeof *item);

    if (item == NULL)
        return NULL;
    item->item.kind = SW_ITEM_READ;
    item->worker = worker;
    item->place = place;
    sw_buffer_init(&item->block, SW_SNAPSHOT_BLOCK_MAX);
    return item;
}

void sw_item_read_run(struct sw_shared *shared, struct sw_item_read *item)
{
    if (item->list != NULL) {
        sw_list_read(shared, item);
        return;
    }
    item->rc =
        sw_shelf_read(shared->shelf, item->place, false, &item->block, &item->saved, &item->err);
}

struct sw_item *sw_item_pod_open_new(const struct sw_pod_config *config,
                                     struct sw_guest_module *module)
{
    struct sw_item_pod_open template = {.module = module, .config = *config}, *copy;
    struct sw_bytes *texts[] = {&template.config.uid,
                                &template.config.name_space,
                                &template.config.agent,
                                &template.config.agent_uid,
                                &template.config.digest,
                                &template.config.config,
                                NULL};

    copy = item_new(&template, sizeof template, texts, SW_ITEM_POD_OPEN);
    if (copy == NULL)
        return NULL;
    keep_texts(copy + 1, (struct sw_bytes *[]){&copy->config.uid, &copy->config.name_space,
                                               &copy->config.agent, &copy->config.agent_uid,
                                               &copy->config.digest, &copy->config.config, NULL});
    return &copy->item;
}

struct sw_item *sw_item_program_new(struct sw_bytes program, struct sw_guest_module *module)
{
    struct sw_item_program template = {.module = module, .program = program}, *copy;
    struct sw_bytes *texts[] = {&template.program, NULL};

    copy = item_new(&template, sizeof template, texts, SW_ITEM_PROGRAM);
    if (copy == NULL)
        return NULL;
    keep_texts(copy + 1, (struct sw_bytes *[]){&copy->program, NULL});
    return &copy->item;
}

struct sw_item *sw_item_program_ask_new(uint64_t request, struct sw_bytes digest)
{
    struct sw_item_program_ask template = {.request = request, .digest = digest}, *copy;
    struct sw_bytes *texts[] = {&template.digest, NULL};

    copy = item_new(&template, sizeof template, texts, SW_ITEM_PROGRAM_ASK);
    if (copy == NULL)
        return NULL;
    keep_texts(copy + 1, (struct sw_bytes *[]){&copy->digest, NULL});
    return &copy->item;
}

struct sw_item *sw_item_quota_ask_new(uint64_t number, struct sw_bytes name_space)
{
    struct sw_item_quota_ask template = {.number = number, .name_space = name_space}, *copy;
    struct sw_bytes *texts[] = {&template.name_space, NULL};

    copy = item_new(&template, sizeof template, texts, SW_ITEM_QUOTA_ASK);
    if (copy == NULL)
        return NULL;
    keep_texts(copy + 1, (struct sw_bytes *[]){&copy->name_space, NULL});
    return &copy->item;
}

struct sw_item *sw_item_pod_close_new(uint64_t pod, bool discard)
{
    struct sw_item_pod_close *item = malloc(sizeof *item);

    if (item == NULL)
        return NULL;
    *item = (struct sw_item_pod_close){{NULL, SW_ITEM_POD_CLOSE}, pod, discard};
    return &item->item;
}

struct sw_item *sw_item_route_new(const struct sw_route_change *change)
{
    struct sw_item_route template = {.change = *change}, *copy;
    struct sw_bytes *texts[] = {&template.change.name_space, &template.change.agent, NULL};

    copy = item_new(&template, sizeof template, texts, SW_ITEM_ROUTE);
    if (copy == NULL)
        return NULL;
    keep_texts(copy + 1,
               (struct sw_bytes *[]){&copy->change.name_space, &copy->change.agent, NULL});
    return &copy->item;
}

struct sw_item *sw_item_publish_new(const struct sw_item_publish *publish)
{
    struct sw_item_publish template = *publish, *copy;
    struct sw_bytes *texts[] = {&template.name_space, &template.subject,    &template.type,
                                &template.body,       &template.request_id, NULL};

    if (template.priority > SWARM_PRIORITY_URGENT) /* Its client named none. */
        template.priority = SWARM_PRIORITY_NORMAL;
    copy = item_new(&template, sizeof template, texts, SW_ITEM_PUBLISH);
    if (copy == NULL)
        return NULL;
    keep_texts(copy + 1, (struct sw_bytes *[]){&copy->name_space, &copy->subject, &copy->type,
                                               &copy->body, &copy->request_id, NULL});
    return &copy->item;
}

struct sw_item *sw_item_list_new(const struct sw_item_list *list)
{
    struct sw_item_list template = *list, *copy;
    struct sw_bytes *texts[] = {&template.name_space, &template.agent, &template.prefix, NULL};

    copy = item_new(&template, sizeof template, texts, SW_ITEM_LIST);
    if (copy == NULL)
        return NULL;
    keep_texts(copy + 1,
               (struct sw_bytes *[]){&copy->name_space, &copy->agent, &copy->prefix, NULL});
    copy->until = SW_FRAME_PLACES;
    sw_buffer_init(&copy->entries, ENTRIES_BYTES_MAX);
    return &copy->item;
}

struct sw_item *sw_item_letters_new(const struct sw_item_letters *letters)
{
    struct sw_item_letters template = *letters, *copy;
    struct sw_bytes *texts[] = {&template.name_space, &template.agent, &template.key, NULL};

    copy = item_new(&template, sizeof template, texts, SW_ITEM_LETTERS);
    if (copy == NULL)
        return NULL;
    keep_texts(copy + 1, (struct sw_bytes *[]){&copy->name_space, &copy->agent, &copy->key, NULL});
    sw_buffer_init(&copy->entries, ENTRIES_BYTES_MAX);
    return &copy->item;
}

struct sw_item *sw_item_letters_change_new(const struct sw_item_letters_change *change)
{
    struct sw_item_letters_change template = *change, *copy;
    struct sw_bytes *texts[] = {&template.name_space, &template.agent, &template.key, NULL};

    copy = item_new(&template, sizeof template, texts, SW_ITEM_LETTERS_CHANGE);
    if (copy == NULL)
        return NULL;
    keep_texts(copy + 1, (struct sw_bytes *[]){&copy->name_space, &copy->agent, &copy->key, NULL});
    return &copy->item;
}

void sw_item_free(struct sw_item *item, const struct sw_guest_engine *engine)
{
    struct sw_item_pod_open *open;
    struct sw_item_program *program;

    if (item == NULL)
        return;
    switch (item->kind) {
    case SW_ITEM_MESSAGE:
        sw_message_free((struct sw_message *)(void *)item);
        return;
    case SW_ITEM_POD_OPEN:
        open = (struct sw_item_pod_open *)(void *)item;
        if (open->module != NULL)
            engine->module_unref(engine->ctx, open->module);
        break;
    case SW_ITEM_PROGRAM:
        program = (struct sw_item_program *)(void *)item;
        if (program->module != NULL)
            engine->module_unref(engine->ctx, program->module);
        break;
    case SW_ITEM_LIST:
        sw_buffer_done(&((struct sw_item_list *)(void *)item)->entries);
        break;
    case SW_ITEM_LETTERS:
        sw_buffer_done(&((struct sw_item_letters *)(void *)item)->entries);
        break;
    case SW_ITEM_READ:
        sw_buffer_done(&((struct sw_item_read *)(void *)item)->block);
        sw_list_reads_free(((struct sw_item_read *)(void *)item)->list);
        break;
    case SW_ITEM_ROUTE:
    case SW_ITEM_POD_CLOSE:
    case SW_ITEM_PUBLISH:
    case SW_ITEM_LETTERS_CHANGE:
    case SW_ITEM_PROGRAM_ASK:
    case SW_ITEM_QUOTA_ASK:
        break;
    }
    free(item);
}
