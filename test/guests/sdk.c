/* waits */
/* What the C SDK offers beside the guest ABI: models, tools, requests and people. A message is a
 * way and what to do it with, "text: where is Bern?"; a failure is refused with its code and words.
 */
#include <swarm/approve.h>
#include <swarm/http.h>
#include <swarm/model_stream.h>
#include <swarm/think.h>

SWARM_AGENT;

static char room[131072], other[65536];
static uint32_t counted;

static const char schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"city\",\"people\"],"
    "\"properties\":{\"city\":{\"type\":\"string\"},\"people\":{\"type\":\"integer\",\"minimum\":1}"
    "}}";

static int32_t order(void *ctx, struct swarm_json arguments, struct swarm_text *said)
{
    int64_t id = 0;

    (void)ctx;
    (void)swarm_json_integer(swarm_json_find(arguments, "id"), &id);
    if (id != 7) {
        swarm_put_words(said, "no order ");
        swarm_put_integer(said, id);
        return SWARM_E_NOT_FOUND;
    }
    swarm_put_words(said, "{\"item\":\"lamp\",\"paid\":12.5}");
    return SWARM_OK;
}

static int32_t count(void *ctx, struct swarm_json arguments, struct swarm_text *said)
{
    (void)ctx;
    (void)arguments;
    (void)said;
    counted++;
    return swarm_sleep(1000000); /* A tool may wait. */
}

static const struct swarm_tool tools[] = {
    {.name = "order",
     .description = "An order by its number.",
     .parameters = "{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"integer\"}},"
                   "\"required\":[\"id\"]}",
     .run = order},
    {.name = "count", .run = count}};

struct answer {
    int32_t code;
    const char *text;
    uint32_t size;
};

static struct answer of_chat(int32_t code, const struct swarm_chat *chat)
{
    return (struct answer){code, chat->text, chat->text_size};
}

static struct answer text(struct swarm_chat *chat)
{
    return of_chat(swarm_model_chat(chat), chat);
}

/* Each piece on a line of its own. */
static int32_t on_piece(void *ctx, const char *piece, uint32_t size)
{
    struct swarm_text *out = ctx;

    swarm_put(out, piece, size);
    swarm_put(out, "|", 1);
    return size == 4 && piece[0] == 'S' ? SWARM_E_DENIED : SWARM_OK; /* "Stop" */
}

static struct answer stream(struct swarm_chat *chat)
{
    struct swarm_text out = {other, 0, sizeof other, false};
    int32_t code;

    chat->ctx = &out;
    code = swarm_model_stream(chat, on_piece);
    if (code != SWARM_OK)
        return of_chat(code, chat);
    swarm_put(&out, " = ", 3);
    swarm_put(&out, chat->text, chat->text_size);
    return (struct answer){code, out.bytes, out.size};
}

static struct answer json(struct swarm_chat *chat)
{
    struct swarm_json value = SWARM_JSON_NOTHING;
    int32_t code = swarm_model_json(chat, schema, &value);

    return code == SWARM_OK ? (struct answer){code, value.text, value.size} : of_chat(code, chat);
}

static struct answer value(struct swarm_chat *chat)
{
    struct swarm_json found = SWARM_JSON_NOTHING;
    int32_t code = swarm_think_json(chat, schema, &found);

    return code == SWARM_OK ? (struct answer){code, found.text, found.size} : of_chat(code, chat);
}

static struct answer think(struct swarm_chat *chat)
{
    struct swarm_text out = {other, 0, sizeof other, false};
    int32_t code;

    chat->tools = tools;
    chat->tools_count = 2;
    chat->turns_max = 4;
    code = swarm_think(chat);
    if (code != SWARM_OK)
        return of_chat(code, chat);
    swarm_json_open(&out, 0, '{');
    swarm_json_put_text(&out, "text", chat->text, chat->text_size);
    swarm_json_put_integer(&out, "turns", chat->turns);
    swarm_json_put_integer(&out, "output", (int64_t)chat->output_tokens);
    swarm_json_put_integer(&out, "counted", counted);
    swarm_json_close(&out, '}');
    return (struct answer){code, out.bytes, out.size};
}

/* What is said goes on from message to message. */
static struct answer talk(const char *words, uint32_t size)
{
    static char kept[16384];
    static struct swarm_chat chat = {
        .model = "small", .more = "\"temperature\":0", .room = kept, .room_size = sizeof kept};

