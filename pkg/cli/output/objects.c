#include "pkg/cli/output/output.h"
#include "pkg/apis/swarm/v1/json.h"
#include "pkg/apis/swarm/v1/path.h"
#include "pkg/apis/swarm/v1/yaml.h"
#include "pkg/utils/base/text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSONPATH_PREFIX "jsonpath="
#define ITEMS_PREFIX ".items["
#define CELL_BYTES_MAX 4096

enum sw_rc sw_output_parse(const char *text, struct sw_output *ret_output, struct sw_err *err)
{
    static const char *const names[] = {"table", "wide", "json", "yaml", "name", "jsonpath"};
    const char *nearest;

    ret_output->format = SW_OUTPUT_TABLE;
    ret_output->template = NULL;
    if (text == NULL)
        return SW_OK;
    if (strncmp(text, JSONPATH_PREFIX, strlen(JSONPATH_PREFIX)) == 0) {
        ret_output->format = SW_OUTPUT_JSONPATH;
        ret_output->template = text + strlen(JSONPATH_PREFIX);
        return SW_OK;
    }
    for (size_t i = 0; i < SW_OUTPUT_JSONPATH; i++) {
        if (strcmp(text, names[i]) == 0) {
            ret_output->format = (enum sw_output_format)i;
            return SW_OK;
        }
    }
    nearest = sw_text_nearest(text, names, SW_OUTPUT_JSONPATH + 1);
    (void)sw_err_set(err, SW_E_INVALID, "there is no output format \"%s\"", text);
    sw_err_hint(err, "%s%s%s", nearest == NULL ? "" : "did you mean ",
                nearest == NULL ? "table, wide, json, yaml, name or jsonpath={.path}" : nearest,
                nearest == NULL ? "" : "?");
    if (nearest != NULL && strcmp(nearest, "jsonpath") == 0)
        sw_err_hint(err, "write -o jsonpath={.metadata.name}");
    return SW_E_INVALID;
}

static bool is_shown(const struct sw_output *output, const struct sw_api_column *column)
{
    return output->format == SW_OUTPUT_WIDE || !column->is_wide;
}

static void add_row(const struct sw_output *output, const struct sw_kind *kind, const void *object,
                    struct sw_table *table)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer cell = {0};

    sw_buffer_init(&cell, CELL_BYTES_MAX);
    if (output->with_namespace && kind->is_namespaced)
        sw_table_add(table, sw_object_meta_of(object)->namespace);
    for (unsigned i = 0; i < kind->column_count; i++) {
        if (!is_shown(output, &kind->columns[i]))
            continue;
        sw_buffer_reset(&cell);
        sw_column_print(kind, &kind->columns[i], object, output->now_ns, &cell);
        sw_buffer_put_u8(&cell, 0);
        sw_table_add(table, cell.failed ? "..." : (const char *)cell.data);
    }
}

static enum sw_rc put_table(const struct sw_output *output, const struct sw_output_list *list,
                            struct sw_buffer *out, struct sw_err *err)
{
    SW_CLEANUP(sw_table_freep) struct sw_table *table = NULL;
    const struct sw_kind *kind = list->kind;
    bool with_namespace = output->with_namespace && kind->is_namespaced;
    size_t columns = with_namespace;

