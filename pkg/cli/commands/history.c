/* What an instance did: agent history, inspect, replay and fork. */
#include "pkg/apis/swarm/v1/json.h"
#include "pkg/cli/commands/body.h"
#include "pkg/cli/commands/commands.h"
#include "pkg/cli/commands/look.h"
#include "pkg/utils/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PATH_BYTES_MAX 8192
#define PAGE_TURNS 1000u
#define NEWEST_TURNS 100u
#define BODY_SHOWN 65536u
#define WORDS_SHOWN 60
#define HEX_SHOWN 64u
#define HEX_LINE 16u
#define TIME_SHOWN 23 /* To the millisecond. */

void sw_asked_done(struct sw_asked *asked)
{
    sw_answer_done(&asked->answer);
    sw_arena_free(asked->arena);
}

/* --- Asking ---------------------------------------------------------------------------------- */

static void put_path(struct sw_cli *cli, const struct sw_look *look, struct sw_buffer *path)
{
    sw_buffer_put_text(path, "/apis/swarm/v1/namespaces/");
    sw_client_escape(cli->namespace, path);
    sw_buffer_put_text(path, "/agents/");
    sw_client_escape(look->target.agent, path);
    sw_buffer_put_text(path, look->as == NULL ? "/history?key=" : "/held?key=");
    sw_client_escape(look->target.key, path);
    sw_buffer_print(path, "&body=%u", look->body);
    if (look->module != NULL) {
        sw_buffer_put_text(path, "&module=");
        sw_client_escape(look->module, path);
    }
    if (look->as != NULL) {
        sw_buffer_put_text(path, "&as=");
        sw_client_escape(look->as, path);
    }
    if (look->turn != 0)
        sw_buffer_print(path, "&turn=%" PRIu64 "&input=%d", look->turn, look->has_input);
    else
        sw_buffer_print(path, "&view=%s&from=%" PRIu64 "&to=%" PRIu64 "&limit=%u&newest=%d",
                        look->view, look->from, look->to, look->limit, look->is_newest);
    sw_buffer_put_u8(path, 0);
}

enum sw_rc sw_look_ask(struct sw_cli *cli, const struct sw_look *look, struct sw_asked *asked,
                       struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer path = {0};
    struct sw_request request = {
        .method = look->method, .body = look->input, .content_type = look->content_type};
    enum sw_rc rc;

    sw_answer_init(&asked->answer);
    asked->tree = NULL;
    asked->arena = sw_arena_new(SW_CLI_ARENA_BYTES_MAX);
    if (asked->arena == NULL)
        return sw_cli_no_memory(err);
    sw_buffer_init(&path, PATH_BYTES_MAX);
    put_path(cli, look, &path);
    if (sw_buffer_check(&path) != SW_OK)
        return sw_err_set(err, SW_E_INVALID, "the name is too long");
    request.path = (const char *)path.data;
    rc = sw_client_call(cli->client, &request, &asked->answer, err);
    if (rc != SW_OK)
        return rc;
    return sw_members_take(&asked->answer, asked->arena, &asked->tree, err);
}

/* "@12" or "12".  SW_E_INVALID: neither. */
static enum sw_rc read_turn(struct sw_cli *cli, const char *word, size_t size, uint64_t *ret_turn,
                            struct sw_err *err)
{
    char digits[24];

    if (size > 0 && word[0] == '@') {
        word++;
        size--;
    }
    (void)snprintf(digits, sizeof digits, "%.*s", size < sizeof digits ? (int)size : 0, word);
    if (sw_text_to_u64(digits, ret_turn) == SW_OK && *ret_turn > 0)
        return SW_OK;
    (void)sw_cli_usage(cli, err, "\"%s\" names no turn", word);
    sw_err_hint(err, "write @12; \"swarm agent history\" lists the turns that there are");
    return SW_E_INVALID;
}

/* "@3..@9", "@3..", "..@9", "@9". */
enum sw_rc sw_look_range(struct sw_cli *cli, const char *word, struct sw_look *look,
                         struct sw_err *err)
{
    const char *dots = strstr(word, "..");
    enum sw_rc rc = SW_OK;

