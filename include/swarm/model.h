/* Models, by the service swarm.model.chat: a conversation in room of the caller's.
 *
 *     static char room[65536];
 *     struct swarm_chat chat = {.model = "clever", .room = room, .room_size = sizeof room};
 *
 *     swarm_chat_say(&chat, "user", message->body, message->body_size);
 *     code = swarm_model_chat(&chat);
 *     return swarm_reply(handle, code, "text/plain", 10, chat.text, chat.text_size);
 *
 * The room holds the request as far as it is written, with all that was said, and behind it, for
 * each call, what the model answers. An answer becomes a part of the conversation. The struct and
 * the room may be static and go on with the next message: they are durable as all memory is.
 *
 * Calls wait (swarm/wait.h). Codes are those of swarm_call, and SWARM_E_EXHAUSTED where the room is
 * too small or a budget is used up. After any code but SWARM_OK chat->text is the words of the
 * failure, and an answer that failed is no part of the conversation. */
#pragma once
#include <swarm/json.h>
#include <swarm/wait.h>

struct swarm_tool { /* What a model may have done; swarm/think.h does it. */
    const char *name, *description;
    const char *parameters; /* JSON Schema of an object; NULL: it takes none. */
    /* Append to `said` what the model is to hear. A negative code says it is what went wrong. */
    int32_t (*run)(void *ctx, struct swarm_json arguments, struct swarm_text *said);
};

struct swarm_chat {                  /* What is not given is 0. */
    const char *model;               /* NULL: "auto", which any model is. */
    const char *instructions;        /* NULL: none. Read before what is said first. */
    const char *more;                /* Members of the request: "\"temperature\":0"; NULL: none. */
    const struct swarm_tool *tools;  /* Borrowed, as all that is given, while there is a chat. */
    uint32_t tools_count, turns_max; /* At most 16 calls, unless it says otherwise; think.h. */
    void *ctx;                       /* For tools and pieces. */
    uint64_t timeout_ns;             /* Of each call; 0: as long as it takes. */
    char *room;
    uint32_t room_size;
    /* What comes of it. */
    uint32_t text_size, turns; /* Calls so far. */
    const char *text;          /* Of the last answer, until the next call. */
    uint64_t input_tokens, output_tokens;
    struct swarm_json message; /* The last answer, as it stands in the conversation. */
    struct swarm_text request; /* As far as it is written; of these functions. */
};

static inline int32_t swarm_chat_fail(struct swarm_chat *chat, int32_t code, const char *words)
{
    chat->text = words;
    chat->text_size = swarm_size_of(words);
    return code;
}

/* --- The request ----------------------------------------------------------------------------- */

static inline void swarm_chat_put_tool(struct swarm_text *request, const struct swarm_tool *tool)
{
    const char *parameters = tool->parameters;

    parameters = parameters == 0 ? "{\"type\":\"object\",\"properties\":{}}" : parameters;
    swarm_json_open(request, 0, '{');
    swarm_json_put_words(request, "type", "function");
    swarm_json_open(request, "function", '{');
    swarm_json_put_words(request, "name", tool->name);
    if (tool->description != 0)
        swarm_json_put_words(request, "description", tool->description);
    swarm_json_put(request, "parameters", parameters, swarm_size_of(parameters));
    swarm_json_close(request, '}');
    swarm_json_close(request, '}');
}

static inline void swarm_chat_put(struct swarm_chat *chat, const char *role, const void *text,
                                  uint32_t size)
{
    swarm_json_open(&chat->request, 0, '{');
    swarm_json_put_words(&chat->request, "role", role);
    swarm_json_put_text(&chat->request, "content", text, size);
    swarm_json_close(&chat->request, '}');
}

/* What stands before what is said; nothing happens where it is there already. */
static inline void swarm_chat_begin(struct swarm_chat *chat)
{
    struct swarm_text *request = &chat->request;

    if (request->size > 0)
        return;
    *request = (struct swarm_text){chat->room, 0, chat->room_size, false};
    swarm_json_open(request, 0, '{');
    swarm_json_open(request, "messages", '[');
    if (chat->instructions != 0)
        swarm_chat_put(chat, "system", chat->instructions, swarm_size_of(chat->instructions));
}

/* What stands behind it: all that may be another thing with the next call. */
static inline void swarm_chat_end(struct swarm_chat *chat, const char *schema, bool is_stream)
{
    struct swarm_text *request = &chat->request;

    swarm_json_close(request, ']');
    swarm_json_put_words(request, "model", chat->model == 0 ? "auto" : chat->model);
    if (chat->more != 0)
        swarm_json_put(request, 0, chat->more, swarm_size_of(chat->more));
    if (chat->tools_count > 0) {
        swarm_json_open(request, "tools", '[');
        for (uint32_t i = 0; i < chat->tools_count; i++)
            swarm_chat_put_tool(request, &chat->tools[i]);
        swarm_json_close(request, ']');
    }
    if (schema != 0) {
        swarm_json_open(request, "response_format", '{');
        swarm_json_put_words(request, "type", "json_schema");
        swarm_json_open(request, "json_schema", '{');
        swarm_json_put_words(request, "name", "answer");
        swarm_json_put_bool(request, "strict", true);
        swarm_json_put(request, "schema", schema, swarm_size_of(schema));
        swarm_put(request, "}}", 2);
    }
    if (is_stream)
        swarm_json_put_bool(request, "stream", true);
    swarm_json_close(request, '}');
}

