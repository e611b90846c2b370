#include "pkg/cli/commands/commands.h"
#include "pkg/cli/commands/resources.h"

#include <stdlib.h>
#include <string.h>

/* Which Events are shown. */
struct filter {
    const struct sw_kind *kind; /* Of the object; NULL: any. */
    const char *name;
    bool warnings_only;
};

static enum sw_rc read_filter(struct sw_cli *cli, struct filter *ret_filter, struct sw_err *err)
{
    const char *word = sw_arguments_text(cli->arguments, "for");
    const char *slash = word == NULL ? NULL : strchr(word, '/');

    *ret_filter =
        (struct filter){.warnings_only = sw_arguments_is(cli->arguments, "warnings", false)};
    if (word == NULL)
        return SW_OK;
    if (slash == NULL || slash[1] == '\0')
        return sw_cli_usage(cli, err, "--for names an object, as in agents/reader");
    ret_filter->name = slash + 1;
    return sw_resources_kind(cli, sw_cli_format(cli, "%.*s", (int)(slash - word), word),
                             &ret_filter->kind, err);
}

static bool fits(const struct filter *filter, const struct sw_api_event *event)
{
    if (filter->warnings_only && event->type != SW_API_EVENT_TYPE_WARNING)
        return false;
    return filter->kind == NULL || (strcmp(event->involved_object.kind, filter->kind->name) == 0 &&
                                    strcmp(event->involved_object.name, filter->name) == 0);
}

static int compare_events(const void *one, const void *other)
{
    const struct sw_api_event *a = *(const struct sw_api_event *const *)one;
    const struct sw_api_event *b = *(const struct sw_api_event *const *)other;

    return (a->last_time > b->last_time) - (a->last_time < b->last_time);
}

/* Events as they come. */
struct following {
    struct sw_cli *cli;
    struct filter filter;
    struct sw_output output;
    enum sw_rc rc;
    struct sw_err *err;
};

static bool on_change(void *ctx, enum sw_api_watch_event_type type, void *object, uint64_t revision)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    struct following *following = ctx;
    struct sw_output_list list = {
        .kind = sw_kind_find("Event"), .items = &object, .count = 1, .is_single = true};

    (void)revision;
    if (object == NULL || type == SW_API_WATCH_EVENT_TYPE_DELETED ||
        !fits(&following->filter, object))
        return true;
    sw_buffer_init(&text, SW_CLI_OUTPUT_BYTES_MAX);
    following->output.now_ns = sw_cli_utc_ns(following->cli);
    following->output.without_header = true;
    following->rc = sw_output_objects(&following->output, &list, &text, following->err);
    sw_cli_put(following->cli, &text);
    return following->rc == SW_OK;
}

enum sw_rc sw_command_events(struct sw_cli *cli, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    struct sw_output_widths widths = {0};
    struct following following = {.cli = cli, .err = err};
    struct sw_client_watch watch = {.selector = "", .on_change = on_change, .ctx = &following};
    struct sw_object_key key = {.kind = sw_kind_find("Event"), .name = ""};
    struct sw_output_list list = {.kind = key.kind};
    struct sw_objects events;
    enum sw_rc rc;

    rc = sw_output_parse(sw_arguments_text(cli->arguments, "output"), &following.output, err);
    cli->is_usage_error = rc != SW_OK;
    if (rc == SW_OK)
        rc = sw_cli_connect(cli, err);
    if (rc == SW_OK)
        rc = read_filter(cli, &following.filter, err);
    if (rc != SW_OK)
        return rc;
    sw_buffer_init(&text, SW_CLI_OUTPUT_BYTES_MAX);
    following.output.with_namespace = sw_arguments_is(cli->arguments, "all-namespaces", false);
    following.output.now_ns = sw_cli_utc_ns(cli);
    following.output.widths = &widths;
    key.namespace = following.output.with_namespace ? "" : cli->namespace;
    rc = sw_client_list(cli->client, &key, "", cli->arena, &events, err);
    for (size_t i = 0; rc == SW_OK && i < events.count; i++) {
        if (fits(&following.filter, events.items[i]))
            events.items[list.count++] = events.items[i];
    }
    if (rc != SW_OK)
        return rc;
    if (list.count > 0)
        qsort(events.items, list.count, sizeof *events.items, compare_events);
    list.items = events.items;
    if (list.count == 0 && following.output.format <= SW_OUTPUT_WIDE)
        sw_cli_say(cli, "no events found\n");
    else
        rc = sw_output_objects(&following.output, &list, &text, err);
    sw_cli_put(cli, &text);
    if (rc != SW_OK || !sw_arguments_is(cli->arguments, "watch", false))
        return rc;
    watch.key = key;
    watch.revision = events.resource_version;
    watch.timeout_ms = cli->timeout_ms == 0 ? UINT64_MAX : cli->timeout_ms;
    while ((rc = sw_client_watch(cli->client, &watch, err)) == SW_E_RANGE) {
        sw_cli_warn(cli, "Events were missed; here are all that there are now\n");
        watch.revision = 0;
    }
    return rc == SW_E_TIMEOUT && cli->timeout_ms != 0 ? SW_OK : rc;
}