    if (dots == NULL) {
        rc = read_turn(cli, word, strlen(word), &look->from, err);
        look->to = look->from;
        return rc;
    }
    if (dots > word)
        rc = read_turn(cli, word, (size_t)(dots - word), &look->from, err);
    if (rc == SW_OK && dots[2] != '\0')
        rc = read_turn(cli, dots + 2, strlen(dots + 2), &look->to, err);
    if (rc == SW_OK && look->to != 0 && look->from > look->to)
        rc = sw_cli_usage(cli, err, "\"%s\" ends before it begins", word);
    return rc;
}

/* The instance that the first argument names, and a connection. */
enum sw_rc sw_look_begin(struct sw_cli *cli, struct sw_look *look, struct sw_err *err)
{
    enum sw_rc rc = sw_target_parse(cli, sw_arguments_at(cli->arguments, 0), &look->target, err);

    look->method = "GET";
    look->view = "turns";
    look->limit = PAGE_TURNS;
    if (rc == SW_OK && look->target.key == NULL) {
        rc = sw_cli_usage(cli, err, "an Agent has many instances, and each its own history");
        sw_err_hint(err, "write AGENT/KEY; the keys of replicas are 0, 1 and so on");
    }
    return rc;
}

static enum sw_rc put_out(struct sw_cli *cli, struct sw_buffer *text, struct sw_err *err)
{
    if (sw_buffer_check(text) != SW_OK)
        return sw_cli_no_memory(err);
    sw_cli_put(cli, text);
    return SW_OK;
}

/* --- Lists of turns -------------------------------------------------------------------------- */

/* What began it, in words. */
static const char *cause_of(struct sw_cli *cli, const struct sw_tree *turn)
{
    const char *cause = sw_member_text(turn, "cause"), *subject = sw_member_text(turn, "subject");
    const char *timer = sw_member_text(turn, "timer");

    if (subject[0] != '\0')
        return sw_cli_format(cli, "%s on %s", cause, subject);
    if (strcmp(sw_member_text(turn, "reply"), "true") == 0)
        return sw_cli_format(cli, "%s, an answer", cause);
    return timer[0] != '\0' ? sw_cli_format(cli, "%s %s", cause, timer) : cause;
}

static const char *from_of(const struct sw_tree *turn)
{
    const char *from = sw_member_text(turn, "from");

    if (from[0] != '\0')
        return from;
    return strcmp(sw_member_text(turn, "cause"), "message") == 0 &&
                   sw_member_text(turn, "subject")[0] == '\0'
               ? "client"
               : "-";
}

/* "2 send, reply" */
static const char *effects_of(struct sw_cli *cli, const struct sw_tree *turn)
{
    const char *words = "", *last = "";
    unsigned run = 0;

    for (const struct sw_tree *effect = sw_member_first(turn, "effects");; effect = effect->next) {
        const char *kind = effect == NULL ? "" : sw_member_text(effect, "kind");

        if (strcmp(kind, last) == 0 && effect != NULL) {
            run++;
            continue;
        }
        if (run > 1)
            words = sw_cli_format(cli, "%s%s%u %s", words, words[0] ? ", " : "", run, last);
        else if (run == 1)
            words = sw_cli_format(cli, "%s%s%s", words, words[0] ? ", " : "", last);
        if (effect == NULL || strlen(words) > WORDS_SHOWN)
            break;
        last = kind;
        run = 1;
    }
    return words[0] == '\0' ? "-" : words;
}