/* Add to what was said: role is "user", "assistant" or "system". Where the room is too small the
 * next call says so. The text may not be chat->text, which stands where this is put. */
static inline void swarm_chat_say(struct swarm_chat *chat, const char *role, const void *text,
                                  uint32_t size)
{
    swarm_chat_begin(chat);
    swarm_chat_put(chat, role, text, size);
}

/* --- Whole answers --------------------------------------------------------------------------- */

/* What a service said, code and all; words, if it failed. */
static inline int32_t swarm_chat_heard(struct swarm_chat *chat, int32_t code,
                                       const struct swarm_reading *answer)
{
    if (code == SWARM_OK)
        return code;
    if (answer->message.status != code) /* It has not come so far, or there is no room for it. */
        return swarm_chat_fail(chat, code,
                               code == SWARM_E_EXHAUSTED
                                   ? "the room is too small for what was answered"
                                   : "the call was refused");
    chat->text = (const char *)answer->message.body;
    chat->text_size = answer->message.body_size;
    return code;
}

/* Ask for an answer, by a JSON Schema if there is one. It comes into the room. */
static inline int32_t swarm_chat_ask(struct swarm_chat *chat, const char *schema, bool is_stream,
                                     struct swarm_reading *ret_answer)
{
    struct swarm_text *request = &chat->request;
    struct swarm_question question = {.to = "swarm.model.chat", .to_size = 16};
    uint32_t size;

    swarm_chat_begin(chat);
    size = request->size;
    swarm_chat_end(chat, schema, is_stream);
    question.body = request->bytes;
    question.body_size = request->size;
    question.timeout_ns = chat->timeout_ns;
    request->size = size;
    if (request->is_full)
        return swarm_chat_fail(chat, SWARM_E_EXHAUSTED,
                               "the room is too small for the conversation");
    *ret_answer = (struct swarm_reading){.room = request->bytes + question.body_size,
                                         .room_size = request->size_max - question.body_size};
    chat->turns++;
    return swarm_chat_heard(chat, swarm_call(&question, ret_answer), ret_answer);
}

static inline void swarm_chat_count(struct swarm_chat *chat, struct swarm_json whole)
{
    int64_t tokens;

    if (swarm_json_integer(swarm_json_find(whole, "usage.prompt_tokens"), &tokens) && tokens > 0)
        chat->input_tokens += (uint64_t)tokens;
    if (swarm_json_integer(swarm_json_find(whole, "usage.completion_tokens"), &tokens) &&
        tokens > 0)
        chat->output_tokens += (uint64_t)tokens;
}

/* The conversation ends with an answer, from `begin` on: put its text behind it. */
static inline int32_t swarm_chat_answered(struct swarm_chat *chat, uint32_t begin)
{
    struct swarm_text *request = &chat->request;
    struct swarm_text text = {request->bytes + request->size, 0, request->size_max - request->size,
                              false};
    uint32_t start = begin + (request->bytes[begin] == ',');
    struct swarm_json content;

    chat->message = (struct swarm_json){request->bytes + start, request->size - start, 0};
    content = swarm_json_find(chat->message, "content");
    if (swarm_json_type_of(content) == SWARM_JSON_STRING)
        swarm_json_copy(content, &text);
    if (text.is_full) {
        request->size = begin;
        return swarm_chat_fail(chat, SWARM_E_EXHAUSTED, "the room is too small for the answer");
    }
    chat->text = text.bytes;
    chat->text_size = text.size;
    return SWARM_OK;
}

/* Make an answer the end of the conversation, which it stands behind in the room. */
static inline int32_t swarm_chat_take(struct swarm_chat *chat, const struct swarm_reading *answer)
{
    struct swarm_json whole = SWARM_JSON_NOTHING, message;
    uint32_t begin = chat->request.size;

    (void)swarm_json_read(answer->message.body, answer->message.body_size, &whole);
    message = swarm_json_find(whole, "choices[0].message");
    if (swarm_json_type_of(message) != SWARM_JSON_OBJECT)
        return swarm_chat_fail(chat, SWARM_E_INTERNAL, "the answer is no chat completion");
    swarm_chat_count(chat, whole);
    swarm_json_put(&chat->request, 0, message.text, message.size);
    return swarm_chat_answered(chat, begin);
}

/* Ask the model: its answer is chat->text, and a part of the conversation. */
static inline int32_t swarm_model_chat(struct swarm_chat *chat)
{
    struct swarm_reading answer;
    int32_t code = swarm_chat_ask(chat, 0, false, &answer);

    return code == SWARM_OK ? swarm_chat_take(chat, &answer) : code;
}