    for (unsigned i = 0; i < kind->column_count; i++)
        columns += is_shown(output, &kind->columns[i]);
    table = sw_table_new(columns);
    if (table == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a table");
    if (with_namespace && !output->without_header)
        sw_table_add(table, "NAMESPACE");
    for (unsigned i = 0; i < kind->column_count && !output->without_header; i++) {
        if (is_shown(output, &kind->columns[i]))
            sw_table_add(table, kind->columns[i].name);
    }
    for (size_t i = 0; i < list->count; i++)
        add_row(output, kind, list->items[i], table);
    if (output->widths != NULL && columns <= SW_OUTPUT_COLUMNS_MAX)
        sw_table_share_widths(table, output->widths);
    if (sw_table_put(table, out) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a table");
    return SW_OK;
}

static void put_json(const struct sw_output_list *list, struct sw_buffer *out)
{
    const struct sw_kind *kind = list->kind;

    if (list->is_single && list->count == 1) {
        sw_json_encode(kind->message, list->items[0], SW_JSON_PRETTY, out);
        return;
    }
    sw_buffer_print(out, "{\n  \"apiVersion\": \"" SW_API_VERSION "\",\n  \"kind\": \"%sList\",\n",
                    kind->name);
    sw_buffer_print(out, "  \"metadata\": {\"resourceVersion\": \"%" PRIu64 "\"},\n  \"items\": [",
                    list->resource_version);
    for (size_t i = 0; i < list->count; i++) {
        sw_buffer_put_text(out, i == 0 ? "\n" : ",\n");
        sw_json_encode(kind->message, list->items[i], SW_JSON_PRETTY, out);
        if (out->size > 0 && out->data[out->size - 1] == '\n')
            out->size--;
    }
    sw_buffer_put_text(out, list->count == 0 ? "]\n}\n" : "\n]\n}\n");
}

static void put_yaml(const struct sw_output_list *list, struct sw_buffer *out)
{
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            sw_buffer_put_text(out, "---\n");
        sw_yaml_encode(list->kind->message, list->items[i], out);
    }
}

/* What is wrong with a template is told though there is nothing to print. */
static enum sw_rc check_template(const struct sw_kind *kind, const char *template,
                                 struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer nothing = {0};
    void *empty = calloc(1, kind->message->size_bytes);
    enum sw_rc rc;

    if (empty == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "there is no memory left");
    sw_api_init(kind->message, empty);
    sw_buffer_init(&nothing, (size_t)1024 * 1024);
    rc = sw_path_print(kind->message, empty, template, &nothing, err);
    free(empty);
    return rc;
}

/* What a template wants of a list. */
struct selection {
    char template[SW_FIELD_PATH_MAX]; /* For each object. */
    size_t first, end;                /* Which objects. */
    bool is_list;                     /* It speaks of a list: "{.items[*].a}". */
};

/* One object of a list at a time: "{.items[*].a}" is "{.a}" of each, "{.items[2].a}" of one. */
static enum sw_rc select_items(const char *template, size_t count, struct selection *ret_selection,
                               struct sw_err *err)
{
    const char *items = strstr(template, ITEMS_PREFIX), *after = template;
    unsigned long index = 0;
    char *end = NULL;

    *ret_selection = (struct selection){.end = count, .is_list = items != NULL};
    if (items != NULL) {
        after = items + strlen(ITEMS_PREFIX);
        if (*after >= '0' && *after <= '9') {
            index = strtoul(after, &end, 10);
            ret_selection->first = index < count ? index : count;
            ret_selection->end = index < count ? index + 1 : count;
        }
        after = *after == '*' ? after + 1 : end;
        if (after == NULL || *after++ != ']')
            return sw_err_set(err, SW_E_INVALID,
                              "jsonpath: expected .items[*] or .items[0] at \"%.40s\"", items);
    }
    if ((size_t)snprintf(ret_selection->template, sizeof ret_selection->template, "%.*s%s",
                         items == NULL ? 0 : (int)(items - template), template,
                         after) >= sizeof ret_selection->template)
        return sw_err_set(err, SW_E_INVALID, "jsonpath: longer than %d bytes", SW_FIELD_PATH_MAX);
    return SW_OK;
}

static enum sw_rc put_jsonpath(const struct sw_output *output, const struct sw_output_list *list,
                               struct sw_buffer *out, struct sw_err *err)
{
    struct selection selection;
    enum sw_rc rc = select_items(output->template, list->count, &selection, err);

    if (rc == SW_OK && selection.first == selection.end)
        return check_template(list->kind, selection.template, err);
    for (size_t i = selection.first; rc == SW_OK && i < selection.end; i++) {
        if (i > selection.first)
            sw_buffer_put_text(out, selection.is_list ? " " : "\n");
        rc = sw_path_print(list->kind->message, list->items[i], selection.template, out, err);
    }
    if (rc == SW_OK)
        sw_buffer_put_text(out, "\n");
    return rc;
}

enum sw_rc sw_output_objects(const struct sw_output *output, const struct sw_output_list *list,
                             struct sw_buffer *out, struct sw_err *err)
{
    switch (output->format) {
    case SW_OUTPUT_JSON:
        put_json(list, out);
        break;
    case SW_OUTPUT_YAML:
        put_yaml(list, out);
        break;
    case SW_OUTPUT_NAME:
        for (size_t i = 0; i < list->count; i++)
            sw_buffer_print(out, "%s/%s\n", list->kind->plural,
                            sw_object_meta_of(list->items[i])->name);
        break;
    case SW_OUTPUT_JSONPATH:
        return put_jsonpath(output, list, out, err);
    case SW_OUTPUT_TABLE:
    case SW_OUTPUT_WIDE:
    default:
        return put_table(output, list, out, err);
    }
    return sw_buffer_check(out) == SW_OK ? SW_OK
                                         : sw_err_set(err, SW_E_EXHAUSTED, "too much to print");
}