static void add_row(struct sw_cli *cli, struct sw_table *table, const struct sw_tree *turn,
                    bool is_wide)
{
    const char *outcome = sw_member_text(turn, "outcome"), *why = sw_member_text(turn, "message");
    const char *fuel = sw_member_text(turn, "fuel");

    sw_table_print(table, "@%s", sw_member_text(turn, "turn"));
    sw_table_print(table, "%.*sZ", TIME_SHOWN, sw_member_text(turn, "time"));
    sw_table_add_cut(table, cause_of(cli, turn), WORDS_SHOWN);
    sw_table_add(table, from_of(turn));
    sw_table_add_cut(table, why[0] == '\0' ? outcome : sw_cli_format(cli, "%s: %s", outcome, why),
                     WORDS_SHOWN);
    sw_table_print(table, "%sus", sw_member_text(turn, "cpuMicroseconds"));
    sw_table_add_cut(table, effects_of(cli, turn), WORDS_SHOWN);
    if (!is_wide)
        return;
    sw_table_add(table, fuel[0] == '\0' ? "-" : fuel);
    sw_table_add(table, sw_member_text(turn, "digest"));
    sw_table_add(table, sw_member_text(turn, "lsn"));
    sw_table_add_cut(table, sw_member_text(turn, "module"), 24);
}

static struct sw_table *new_table(bool is_wide)
{
    static const char *const header[] = {"TURN",    "TIME", "CAUSE",  "FROM", "OUTCOME", "CPU",
                                         "EFFECTS", "FUEL", "DIGEST", "LSN",  "MODULE"};
    size_t count = is_wide ? 11 : 7;
    struct sw_table *table = sw_table_new(count);

    for (size_t i = 0; table != NULL && i < count; i++)
        sw_table_add(table, header[i]);
    return table;
}

/* One page. *ret_next: the turn after it; 0: there is none. */
static enum sw_rc list_page(struct sw_cli *cli, struct sw_look *look, enum sw_output_format format,
                            uint64_t *ret_next, struct sw_err *err)
{
    bool is_wide = format == SW_OUTPUT_WIDE;
    SW_CLEANUP(sw_table_freep) struct sw_table *table = new_table(is_wide);
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    struct sw_asked asked = {.arena = NULL};
    enum sw_rc rc = table == NULL ? sw_cli_no_memory(err) : sw_look_ask(cli, look, &asked, err);

    sw_buffer_init(&text, SW_CLI_OUTPUT_BYTES_MAX);
    *ret_next = 0;
    for (const struct sw_tree *turn = rc == SW_OK ? sw_member_first(asked.tree, "turns") : NULL;
         turn != NULL; turn = turn->next) {
        add_row(cli, table, turn, is_wide);
        *ret_next = sw_member_number(turn, "turn") + 1;
    }
    if (rc == SW_OK && look->is_newest) { /* They may be more than are told at once. */
        look->to = sw_member_number(asked.tree, "last");
        look->is_newest = false;
    }
    if (rc == SW_OK && (*ret_next > sw_member_number(asked.tree, "last") ||
                        (look->to != 0 && *ret_next > look->to)))
        *ret_next = 0;
    if (rc == SW_OK && format == SW_OUTPUT_JSON) {
        sw_buffer_put(&text, asked.answer.body.data, asked.answer.body.size);
        sw_buffer_put_text(&text, "\n");
    } else if (rc == SW_OK && sw_table_put(table, &text) != SW_OK) {
        rc = sw_cli_no_memory(err);
    }
    if (rc == SW_OK)
        rc = put_out(cli, &text, err);
    sw_asked_done(&asked);
    return rc;
}

enum sw_rc sw_look_format(struct sw_cli *cli, enum sw_output_format *ret_format, struct sw_err *err)
{
    struct sw_output output;
    enum sw_rc rc = sw_output_parse(sw_arguments_text(cli->arguments, "output"), &output, err);

    *ret_format = output.format;
    if (rc == SW_OK && output.format != SW_OUTPUT_TABLE && output.format != SW_OUTPUT_WIDE &&
        output.format != SW_OUTPUT_JSON)
        rc = sw_cli_usage(cli, err, "a history is shown as table, wide or json");
    return rc;
}

enum sw_rc sw_command_agent_history(struct sw_cli *cli, struct sw_err *err)
{
    const char *range = sw_arguments_at(cli->arguments, 1);
    bool is_all = sw_arguments_is(cli->arguments, "all", false);
    enum sw_output_format format = SW_OUTPUT_TABLE;
    uint64_t next = 1;
    struct sw_look look = {.is_newest = false};
    enum sw_rc rc = sw_look_begin(cli, &look, err);

