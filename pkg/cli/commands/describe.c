#include "pkg/cli/commands/commands.h"
#include "pkg/cli/commands/resources.h"
#include "pkg/apis/swarm/v1/yaml.h"
#include "pkg/utils/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PART_BYTES_MAX ((size_t)8 * 1024 * 1024)
#define EVENTS_SHOWN_MAX 20

struct condition_list { /* Borrowed from a status. */
    const struct sw_api_condition *items;
    size_t count;
};

/* Each line of text with two spaces before it. */
static void put_indented(struct sw_buffer *out, const struct sw_buffer *text)
{
    const char *line = (const char *)text->data;
    size_t left = text->size;

    while (left > 0) {
        const char *end = memchr(line, '\n', left);
        size_t size = end == NULL ? left : (size_t)(end - line) + 1;

        sw_buffer_put_text(out, "  ");
        sw_output_put_safe(out, line, size, true);
        line += size;
        left -= size;
    }
}

static void put_part(struct sw_buffer *out, const char *title, const struct sw_api_message *message,
                     const void *part)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};

    if (message == NULL || part == NULL || sw_api_is_empty(message, part))
        return;
    sw_buffer_init(&text, PART_BYTES_MAX);
    sw_yaml_encode(message, part, &text);
    sw_buffer_print(out, "%s:\n", title);
    put_indented(out, &text);
}

static void put_pairs(struct sw_buffer *out, const char *title, const struct sw_api_pair *pairs,
                      size_t count)
{
    sw_buffer_print(out, "%s", title);
    for (size_t i = 0; i < count; i++)
        sw_buffer_print(out, "%s%s=%s", i == 0 ? "" : ", ", pairs[i].key, pairs[i].value);
    sw_buffer_put_text(out, count == 0 ? "-\n" : "\n");
}

static void put_metadata(struct sw_cli *cli, const struct sw_kind *kind, const void *object,
                         struct sw_buffer *out)
{
    const struct sw_api_object_meta *meta = sw_object_meta_of(object);
    char text[SW_TIME_TEXT_SIZE];

    sw_buffer_print(out, "Kind:         %s\nName:         %s\n", kind->name, meta->name);
    if (kind->is_namespaced)
        sw_buffer_print(out, "Namespace:    %s\n", meta->namespace);
    put_pairs(out, "Labels:       ", meta->labels, meta->labels_count);
    put_pairs(out, "Annotations:  ", meta->annotations, meta->annotations_count);
    if (meta->creation_timestamp != 0) {
        sw_time_print(meta->creation_timestamp, text);
        sw_buffer_print(out, "Created:      %s (", text);
        sw_output_put_age(out, meta->creation_timestamp, sw_cli_utc_ns(cli));
        sw_buffer_put_text(out, " ago)\n");
    }
    if (meta->deletion_timestamp != 0) {
        sw_buffer_put_text(out, "Deleting:     for ");
        sw_output_put_age(out, meta->deletion_timestamp, sw_cli_utc_ns(cli));
        for (size_t i = 0; i < meta->finalizers_count; i++)
            sw_buffer_print(out, "%s%s", i == 0 ? ", waiting for " : ", ", meta->finalizers[i]);
        sw_buffer_put_text(out, "\n");
    }
    for (size_t i = 0; i < meta->owner_references_count; i++)
        sw_buffer_print(out, "Owned by:     %s/%s\n", meta->owner_references[i].kind,
                        meta->owner_references[i].name);
}

/* The conditions of a status, wherever in its struct they are; NULL when the kind has none. */
static const struct sw_api_condition *conditions_of(const struct sw_api_message *message,
                                                    const void *status, size_t *ret_count)
{
    const struct sw_api_field *field =
        message == NULL ? NULL : sw_api_field_find(message, "conditions");
    const char *bytes = status;

    if (field == NULL)
        return NULL;
    memcpy(ret_count, bytes + field->count_offset, sizeof *ret_count);
    return *(const struct sw_api_condition *const *)(const void *)(bytes + field->offset);
}

static void put_conditions(struct sw_cli *cli, const struct condition_list *list,
                           struct sw_buffer *out)
{
    SW_CLEANUP(sw_table_freep) struct sw_table *table = sw_table_new(6);
    static const char *const header[] = {"  ", "TYPE", "STATUS", "REASON", "AGE", "MESSAGE"};
    struct sw_buffer age;

    if (table == NULL || list->count == 0)
        return;
    for (size_t i = 0; i < 6; i++)
        sw_table_add(table, header[i]);
    sw_buffer_init(&age, 64);
    for (size_t i = 0; i < list->count; i++) {
        const struct sw_api_condition *condition = &list->items[i];

        sw_buffer_reset(&age);
        sw_output_put_age(&age, condition->last_transition_time, sw_cli_utc_ns(cli));
        sw_buffer_put_u8(&age, 0);
        sw_table_add(table, "");
        sw_table_add(table, condition->type);
        sw_table_add(table,
                     sw_api_enum_text(&sw_api_condition_status_enum, (int)condition->status));
        sw_table_add(table, condition->reason);
        sw_table_add(table, age.failed ? "" : (const char *)age.data);
        sw_table_add(table, condition->message);
    }
    sw_buffer_done(&age);
    sw_buffer_put_text(out, "Conditions:\n");
    (void)!sw_table_put(table, out);
}

