/* Answers of models that are JSON of a schema: checked, and sent back with what is wrong with them.
 * What of JSON Schema is checked is told by swarm/schema.h. */
#pragma once
#include <swarm/model.h>
#include <swarm/schema.h>

#define SWARM_MODEL_TRIES 3u
#define SWARM_PROBLEMS_BYTES 1024u

/* What stands in a fence of Markdown, which models like to put around JSON. */
static inline struct swarm_json swarm_chat_unfenced(struct swarm_json text)
{
    uint32_t end = text.size;

    (void)swarm_json_peek(&text);
    if (end - text.at < 6 || !swarm_json_take(&text, '`') || !swarm_json_take(&text, '`') ||
        !swarm_json_take(&text, '`'))
        return text;
    while (text.at < end && text.text[text.at] >= 'a' && text.text[text.at] <= 'z')
        text.at++; /* "json" */
    while (end > text.at && (uint8_t)text.text[end - 1] <= ' ')
        end--;
    while (end > text.at && text.text[end - 1] == '`')
        end--;
    return (struct swarm_json){text.text + text.at, end - text.at, 0};
}

/* The value that the last answer is. Otherwise `problems` says what is wrong.
 * SWARM_E_INVALID  it is no JSON, or does not fit the schema */
static inline int32_t swarm_chat_value(const struct swarm_chat *chat, struct swarm_json schema,
                                       struct swarm_json *ret_value, struct swarm_text *problems)
{
    struct swarm_json text = {chat->text, chat->text_size, 0}, value;

    text = swarm_chat_unfenced(text);
    if (swarm_json_read(text.text, text.size, &value) != SWARM_OK) {
        swarm_put_words(problems, "this is not JSON");
        return SWARM_E_INVALID;
    }
    if (swarm_schema_problems(schema, value, problems) > 0)
        return SWARM_E_INVALID;
    *ret_value = value;
    return SWARM_OK;
}

/* Tell the model what is wrong with its answer. */
static inline void swarm_chat_mend(struct swarm_chat *chat, const struct swarm_text *problems)
{
    struct swarm_text *request = &chat->request;

    swarm_json_open(request, 0, '{');
    swarm_json_put_words(request, "role", "user");
    swarm_json_name(request, "content");
    swarm_put_words(request, "\"That does not fit the schema: ");
    swarm_put_escaped(request, problems->bytes, problems->size);
    swarm_put_words(request, ". Answer again with the JSON alone.\"}");
}

/* "no answer of 3 fits the schema: ...", behind the conversation. */
static inline int32_t swarm_chat_unfit(struct swarm_chat *chat, const struct swarm_text *problems)
{
    const struct swarm_text *request = &chat->request;
    struct swarm_text text = {request->bytes + request->size, 0, request->size_max - request->size,
                              false};

    swarm_put_words(&text, "no answer of ");
    swarm_put_integer(&text, SWARM_MODEL_TRIES);
    swarm_put_words(&text, " fits the schema: ");
    swarm_put(&text, problems->bytes, problems->size);
    chat->text = text.bytes;
    chat->text_size = text.size;
    return SWARM_E_INVALID;
}

/* Ask the model for a value of a JSON Schema. An answer that does not fit is sent back with what is
 * wrong with it, and asked for again, SWARM_MODEL_TRIES times in all. *ret_value is a piece of
 * chat->text, and so valid until the next call.
 * SWARM_E_INVALID  no answer fits, or the schema is no JSON */
static inline int32_t swarm_model_json(struct swarm_chat *chat, const char *schema,
                                       struct swarm_json *ret_value)
{
    char bytes[SWARM_PROBLEMS_BYTES];
    struct swarm_text problems = {bytes, 0, sizeof bytes, false};
    struct swarm_json rules;
    struct swarm_reading answer;

    if (swarm_json_read(schema, swarm_size_of(schema), &rules) != SWARM_OK)
        return swarm_chat_fail(chat, SWARM_E_INVALID, "the schema is no JSON");
    for (uint32_t i = 0; i < SWARM_MODEL_TRIES; i++) {
        int32_t code;

        if (i > 0)
            swarm_chat_mend(chat, &problems);
        code = swarm_chat_ask(chat, schema, false, &answer);
        if (code == SWARM_OK)
            code = swarm_chat_take(chat, &answer);
        problems.size = 0;
        problems.is_full = false;
        if (code != SWARM_OK || swarm_chat_value(chat, rules, ret_value, &problems) == SWARM_OK)
            return code;
    }
    return swarm_chat_unfit(chat, &problems);
}