    if (rc == SW_OK)
        rc = sw_look_format(cli, &format, err);
    if (rc == SW_OK && range != NULL)
        rc = sw_look_range(cli, range, &look, err);
    if (rc == SW_OK && format == SW_OUTPUT_JSON)
        look.body = BODY_SHOWN;
    if (rc == SW_OK && range == NULL && !is_all) {
        look.is_newest = true;
        look.limit = NEWEST_TURNS;
    }
    if (rc == SW_OK)
        rc = sw_cli_connect(cli, err);
    while (rc == SW_OK && next != 0) {
        rc = list_page(cli, &look, format, &next, err);
        look.from = next;
    }
    return rc;
}

/* --- One turn -------------------------------------------------------------------------------- */

static void put_field(struct sw_buffer *out, const char *label, const char *value)
{
    if (value[0] == '\0')
        return;
    sw_buffer_print(out, "%-14s ", label);
    sw_output_put_safe(out, value, strlen(value), false);
    sw_buffer_put_text(out, "\n");
}

/* Sixteen bytes in a line, as many as are worth looking at. */
static void put_hex(struct sw_buffer *out, const struct sw_buffer *body, const char *indent)
{
    size_t size = body->size < HEX_SHOWN ? body->size : HEX_SHOWN;

    for (size_t at = 0; at < size; at += HEX_LINE) {
        sw_buffer_print(out, "%s%04zx ", indent, at);
        for (size_t i = at; i < size && i < at + HEX_LINE; i++)
            sw_buffer_print(out, " %02x", body->data[i]);
        sw_buffer_put_text(out, "\n");
    }
}

static void put_lines(struct sw_buffer *out, const struct sw_buffer *body, const char *indent)
{
    for (size_t at = 0; at < body->size;) {
        const uint8_t *line = body->data + at;
        const uint8_t *end = memchr(line, '\n', body->size - at);
        size_t length = end == NULL ? body->size - at : (size_t)(end - line);

        sw_buffer_put_text(out, indent);
        sw_output_put_safe(out, (const char *)line, length, false);
        sw_buffer_put_text(out, "\n");
        at += length + 1;
    }
}

/* The beginning of a body: its lines, or the bytes of what is no text. */
static void put_body(struct sw_buffer *out, const struct sw_tree *item, const char *indent)
{
    const char *encoded = sw_member_text(item, "body");
    uint64_t size = sw_member_number(item, "sizeBytes"), shown = size;
    struct sw_buffer body;

    sw_buffer_init(&body, SW_CLI_OUTPUT_BYTES_MAX);
    if (sw_base64_decode(encoded, strlen(encoded), &body) == SW_OK && body.size > 0) {
        bool is_text = sw_text_is_utf8((const char *)body.data, body.size);

        shown = is_text || body.size < HEX_SHOWN ? body.size : HEX_SHOWN;
        if (is_text)
            put_lines(out, &body, indent);
        else
            put_hex(out, &body, indent);
        if (shown < size)
            sw_buffer_print(out, "%s... of %" PRIu64 " bytes\n", indent, size);
    }
    sw_buffer_done(&body);
}

static void put_effects(struct sw_buffer *out, const struct sw_tree *turn)
{
    uint64_t told = 0;

    for (const struct sw_tree *effect = sw_member_first(turn, "effects"); effect != NULL;
         effect = effect->next) {
        const char *to = sw_member_text(effect, "to"), *due = sw_member_text(effect, "due");

        sw_buffer_print(out, "  %s", sw_member_text(effect, "kind"));
        if (to[0] != '\0') {
            sw_buffer_put_text(out, " ");
            sw_output_put_safe(out, to, strlen(to), false);
        }
        if (due[0] != '\0')
            sw_buffer_print(out, " until %s", due);
        if (sw_member_number(effect, "status") != 0)
            sw_buffer_print(out, " status -%s", sw_member_text(effect, "status"));
        if (sw_member_number(effect, "sizeBytes") != 0)
            sw_buffer_print(out, ", %s bytes", sw_member_text(effect, "sizeBytes"));
        sw_buffer_put_text(out, "\n");
        put_body(out, effect, "    ");
        told++;
    }
    if (told < sw_member_number(turn, "effectsCount"))
        sw_buffer_print(out, "  and %" PRIu64 " more\n",
                        sw_member_number(turn, "effectsCount") - told);
    if (told == 0)
        sw_buffer_put_text(out, "  nothing\n");
}

