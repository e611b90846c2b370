#include "pkg/cli/commands/commands.h"
#include "pkg/cli/commands/resources.h"

#include <string.h>

/* What -o says, with the header and the namespace column as the flags want them. */
static enum sw_rc read_output(struct sw_cli *cli, struct sw_output *ret_output, struct sw_err *err)
{
    *ret_output = (struct sw_output){0};
    if (sw_output_parse(sw_arguments_text(cli->arguments, "output"), ret_output, err) != SW_OK) {
        cli->is_usage_error = true;
        return SW_E_INVALID;
    }
    ret_output->with_namespace = sw_arguments_is(cli->arguments, "all-namespaces", false);
    ret_output->without_header = sw_arguments_is(cli->arguments, "no-headers", false);
    ret_output->now_ns = sw_cli_utc_ns(cli);
    return SW_OK;
}

static const char *selector_of(const struct sw_cli *cli)
{
    const char *selector = sw_arguments_text(cli->arguments, "selector");

    return selector == NULL ? "" : selector;
}

static enum sw_rc print_objects(struct sw_cli *cli, const struct sw_output *output,
                                const struct sw_object_key *keys, size_t count, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    struct sw_objects objects;
    struct sw_output_list list = {.kind = keys[0].kind};
    struct sw_err missing = {0};
    enum sw_rc rc, printed = SW_OK;

    sw_buffer_init(&text, SW_CLI_OUTPUT_BYTES_MAX);
    rc = sw_resources_load(cli, keys, count, selector_of(cli), &objects, &missing);
    list.items = objects.items;
    list.count = objects.count;
    list.resource_version = objects.resource_version;
    list.is_single = count == 1 && keys[0].name[0] != '\0';
    if (rc == SW_OK && objects.count == 0 && output->format <= SW_OUTPUT_WIDE)
        sw_cli_say(cli, "no %s found%s%s\n", keys[0].kind->plural,
                   keys[0].kind->is_namespaced && keys[0].namespace[0] != '\0' ? " in namespace "
                                                                               : "",
                   keys[0].kind->is_namespaced ? keys[0].namespace : "");
    else if (rc == SW_OK || objects.count > 0)
        printed = sw_output_objects(output, &list, &text, err);
    cli->is_usage_error = printed == SW_E_INVALID; /* A template that fits no object. */
    if (printed == SW_OK)
        sw_cli_put(cli, &text);
    if (rc != SW_OK)
        *err = missing;
    return rc == SW_OK ? printed : rc;
}

/* A watch that prints; one for all of its events. */
struct printer {
    struct sw_cli *cli;
    struct sw_output output;
    const struct sw_kind *kind;
    bool with_type; /* Each line begins with what happened. */
    enum sw_rc rc;
    struct sw_err *err;
};

static bool print_change(void *ctx, enum sw_api_watch_event_type type, void *object,
                         uint64_t revision)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    struct printer *printer = ctx;
    struct sw_cli *cli = printer->cli;
    struct sw_output_list list = {
        .kind = printer->kind, .items = &object, .count = 1, .is_single = true};

    (void)revision;
    if (object == NULL)
        return true;
    sw_buffer_init(&text, SW_CLI_OUTPUT_BYTES_MAX);
    printer->output.now_ns = sw_cli_utc_ns(cli);
    if (printer->with_type)
        sw_buffer_print(&text, "%-9s ", sw_api_enum_text(&sw_api_watch_event_type_enum, (int)type));
    if (printer->with_type && printer->output.format <= SW_OUTPUT_WIDE)
        sw_buffer_print(&text, "%s/", printer->kind->plural);
    printer->rc = sw_output_objects(&printer->output, &list, &text, printer->err);
    sw_cli_put(cli, &text);
    printer->output.without_header = true;
    return printer->rc == SW_OK;
}

static enum sw_rc follow(struct sw_cli *cli, const struct sw_output *output,
                         const struct sw_object_key *key, bool with_type, struct sw_err *err)
{
    struct sw_output_widths widths = {0};
    struct printer printer = {
        .cli = cli, .output = *output, .kind = key->kind, .with_type = with_type, .err = err};
    const struct sw_client_watch options = {.key = *key,
                                            .selector = selector_of(cli),
                                            .timeout_ms =
                                                cli->timeout_ms == 0 ? UINT64_MAX : cli->timeout_ms,
                                            .on_change = print_change,
                                            .ctx = &printer};
    enum sw_rc rc;

    printer.output.without_header = with_type || output->without_header;
    printer.output.widths = &widths;
    do {
        rc = sw_client_watch(cli->client, &options, err);
        if (rc == SW_E_RANGE)
            sw_cli_warn(cli, "changes were missed; here is all that there is now\n");
    } while (rc == SW_E_RANGE);
    /* Whoever sets a timeout for a watch wants to see that long, which is no failure. */
    if (rc == SW_E_TIMEOUT && cli->timeout_ms != 0)
        return SW_OK;
    return printer.rc != SW_OK ? printer.rc : rc;
}

static enum sw_rc refuse_flags_of_instances(struct sw_cli *cli, struct sw_err *err)
{
    static const char *const flags[] = {"key-prefix", "state", "limit", "continue", "sort-by"};

    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (sw_arguments_text(cli->arguments, flags[i]) != NULL)
            return sw_cli_usage(cli, err, "--%s is for instances: get instances AGENT", flags[i]);
    if (sw_arguments_is(cli->arguments, "count", false))
        return sw_cli_usage(cli, err, "--count is for instances: get instances AGENT");
    return SW_OK;
}

enum sw_rc sw_command_get(struct sw_cli *cli, struct sw_err *err)
{
    struct sw_resources resources;
    struct sw_output output;
    const char *word = sw_arguments_at(cli->arguments, 0);
    enum sw_rc rc = read_output(cli, &output, err);

    if (rc == SW_OK)
        rc = sw_cli_connect(cli, err);
    if (rc != SW_OK)
        return rc;
    if (strcmp(word, "instances") == 0 || strcmp(word, "instance") == 0)
        return sw_command_instances(cli, output.format, err);
    rc = refuse_flags_of_instances(cli, err);
    if (rc != SW_OK)
        return rc;
    rc = sw_resources_parse(cli, 0, &resources, err);
    if (rc != SW_OK)
        return rc;
    if (sw_arguments_is(cli->arguments, "watch", false)) {
        if (resources.count != 1)
            return sw_cli_usage(cli, err, "--watch follows one object or one kind");
        return follow(cli, &output, &resources.keys[0], false, err);
    }
    /* Runs of one kind are one table. */
    for (size_t i = 0, end; i < resources.count && rc == SW_OK; i = end) {
        for (end = i + 1;
             end < resources.count && resources.keys[end].kind == resources.keys[i].kind;)
            end++;
        if (i > 0 && output.format <= SW_OUTPUT_WIDE)
            sw_cli_print(cli, "\n");
        rc = print_objects(cli, &output, resources.keys + i, end - i, err);
    }
    return rc;
}

enum sw_rc sw_command_watch(struct sw_cli *cli, struct sw_err *err)
{
    struct sw_resources resources;
    struct sw_output output;
    enum sw_rc rc = read_output(cli, &output, err);

    if (rc == SW_OK)
        rc = sw_cli_connect(cli, err);
    if (rc == SW_OK)
        rc = sw_resources_parse(cli, 0, &resources, err);
    if (rc != SW_OK)
        return rc;
    if (resources.count != 1)
        return sw_cli_usage(cli, err, "watch follows one object or one kind");
    output.with_namespace = false;
    return follow(cli, &output, &resources.keys[0], true, err);
}