static int compare_events(const void *one, const void *other)
{
    const struct sw_api_event *a = *(const struct sw_api_event *const *)one;
    const struct sw_api_event *b = *(const struct sw_api_event *const *)other;

    return (a->last_time > b->last_time) - (a->last_time < b->last_time);
}

static void add_event(struct sw_table *table, const struct sw_api_event *event, uint64_t now_ns)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer age = {0};

    sw_buffer_init(&age, 64);
    sw_output_put_age(&age, event->last_time, now_ns);
    if (event->count > 1)
        sw_buffer_print(&age, " (x%u)", event->count);
    sw_buffer_put_u8(&age, 0);
    sw_table_add(table, "");
    sw_table_add(table, age.failed ? "" : (const char *)age.data);
    sw_table_add(table, sw_api_enum_text(&sw_api_event_type_enum, (int)event->type));
    sw_table_add(table, event->reason);
    sw_table_add(table, event->involved_object.instance);
    sw_table_add(table, event->message);
}

static enum sw_rc put_events(struct sw_cli *cli, const struct sw_object_key *key,
                             const void *object, struct sw_buffer *out, struct sw_err *err)
{
    SW_CLEANUP(sw_table_freep) struct sw_table *table = sw_table_new(6);
    const struct sw_object_key all = {.kind = sw_kind_find("Event"),
                                      .namespace = key->kind->is_namespaced ? key->namespace : "",
                                      .name = ""};
    const char *uid = sw_object_meta_of(object)->uid;
    struct sw_objects events;
    size_t count = 0;
    enum sw_rc rc = sw_client_list(cli->client, &all, "", cli->arena, &events, err);

    if (rc != SW_OK || table == NULL)
        return rc == SW_OK ? sw_cli_no_memory(err) : rc;
    for (size_t i = 0; i < events.count; i++) {
        const struct sw_api_event *event = events.items[i];

        if (strcmp(event->involved_object.kind, key->kind->name) == 0 &&
            strcmp(event->involved_object.uid, uid) == 0)
            events.items[count++] = events.items[i];
    }
    qsort(events.items, count, sizeof *events.items, compare_events);
    for (size_t i = count > EVENTS_SHOWN_MAX ? count - EVENTS_SHOWN_MAX : 0; i < count; i++)
        add_event(table, events.items[i], sw_cli_utc_ns(cli));
    sw_buffer_put_text(out, count == 0 ? "Events:       none\n" : "Events:\n");
    return sw_table_put(table, out);
}

static enum sw_rc describe_one(struct sw_cli *cli, const struct sw_object_key *key, void *object,
                               struct sw_buffer *out, struct sw_err *err)
{
    const struct sw_api_message *spec_message = NULL, *status_message = NULL;
    void *spec = sw_object_part(key->kind, object, "spec", &spec_message);
    void *status = sw_object_part(key->kind, object, "status", &status_message);
    struct condition_list conditions = {0};

    put_metadata(cli, key->kind, object, out);
    put_part(out, "Spec", spec_message, spec);
    if (status != NULL)
        conditions.items = conditions_of(status_message, status, &conditions.count);
    if (conditions.items != NULL) /* They have a table of their own. */
        memset((char *)status + sw_api_field_find(status_message, "conditions")->count_offset, 0,
               sizeof(size_t));
    put_part(out, "Status", status_message, status);
    if (conditions.items != NULL)
        put_conditions(cli, &conditions, out);
    return put_events(cli, key, object, out, err);
}

enum sw_rc sw_command_describe(struct sw_cli *cli, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    struct sw_resources resources;
    const char *selector = sw_arguments_text(cli->arguments, "selector");
    enum sw_rc rc = sw_cli_connect(cli, err);

    if (rc == SW_OK)
        rc = sw_resources_parse(cli, 0, &resources, err);
    sw_buffer_init(&text, SW_CLI_OUTPUT_BYTES_MAX);
    for (size_t i = 0; rc == SW_OK && i < resources.count; i++) {
        struct sw_objects objects;

        rc = sw_resources_load(cli, &resources.keys[i], 1, selector == NULL ? "" : selector,
                               &objects, err);
        for (size_t o = 0; rc == SW_OK && o < objects.count; o++) {
            const struct sw_object_key key = {.kind = resources.keys[i].kind,
                                              .namespace =
                                                  sw_object_meta_of(objects.items[o])->namespace,
                                              .name = sw_object_meta_of(objects.items[o])->name};

            if (text.size > 0)
                sw_buffer_put_text(&text, "\n");
            rc = describe_one(cli, &key, objects.items[o], &text, err);
        }
    }
    sw_cli_put(cli, &text);
    return rc;
}
