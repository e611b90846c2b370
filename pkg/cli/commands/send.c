#include "pkg/cli/commands/body.h"
#include "pkg/cli/commands/commands.h"
#include "pkg/cli/commands/target.h"

#include <string.h>

#define PROGRESS_EVERY_MS 1000

enum sw_rc sw_target_parse(struct sw_cli *cli, const char *word, struct sw_target *ret_target,
                           struct sw_err *err)
{
    const char *slash;

    if (strncmp(word, "agents/", 7) == 0 && strlen(word) > 7)
        word += 7;
    slash = strchr(word, '/');
    ret_target->agent =
        slash == NULL ? word : sw_cli_format(cli, "%.*s", (int)(slash - word), word);
    ret_target->key = slash == NULL ? NULL : slash + 1;
    if (ret_target->agent[0] == '\0' || (slash != NULL && slash[1] == '\0')) {
        (void)sw_cli_usage(cli, err, "\"%s\" is no instance", word);
        sw_err_hint(err, "write AGENT/KEY, or AGENT for any instance of a replicated one");
        return SW_E_INVALID;
    }
    if (strlen(word) > SW_INSTANCE_NAME_MAX)
        return sw_cli_usage(cli, err, "an instance's name has at most %d bytes",
                            SW_INSTANCE_NAME_MAX);
    return SW_OK;
}

/* The reply as it is when somebody pipes it; for a person with a newline at its end and nothing
 * that steers her terminal. */
static void print_reply(struct sw_cli *cli, const struct sw_answer *answer)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};

    if (!cli->terminal->out_is_terminal) {
        sw_cli_put(cli, &answer->body);
        return;
    }
    sw_buffer_init(&text, SW_CLI_OUTPUT_BYTES_MAX);
    if (answer->body.size > 0)
        sw_output_put_safe(&text, (const char *)answer->body.data, answer->body.size, true);
    if (text.size > 0 && text.data[text.size - 1] != '\n')
        sw_buffer_put_text(&text, "\n");
    sw_cli_put(cli, &text);
}

/* A message on its way. */
struct sent {
    bool is_done;
    enum sw_rc rc;
    struct sw_answer *answer;
    struct sw_err *err;
};

static void on_done(void *ctx, enum sw_rc rc, const struct sw_answer *answer,
                    const struct sw_err *err)
{
    struct sent *sent = ctx;

    sent->is_done = true;
    sent->rc = rc;
    if (rc != SW_OK)
        *sent->err = *err;
    (void)memcpy(sent->answer->content_type, answer->content_type, sizeof answer->content_type);
    (void)memcpy(sent->answer->from, answer->from, sizeof answer->from);
    if (answer->body.size > 0)
        sw_buffer_put(&sent->answer->body, answer->body.data, answer->body.size);
}

/* Send and wait; who waits for long sees for whom. */
static enum sw_rc send_and_wait(struct sw_cli *cli, const struct sw_client_message *message,
                                struct sw_answer *answer, struct sw_err *err)
{
    struct sent sent = {.answer = answer, .err = err};
    uint64_t begin_ms = sw_client_now_ms(cli->client), passed_ms = 0;
    enum sw_rc rc = sw_client_send_start(cli->client, message, on_done, &sent, err);

    while (rc == SW_OK && !sent.is_done) {
        rc = sw_client_run(cli->client, PROGRESS_EVERY_MS, err);
        passed_ms = sw_client_now_ms(cli->client) - begin_ms;
        if (passed_ms >= PROGRESS_EVERY_MS && !sent.is_done)
            sw_cli_progress(cli, "waiting for %s for %u s", message->agent,
                            (unsigned)(passed_ms / 1000));
    }
    if (passed_ms >= PROGRESS_EVERY_MS)
        sw_cli_progress(cli, "%s", "");
    return rc == SW_OK ? sent.rc : rc;
}

enum sw_rc sw_command_send(struct sw_cli *cli, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer body = {0};
    SW_CLEANUP(sw_answer_done) struct sw_answer answer = {0};
    struct sw_client_message message = {.want_reply = true, .timeout_ms = cli->timeout_ms};
    struct sw_target target;
    enum sw_rc rc;

    sw_buffer_init(&body, SW_BODY_BYTES_MAX);
    sw_answer_init(&answer);
    if (sw_arguments_text(cli->arguments, "each") != NULL)
        return sw_command_send_each(cli, err);
    rc = sw_target_parse(cli, sw_arguments_at(cli->arguments, 0), &target, err);
    if (rc == SW_OK)
        rc = sw_body_load(cli, 1, &body, &message.content_type, err);
    if (rc == SW_OK)
        rc = sw_cli_connect(cli, err);
    if (rc != SW_OK)
        return rc;
    message.namespace = cli->namespace;
    message.agent = target.agent;
    message.key = target.key;
    message.body = (struct sw_bytes){body.data, body.size};
    message.priority = sw_arguments_text(cli->arguments, "priority");
    message.request_id = sw_arguments_text(cli->arguments, "request-id");
    message.want_reply = !sw_arguments_is(cli->arguments, "no-reply", false);
    rc = send_and_wait(cli, &message, &answer, err);
    if (rc != SW_OK)
        return rc;
    if (cli->is_verbose && answer.from[0] != '\0')
        sw_cli_say(cli, "from %s, %s\n", answer.from, answer.content_type);
    if (message.want_reply)
        print_reply(cli, &answer);
    return SW_OK;
}
