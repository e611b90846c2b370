/* What an instance said to models: agent transcript. */
#include "pkg/cli/commands/commands.h"
#include "pkg/cli/commands/look.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NEWEST_TURNS 100u
#define TEXT_SHOWN 400u /* Bytes of a text in a table; others have all that is told. */
#define TEXT_MAX 65536u
#define ID_SHOWN 12
#define NANO_PER_DOLLAR 1000000000u
#define NANO_PER_SHOWN 100u

static void put_safe(struct sw_buffer *out, const char *text)
{
    sw_output_put_safe(out, text, strlen(text), false);
}

/* Lines of a text, the first behind what is there, the others indented. */
static void put_lines(struct sw_buffer *out, const char *text)
{
    for (const char *line = text;;) {
        const char *end = strchr(line, '\n');
        size_t size = end == NULL ? strlen(line) : (size_t)(end - line);

        sw_output_put_safe(out, line, size, false);
        sw_buffer_put_text(out, "\n");
        if (end == NULL)
            return;
        line = end + 1;
        sw_buffer_print(out, "  %-10s ", "");
    }
}

static void put_cost(struct sw_buffer *out, const char *nano)
{
    uint64_t cost = 0;

    if (sw_text_to_u64(nano, &cost) == SW_OK)
        sw_buffer_print(out, ", $%" PRIu64 ".%07" PRIu64, cost / NANO_PER_DOLLAR,
                        cost % NANO_PER_DOLLAR / NANO_PER_SHOWN);
}

/* Whether it goes on with an earlier conversation. */
static void put_continues(struct sw_buffer *out, const struct sw_tree *call)
{
    const char *known = sw_member_text(call, "continues");
    uint64_t shared = sw_member_number(call, "shared");

    if (sw_member_number(call, "messages") == 0)
        return;
    if (shared == 0)
        sw_buffer_put_text(out, "  begins a conversation\n");
    else
        sw_buffer_print(out, "  continues %.*s (%" PRIu64 " message%s before)\n", ID_SHOWN, known,
                        shared, shared == 1 ? "" : "s");
    if (sw_member_number(call, "untold") > 0)
        sw_buffer_print(out, "  %s more messages are not told\n", sw_member_text(call, "untold"));
}

static void put_call(struct sw_buffer *out, const struct sw_tree *call)
{
    const char *model = sw_member_text(call, "model"), *by = sw_member_text(call, "answeredBy");
    const char *provider = sw_member_text(call, "provider"), *words = sw_member_text(call, "words");

    sw_buffer_print(out, "@%s #%s %s ", sw_member_text(call, "turn"), sw_member_text(call, "call"),
                    sw_member_text(call, "time"));
    put_safe(out, sw_member_text(call, "service"));
    sw_buffer_put_text(out, model[0] == '\0' ? "" : " ");
    put_safe(out, model);
    sw_buffer_print(out, ": %s", sw_member_text(call, "outcome"));
    if (provider[0] != '\0') {
        sw_buffer_put_text(out, " by ");
        put_safe(out, provider);
    }
    if (by[0] != '\0' && strcmp(by, model) != 0) {
        sw_buffer_put_text(out, " with ");
        put_safe(out, by);
    }
    if (sw_member_text(call, "inputTokens")[0] != '\0')
        sw_buffer_print(out, ", %s + %s tokens", sw_member_text(call, "inputTokens"),
                        sw_member_text(call, "outputTokens"));
    put_cost(out, sw_member_text(call, "costNano"));
    if (sw_member_text(call, "tookMs")[0] != '\0')
        sw_buffer_print(out, ", %s ms", sw_member_text(call, "tookMs"));
    sw_buffer_put_text(out, "\n");
    if (sw_member_text(call, "code")[0] != '\0') {
        sw_buffer_print(out, "  %s: ", sw_member_text(call, "code"));
        put_lines(out, words);
    }
    put_continues(out, call);
}