static void put_turn(struct sw_cli *cli, struct sw_buffer *out, const struct sw_tree *turn)
{
    put_field(out, "Turn", sw_cli_format(cli, "@%s", sw_member_text(turn, "turn")));
    put_field(out, "Time", sw_member_text(turn, "time"));
    put_field(out, "Cause", cause_of(cli, turn));
    put_field(out, "From", from_of(turn));
    put_field(out, "Request", sw_member_text(turn, "requestId"));
    put_field(out, "Outcome", sw_member_text(turn, "outcome"));
    put_field(out, "Message", sw_member_text(turn, "message"));
    put_field(out, "Try", sw_member_text(turn, "attempt"));
    put_field(out, "Module", sw_member_text(turn, "module"));
    put_field(out, "Processor",
              sw_cli_format(cli, "%s us", sw_member_text(turn, "cpuMicroseconds")));
    put_field(out, "Fuel", sw_member_text(turn, "fuel"));
    put_field(out, "Effects digest", sw_member_text(turn, "digest"));
    if (sw_member_text(turn, "contentType")[0] != '\0' || sw_member_number(turn, "sizeBytes") > 0) {
        put_field(out, "Input",
                  sw_cli_format(cli, "%s, %s bytes", sw_member_text(turn, "contentType"),
                                sw_member_text(turn, "sizeBytes")));
        put_body(out, turn, "  ");
    } else if (strcmp(sw_member_text(turn, "bodyGone"), "true") == 0) {
        put_field(out, "Input", "is not kept any more");
    }
    sw_buffer_put_text(out, "Effects\n");
    put_effects(out, turn);
}

static void put_state(struct sw_cli *cli, struct sw_buffer *out, const struct sw_tree *state)
{
    put_field(out, "State after", sw_cli_format(cli, "@%s", sw_member_text(state, "turn")));
    put_field(out, "Module", sw_member_text(state, "module"));
    put_field(out, "Engine", sw_member_text(state, "engine"));
    put_field(out, "Memory", sw_cli_format(cli, "%s bytes", sw_member_text(state, "memoryBytes")));
    put_field(out, "State digest", sw_member_text(state, "digest"));
    put_field(out, "Failures", sw_member_text(state, "failures"));
    put_field(out, "Waits for", sw_member_text(state, "waitsFor"));
    put_field(out, "  until", sw_member_text(state, "waitDue"));
    put_field(out, "Questions", sw_member_text(state, "openQuestions"));
    put_field(out, "Timers", sw_member_text(state, "timers"));
    put_field(out, "Subscriptions", sw_member_text(state, "subscriptions"));
    if (sw_member_text(state, "heldEffects")[0] != '\0')
        put_field(out, "Held",
                  sw_cli_format(cli, "%s effects, %s bytes", sw_member_text(state, "heldEffects"),
                                sw_member_text(state, "heldBytes")));
    for (const struct sw_tree *item = sw_member_first(state, "items"); item != NULL;
         item = item->next) {
        const char *due = sw_member_text(item, "due"), *text = sw_member_text(item, "text");
        const char *number = sw_member_text(item, "number");

        sw_buffer_print(out, "  %s", sw_member_text(item, "kind"));
        if (number[0] != '\0')
            sw_buffer_print(out, " %s", number);
        if (text[0] != '\0')
            sw_buffer_put_text(out, " ");
        sw_output_put_safe(out, text, strlen(text), false);
        sw_buffer_print(out, "%s%s\n", due[0] == '\0' ? "" : ", due ", due);
    }
}

