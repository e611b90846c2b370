#include "pkg/cli/commands/commands.h"
#include "pkg/cli/commands/members.h"
#include "pkg/apis/swarm/v1/json.h"
#include "pkg/client/clientset/problem.h"
#include "pkg/utils/base/text.h"

#include <stdio.h>
#include <string.h>

#define PATH_BYTES_MAX 4096
#define EVENT_ARENA_BYTES_MAX ((size_t)16 * 1024 * 1024)
#define TAIL_DEFAULT "100"

struct follower {
    struct sw_cli *cli;
    struct sw_arena *arena; /* Of one line. */
    bool with_instance;
    enum sw_rc rc; /* What the server said at the end. */
    struct sw_err *err;
};

static const char *color_of(const char *level)
{
    if (strcmp(level, "error") == 0)
        return "\033[31m";
    return strcmp(level, "warn") == 0 ? "\033[33m" : "";
}

static bool on_line(void *ctx, const char *name, const char *id, struct sw_bytes data)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer line = {0};
    struct follower *follower = ctx;
    struct sw_problems problems;
    struct sw_bind_options options = {.arena = follower->arena, .file = ""};
    const struct sw_tree *tree = NULL;
    const char *color, *text;

    (void)id;
    sw_arena_reset(follower->arena);
    problems = sw_problems_of(follower->arena);
    options.problems = &problems;
    if (strcmp(name, "error") == 0) {
        follower->rc = sw_problem_read(500, data, follower->err);
        return false;
    }
    if (sw_json_parse(data, &options, &tree) != SW_OK || tree->type != SW_TREE_MAP)
        return true;
    sw_buffer_init(&line, SW_CLI_OUTPUT_BYTES_MAX);
    text = sw_member_text(tree, "dropped");
    if (text[0] != '\0' && strcmp(text, "0") != 0)
        sw_cli_warn(follower->cli, "%s lines were lost here\n", text);
    color = follower->cli->uses_color && follower->cli->terminal->out_is_terminal
                ? color_of(sw_member_text(tree, "level"))
                : "";
    sw_buffer_print(&line, "%s%s %-5s ", color, sw_member_text(tree, "time"),
                    sw_member_text(tree, "level"));
    if (follower->with_instance)
        sw_buffer_print(&line, "%s: ", sw_member_text(tree, "instance"));
    text = sw_member_text(tree, "text");
    sw_output_put_safe(&line, text, strlen(text), true);
    sw_buffer_print(&line, "%s\n", color[0] == '\0' ? "" : "\033[0m");
    sw_cli_put(follower->cli, &line);
    return true;
}

static enum sw_rc put_path(struct sw_cli *cli, struct sw_buffer *path, const char **ret_key,
                           struct sw_err *err)
{
    const char *word = sw_arguments_at(cli->arguments, 0);
    const char *tail = sw_arguments_text(cli->arguments, "tail");
    const char *slash;
    uint64_t lines = 0;

    if (strncmp(word, "agents/", 7) == 0)
        word += 7;
    slash = strchr(word, '/');
    *ret_key = slash == NULL ? NULL : slash + 1;
    if (tail != NULL && sw_text_to_u64(tail, &lines) != SW_OK)
        return sw_cli_usage(cli, err, "--tail is a number of lines, not \"%s\"", tail);
    sw_buffer_put_text(path, "/apis/swarm/v1/namespaces/");
    sw_client_escape(cli->namespace, path);
    sw_buffer_put_text(path, "/agents/");
    sw_client_escape(slash == NULL ? word : sw_cli_format(cli, "%.*s", (int)(slash - word), word),
                     path);
    sw_buffer_print(path, "/logs?tail=%s", tail == NULL ? TAIL_DEFAULT : tail);
    if (sw_arguments_is(cli->arguments, "follow", false))
        sw_buffer_put_text(path, "&follow=1");
    if (*ret_key != NULL) {
        sw_buffer_put_text(path, "&key=");
        sw_client_escape(*ret_key, path);
    }
    sw_buffer_put_u8(path, 0);
    return sw_buffer_check(path) == SW_OK ? SW_OK : sw_cli_usage(cli, err, "the name is too long");
}

enum sw_rc sw_command_logs(struct sw_cli *cli, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer path = {0};
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(EVENT_ARENA_BYTES_MAX);
    struct follower follower = {.cli = cli, .arena = arena, .err = err};
    struct sw_request request = {.method = "GET", .timeout_ms = cli->timeout_ms};
    bool follows = sw_arguments_is(cli->arguments, "follow", false);
    const char *key = NULL;
    enum sw_rc rc = sw_cli_connect(cli, err);

    sw_buffer_init(&path, PATH_BYTES_MAX);
    if (rc == SW_OK)
        rc = arena == NULL ? sw_cli_no_memory(err) : put_path(cli, &path, &key, err);
    if (rc != SW_OK)
        return rc;
    follower.with_instance = key == NULL;
    request.path = (const char *)path.data;
    if (follows && cli->timeout_ms == 0)
        request.timeout_ms = UINT64_MAX;
    rc = sw_client_follow(cli->client, &request, on_line, &follower, err);
    if (follower.rc != SW_OK)
        return follower.rc;
    /* Without --follow the end of the stream is the end of the lines. */
    if (rc == SW_E_UNAVAILABLE && !follows && !sw_client_is_unreachable(cli->client))
        return SW_OK;
    return rc == SW_E_TIMEOUT && follows && cli->timeout_ms != 0 ? SW_OK : rc;
}