static void put_message(struct sw_cli *cli, struct sw_buffer *out, const struct sw_tree *message,
                        bool is_wide)
{
    const char *text = sw_member_text(message, "text");
    uint64_t all = sw_member_number(message, "bytes");
    size_t size = strlen(text), shown = is_wide || size <= TEXT_SHOWN ? size : TEXT_SHOWN;

    while (shown > 0 && shown < size && ((uint8_t)text[shown] & 0xc0) == 0x80)
        shown--; /* Whole characters. */
    if (size > 0 || sw_member_first(message, "toolCalls") == NULL) {
        sw_buffer_print(out, "  %-10s ", sw_member_text(message, "role"));
        put_lines(out, sw_cli_format(cli, "%.*s", (int)shown, text));
    }
    if (shown < all)
        sw_buffer_print(out, "  %-10s ... of %" PRIu64 " bytes\n", "", all);
    for (const struct sw_tree *call = sw_member_first(message, "toolCalls"); call != NULL;
         call = call->next) {
        sw_buffer_print(out, "  %-10s calls ", sw_member_text(message, "role"));
        put_safe(out, sw_member_text(call, "name"));
        sw_buffer_put_text(out, "(");
        put_safe(out, sw_member_text(call, "arguments"));
        sw_buffer_put_text(out, ")\n");
    }
}

static void put_entries(struct sw_cli *cli, struct sw_buffer *out, const struct sw_tree *tree,
                        bool is_wide)
{
    for (const struct sw_tree *entry = sw_member_first(tree, "entries"); entry != NULL;
         entry = entry->next) {
        if (strcmp(sw_member_text(entry, "kind"), "message") == 0)
            put_message(cli, out, entry, is_wide);
        else
            put_call(out, entry);
    }
}

/* What is not there any more is said, so that nobody takes the rest for all of it. */
static void put_missing(struct sw_buffer *out, const struct sw_look *look,
                        const struct sw_tree *tree)
{
    uint64_t replayable = sw_member_number(tree, "replayable");
    uint64_t last = sw_member_number(tree, "last"), from = look->from;

    if (look->is_newest)
        from = last > look->limit ? last - look->limit : 0;
    if (replayable > 1 && from < replayable)
        sw_buffer_print(out,
                        "what turns up to @%" PRIu64
                        " said is not kept: spec.history of the Agent says how much is\n",
                        replayable);
}

/* One page. *ret_next: the turn after it; 0: there is none. */
static enum sw_rc show_page(struct sw_cli *cli, struct sw_look *look, enum sw_output_format format,
                            uint64_t *ret_next, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    struct sw_asked asked = {.arena = NULL};
    enum sw_rc rc = sw_look_ask(cli, look, &asked, err);
    uint64_t last = 0, through = 0;

    sw_buffer_init(&text, SW_CLI_OUTPUT_BYTES_MAX);
    *ret_next = 0;
    if (rc == SW_OK && format == SW_OUTPUT_JSON) {
        sw_buffer_put(&text, asked.answer.body.data, asked.answer.body.size);
        sw_buffer_put_text(&text, "\n");
    } else if (rc == SW_OK) {
        put_missing(&text, look, asked.tree);
        put_entries(cli, &text, asked.tree, format == SW_OUTPUT_WIDE);
    }
    if (rc == SW_OK) {
        last = sw_member_number(asked.tree, "last");
        through = sw_member_number(asked.tree, "through");
        rc = sw_buffer_check(&text) == SW_OK ? SW_OK : sw_cli_no_memory(err);
    }
    if (rc == SW_OK)
        sw_cli_put(cli, &text);
    if (look->is_newest)
        look->to = last;
    look->is_newest = false;
    if (rc == SW_OK && through < last && (look->to == 0 || through < look->to))
        *ret_next = through + 1;
    sw_asked_done(&asked);
    return rc;
}

enum sw_rc sw_command_agent_transcript(struct sw_cli *cli, struct sw_err *err)
{
    const char *range = sw_arguments_at(cli->arguments, 1);
    enum sw_output_format format = SW_OUTPUT_TABLE;
    struct sw_look look = {.is_newest = false};
    uint64_t next = 1, before = 0;
    enum sw_rc rc = sw_look_begin(cli, &look, err);

    look.view = "transcript";
    look.body = TEXT_MAX;
    if (rc == SW_OK)
        rc = sw_look_format(cli, &format, err);
    if (rc == SW_OK && range != NULL)
        rc = sw_look_range(cli, range, &look, err);
    if (rc == SW_OK && range == NULL && !sw_arguments_is(cli->arguments, "all", false)) {
        look.is_newest = true;
        look.limit = NEWEST_TURNS;
    }
    if (rc == SW_OK)
        rc = sw_cli_connect(cli, err);
    for (; rc == SW_OK && next > before; look.from = next) {
        before = next;
        rc = show_page(cli, &look, format, &next, err);
    }
    return rc;
}