enum sw_rc sw_command_agent_inspect(struct sw_cli *cli, struct sw_err *err)
{
    const char *turn = sw_arguments_at(cli->arguments, 1);
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    enum sw_output_format format = SW_OUTPUT_TABLE;
    struct sw_asked asked = {.arena = NULL};
    struct sw_look look = {.is_newest = false};
    enum sw_rc rc = sw_look_begin(cli, &look, err);

    look.view = "state";
    look.body = BODY_SHOWN;
    sw_buffer_init(&text, SW_CLI_OUTPUT_BYTES_MAX);
    if (rc == SW_OK && turn != NULL)
        rc = read_turn(cli, turn, strlen(turn), &look.to, err);
    if (rc == SW_OK)
        rc = sw_look_format(cli, &format, err);
    if (rc == SW_OK)
        rc = sw_cli_connect(cli, err);
    if (rc == SW_OK)
        rc = sw_look_ask(cli, &look, &asked, err);
    if (rc == SW_OK && format == SW_OUTPUT_JSON) {
        sw_buffer_put(&text, asked.answer.body.data, asked.answer.body.size);
        sw_buffer_put_text(&text, "\n");
    } else if (rc == SW_OK) {
        const struct sw_tree *first = sw_member_first(asked.tree, "turns");

        if (first != NULL)
            put_turn(cli, &text, first);
        put_state(cli, &text, sw_tree_find(asked.tree, "state"));
    }
    if (rc == SW_OK)
        rc = put_out(cli, &text, err);
    sw_asked_done(&asked);
    return rc;
}

/* --- Running again --------------------------------------------------------------------------- */

struct rerun { /* What was found so far. */
    uint64_t first, last, same, skipped, differ;
    uint64_t end; /* As far as it should go. */
};

static enum sw_rc replay_page(struct sw_cli *cli, struct sw_look *look, struct rerun *rerun,
                              uint64_t *ret_next, struct sw_err *err)
{
    struct sw_asked asked = {.arena = NULL};
    enum sw_rc rc = sw_look_ask(cli, look, &asked, err);

    *ret_next = 0;
    for (const struct sw_tree *turn = rc == SW_OK ? sw_member_first(asked.tree, "turns") : NULL;
         turn != NULL; turn = turn->next) {
        const char *verdict = sw_member_text(turn, "verdict");

        rerun->last = sw_member_number(turn, "turn");
        if (rerun->first == 0)
            rerun->first = rerun->last;
        rerun->same += strcmp(verdict, "same") == 0;
        rerun->skipped += strcmp(verdict, "skipped") == 0;
        rerun->differ += strcmp(verdict, "differs") == 0;
        if (cli->is_verbose || strcmp(verdict, "differs") == 0)
            sw_cli_print(cli, "@%s %s%s%s\n", sw_member_text(turn, "turn"), verdict,
                         sw_member_text(turn, "message")[0] == '\0' ? "" : ": ",
                         sw_member_text(turn, "message"));
        *ret_next = rerun->last + 1;
    }
    if (rc == SW_OK) {
        rerun->end = sw_member_number(asked.tree, "last");
        if (look->to != 0 && look->to < rerun->end)
            rerun->end = look->to;
    }
    if (rc == SW_OK && (rerun->differ > 0 || *ret_next > sw_member_number(asked.tree, "last") ||
                        (look->to != 0 && *ret_next > look->to)))
        *ret_next = 0;
    sw_asked_done(&asked);
    return rc;
}

/* What was run says nothing of turns that are not there. */
static void put_rerun(struct sw_cli *cli, const struct rerun *rerun)
{
    uint64_t told = rerun->same + rerun->skipped + rerun->differ;
    uint64_t last = rerun->differ > 0 || rerun->end < rerun->last ? rerun->last : rerun->end;
    uint64_t missing = last - rerun->first + 1 - told;

    if (rerun->first == 0) {
        sw_cli_print(cli, "there is no turn to be run again\n");
        return;
    }
    sw_cli_print(cli,
                 "replayed @%" PRIu64 "..@%" PRIu64 ": %" PRIu64
                 " came to what is recorded, %" PRIu64 " had failed and changed nothing",
                 rerun->first, last, rerun->same, rerun->skipped);
    if (missing > 0)
        sw_cli_print(cli, ", %" PRIu64 " are not kept", missing);
    sw_cli_print(cli, "\n");
}