    swarm_chat_say(&chat, "user", words, size);
    return text(&chat);
}

static struct answer fetch(const char *words, uint32_t size)
{
    char url[256], method[16], body[1024];
    struct swarm_text out = {url, 0, sizeof url - 1, false};
    struct swarm_text how = {method, 0, sizeof method - 1, false}, what = {body, 0, 1024, false};
    struct swarm_request request = {.url = url, .headers = "{\"x-of\":\"me\"}"};
    struct swarm_response response = {.room = room, .room_size = sizeof room};
    struct swarm_json asked = SWARM_JSON_NOTHING;
    int32_t code;

    (void)swarm_json_read(words, size, &asked);
    swarm_json_copy(swarm_json_find(asked, "url"), &out);
    swarm_json_copy(swarm_json_find(asked, "method"), &how);
    swarm_json_copy(swarm_json_find(asked, "body"), &what);
    url[out.size] = method[how.size] = '\0';
    request.method = how.size > 0 ? method : 0;
    if (swarm_json_is_true(swarm_json_find(asked, "bytes")))
        (void)swarm_base64_decode(&what);
    request.body = what.size > 0 ? body : 0;
    request.body_size = what.size;
    code = swarm_fetch(&request, &response);
    if (code != SWARM_OK)
        return (struct answer){code, response.body, response.body_size};
    out = (struct swarm_text){other, 0, sizeof other, false};
    swarm_put_integer(&out, response.status);
    swarm_put(&out, " ", 1);
    swarm_json_copy(swarm_header(&response, "Content-Type"), &out);
    swarm_put(&out, " ", 1);
    swarm_put(&out, response.body, response.body_size);
    return (struct answer){code, out.bytes, out.size};
}

static struct answer approve(const char *words, uint32_t size)
{
    struct swarm_decision decision = {.room = room, .room_size = sizeof room};
    struct swarm_text out = {other, 0, sizeof other, false};
    int32_t code = swarm_approve(&(struct swarm_approval){.title = "May I?",
                                                          .text = words,
                                                          .text_size = size,
                                                          .editable = true,
                                                          .timeout_ms = 60000},
                                 &decision);

    if (code != SWARM_OK)
        return (struct answer){code, decision.text, decision.text_size};
    swarm_put(&out, decision.text, decision.text_size);
    swarm_put_words(&out, ", as it was said: ");
    swarm_json_copy(swarm_json_find(decision.decisions, "[0].reason"), &out);
    return (struct answer){code, out.bytes, out.size};
}

static bool is_way(const struct swarm_message *message, const char *way)
{
    uint32_t size = swarm_size_of(way);

    for (uint32_t i = 0; i < size; i++)
        if (i >= message->body_size || (char)message->body[i] != way[i])
            return false;
    return message->body_size >= size + 2 && message->body[size] == ':';
}

static struct answer answer_to(const struct swarm_message *message)
{
    static const struct {
        const char *name;
        struct answer (*run)(struct swarm_chat *);
    } ways[] = {
        {"text", text}, {"stream", stream}, {"json", json}, {"value", value}, {"think", think}};
    static const struct {
        const char *name;
        struct answer (*run)(const char *, uint32_t);
    } others[] = {{"talk", talk}, {"fetch", fetch}, {"approve", approve}};
    struct swarm_chat chat = {
        .model = "small", .instructions = "Be kind.", .room = room, .room_size = sizeof room};
    const char *words = (const char *)message->body;

    for (uint32_t i = 0; i < 5; i++) {
        uint32_t size = swarm_size_of(ways[i].name) + 2;

        if (!is_way(message, ways[i].name))
            continue;
        swarm_chat_say(&chat, "user", words + size, message->body_size - size);
        return ways[i].run(&chat);
    }
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t size = swarm_size_of(others[i].name) + 2;

        if (is_way(message, others[i].name))
            return others[i].run(words + size, message->body_size - size);
    }
    return (struct answer){SWARM_E_INVALID, "no such way", 11};
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *message)
{
    struct answer answer;

    if (message->reply_handle == 0)
        return SWARM_DONE;
    answer = answer_to(message);
    return swarm_reply(message->reply_handle, answer.code, "text/plain", 10, answer.text,
                       answer.size);
}