enum sw_rc sw_command_agent_replay(struct sw_cli *cli, struct sw_err *err)
{
    const char *range = sw_arguments_at(cli->arguments, 1);
    struct sw_look look = {.is_newest = false};
    struct rerun rerun = {.first = 0};
    uint64_t next = 1;
    enum sw_rc rc = sw_look_begin(cli, &look, err);

    look.view = "replay";
    look.module = sw_arguments_text(cli->arguments, "module");
    if (rc == SW_OK && range != NULL)
        rc = sw_look_range(cli, range, &look, err);
    if (rc == SW_OK)
        rc = sw_cli_connect(cli, err);
    while (rc == SW_OK && next != 0) {
        rc = replay_page(cli, &look, &rerun, &next, err);
        look.from = next;
    }
    if (rc != SW_OK)
        return rc;
    put_rerun(cli, &rerun);
    return rerun.differ == 0
               ? SW_OK
               : sw_err_set(err, SW_E_PRECONDITION,
                            "turn @%" PRIu64 " came to something else than is recorded",
                            rerun.last);
}

/* --- Something changed ----------------------------------------------------------------------- */

static enum sw_rc read_fork(struct sw_cli *cli, struct sw_look *look, struct sw_buffer *input,
                            struct sw_err *err)
{
    const char *turn = sw_arguments_at(cli->arguments, 1);
    const char *file = sw_arguments_text(cli->arguments, "input");
    enum sw_rc rc = sw_look_begin(cli, look, err);

    if (rc == SW_OK)
        rc = read_turn(cli, turn, strlen(turn), &look->turn, err);
    look->module = sw_arguments_text(cli->arguments, "module");
    look->as = sw_arguments_text(cli->arguments, "as");
    look->has_input = file != NULL;
    if (rc == SW_OK && file != NULL)
        rc = sw_body_load_file(cli, file, input, &look->content_type, err);
    look->input = (struct sw_bytes){input->data, input->size};
    look->body = BODY_SHOWN;
    return rc;
}

static void put_fork(struct sw_cli *cli, const struct sw_tree *recorded,
                     const struct sw_tree *tried, struct sw_buffer *out)
{
    put_field(out, "Turn", sw_cli_format(cli, "@%s", sw_member_text(tried, "turn")));
    put_field(out, "Cause", cause_of(cli, tried));
    put_field(out, "From", from_of(tried));
    put_field(out, "Module", sw_member_text(tried, "module"));
    put_field(out, "Recorded", sw_member_text(recorded, "outcome"));
    put_field(out, "", sw_member_text(recorded, "message"));
    put_effects(out, recorded);
    put_field(out, "Forked", sw_member_text(tried, "outcome"));
    put_field(out, "", sw_member_text(tried, "message"));
    put_effects(out, tried);
    sw_buffer_print(out, "%s\n",
                    strcmp(sw_member_text(recorded, "digest"), sw_member_text(tried, "digest")) == 0
                        ? "Both ask for the same. Nothing of the fork has left."
                        : "Nothing of the fork has left.");
}

static void put_born(const struct sw_look *look, const struct sw_tree *tree, struct sw_buffer *out)
{
    const char *name = sw_member_text(tree, "instance");

    sw_output_put_safe(out, name, strlen(name), false);
    sw_buffer_print(out, " is as %s/", look->target.agent);
    sw_output_put_safe(out, look->target.key, strlen(look->target.key), false);
    sw_buffer_print(out, " was before @%" PRIu64 "; what it lets out is held\n", look->turn);
}

/* An instance that goes on from there. */
static enum sw_rc fork_as(struct sw_cli *cli, struct sw_look *look, enum sw_output_format format,
                          struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    struct sw_asked asked = {.arena = NULL};
    enum sw_rc rc;

    look->method = "POST";
    rc = sw_look_ask(cli, look, &asked, err);
    sw_buffer_init(&text, SW_CLI_OUTPUT_BYTES_MAX);
    if (rc == SW_OK && format == SW_OUTPUT_JSON) {
        sw_buffer_put(&text, asked.answer.body.data, asked.answer.body.size);
        sw_buffer_put_text(&text, "\n");
    } else if (rc == SW_OK && !cli->is_quiet) {
        put_born(look, asked.tree, &text);
    }
    if (rc == SW_OK)
        rc = put_out(cli, &text, err);
    sw_asked_done(&asked);
    return rc;
}

enum sw_rc sw_command_agent_fork(struct sw_cli *cli, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0}, input = {0};
    enum sw_output_format format = SW_OUTPUT_TABLE;
    struct sw_asked recorded = {.arena = NULL}, tried = {.arena = NULL};
    struct sw_look look = {.is_newest = false}, before;
    enum sw_rc rc;

    sw_buffer_init(&text, SW_CLI_OUTPUT_BYTES_MAX);
    sw_buffer_init(&input, SW_BODY_BYTES_MAX);
    rc = read_fork(cli, &look, &input, err);
    if (rc == SW_OK)
        rc = sw_look_format(cli, &format, err);
    if (rc == SW_OK)
        rc = sw_cli_connect(cli, err);
    if (rc == SW_OK && look.as != NULL)
        return fork_as(cli, &look, format, err);
    before = look;
    before.turn = 0;
    before.module = NULL;
    before.input = (struct sw_bytes){NULL, 0};
    before.from = before.to = look.turn;
    if (rc == SW_OK)
        rc = sw_look_ask(cli, &before, &recorded, err);
    look.method = "POST";
    if (rc == SW_OK)
        rc = sw_look_ask(cli, &look, &tried, err);
    if (rc == SW_OK && format == SW_OUTPUT_JSON) {
        sw_buffer_put(&text, tried.answer.body.data, tried.answer.body.size);
        sw_buffer_put_text(&text, "\n");
    } else if (rc == SW_OK) {
        put_fork(cli, sw_member_first(recorded.tree, "turns"), sw_member_first(tried.tree, "turns"),
                 &text);
    }
    if (rc == SW_OK)
        rc = put_out(cli, &text, err);
    sw_asked_done(&recorded);
    sw_asked_done(&tried);
    return rc;
}

/* --- What a fork holds ----------------------------------------------------------------------- */

static enum sw_rc change_held(struct sw_cli *cli, const char *method, const char *words,
                              struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer path = {0};
    SW_CLEANUP(sw_answer_done) struct sw_answer answer = {0};
    struct sw_request request = {.method = method};
    struct sw_look look = {.is_newest = false};
    enum sw_rc rc = sw_look_begin(cli, &look, err);

    sw_answer_init(&answer);
    sw_buffer_init(&path, PATH_BYTES_MAX);
    if (rc == SW_OK)
        rc = sw_cli_connect(cli, err);
    if (rc != SW_OK)
        return rc;
    sw_buffer_put_text(&path, "/apis/swarm/v1/namespaces/");
    sw_client_escape(cli->namespace, &path);
    sw_buffer_put_text(&path, "/agents/");
    sw_client_escape(look.target.agent, &path);
    sw_buffer_put_text(&path, "/held?key=");
    sw_client_escape(look.target.key, &path);
    sw_buffer_put_u8(&path, 0);
    if (sw_buffer_check(&path) != SW_OK)
        return sw_err_set(err, SW_E_INVALID, "the name is too long");
    request.path = (const char *)path.data;
    rc = sw_client_call(cli->client, &request, &answer, err);
    if (rc == SW_OK && !cli->is_quiet)
        sw_cli_print(cli, "%s/%s %s\n", look.target.agent, look.target.key, words);
    return rc;
}

enum sw_rc sw_command_agent_release(struct sw_cli *cli, struct sw_err *err)
{
    return change_held(cli, "PUT", "released", err);
}

enum sw_rc sw_command_agent_drop(struct sw_cli *cli, struct sw_err *err)
{
    return change_held(cli, "DELETE", "dropped", err);
}
