/* An agent that thinks: ask a model, do what it wants done, tell it what came of that, until it
 * answers.
 *
 * Tools are functions of the program, which may wait themselves, in room of their own. Each call
 * of the model is a segment of the turn: after a crash it goes on behind the last one, and a replay
 * asks no model. Half of the room behind the conversation is for what a tool is given and says. */
#pragma once
#include <swarm/model_json.h>

#define SWARM_THINK_TURNS_MAX 16u

/* What the model wants of a tool, checked: its arguments, decoded at the start of `room`. Otherwise
 * `said` is what is wrong, in words for the model. */
static inline bool swarm_think_arguments(const struct swarm_tool *tool, struct swarm_json call,
                                         struct swarm_json *ret_arguments, struct swarm_text *said)
{
    struct swarm_json given = swarm_json_find(call, "function.arguments"), schema;
    uint32_t size;

    swarm_json_copy(given, said);
    if (said->size == 0)
        swarm_put(said, "{}", 2);
    size = said->size;
    if (said->is_full || swarm_json_read(said->bytes, size, ret_arguments) != SWARM_OK) {
        said->size = 0;
        swarm_put_words(said, "the arguments are not JSON");
        return false;
    }
    said->bytes += size; /* What is said comes behind them. */
    said->size = 0;
    said->size_max -= size;
    return tool->parameters == 0 ||
           swarm_json_read(tool->parameters, swarm_size_of(tool->parameters), &schema) !=
               SWARM_OK ||
           swarm_schema_problems(schema, *ret_arguments, said) == 0;
}

/* What a call comes to, in words; false: a mistake, which is the model's to hear. */
static inline bool swarm_think_act(struct swarm_chat *chat, struct swarm_json call,
                                   struct swarm_text *said)
{
    struct swarm_json name = swarm_json_find(call, "function.name"), arguments;

    for (uint32_t i = 0; i < chat->tools_count; i++) {
        const struct swarm_tool *tool = &chat->tools[i];

        if (!swarm_json_is(name, tool->name))
            continue;
        if (!swarm_think_arguments(tool, call, &arguments, said))
            return false;
        return tool->run(chat->ctx, arguments, said) >= 0;
    }
    swarm_put_words(said, "there is no tool ");
    swarm_put(said, name.text, name.size);
    return false;
}

/* Do one call of a tool, and put what came of it at the end of the conversation. */
static inline void swarm_think_do(struct swarm_chat *chat, struct swarm_json call)
{
    struct swarm_text *request = &chat->request;
    struct swarm_json id = swarm_json_find(call, "id");
    uint32_t size_max = request->size_max, half = (size_max - request->size) / 2;
    struct swarm_text said = {request->bytes + size_max - half, 0, half, false};
    bool is_done = swarm_think_act(chat, call, &said);

    request->size_max =
        size_max - half; /* So that what was said is read before it is written to. */
    swarm_json_open(request, 0, '{');
    swarm_json_put_words(request, "role", "tool");
    swarm_json_put(request, "tool_call_id", id.size > 0 ? id.text : "\"\"",
                   id.size > 0 ? id.size : 2);
    swarm_json_name(request, "content");
    swarm_put_words(request, is_done && !said.is_full ? "\"" : "\"error: ");
    if (said.is_full)
        swarm_put_words(request, "there is no room for all of it: ");
    swarm_put_escaped(request, said.bytes, said.size);
    if (is_done && said.size == 0)
        swarm_put_words(request, "done");
    swarm_put_words(request, "\"}");
    request->size_max = size_max;
}

/* Do all that the last answer calls for. false: it calls for nothing. */
static inline bool swarm_think_step(struct swarm_chat *chat)
{
    struct swarm_json calls = swarm_json_find(chat->message, "tool_calls"), key, call;
    bool is_any = false;

    while (swarm_json_next(&calls, &key, &call)) {
        swarm_think_do(chat, call);
        is_any = true;
    }
    return is_any;
}

/* "the model has no answer after 16 turns", behind the conversation. */
static inline int32_t swarm_think_endless(struct swarm_chat *chat, uint32_t turns)
{
    const struct swarm_text *request = &chat->request;
    struct swarm_text text = {request->bytes + request->size, 0, request->size_max - request->size,
                              false};

    swarm_put_words(&text, "the model has no answer after ");
    swarm_put_integer(&text, turns);
    swarm_put_words(&text, " turns");
    chat->text = text.bytes;
    chat->text_size = text.size;
    return SWARM_E_EXHAUSTED;
}

static inline int32_t swarm_think_until(struct swarm_chat *chat, const char *schema,
                                        struct swarm_json *ret_value)
{
    uint32_t turns_max = chat->turns_max == 0 ? SWARM_THINK_TURNS_MAX : chat->turns_max;
    char bytes[SWARM_PROBLEMS_BYTES];
    struct swarm_json rules = SWARM_JSON_NOTHING;
    struct swarm_reading answer;

    if (schema != 0 && swarm_json_read(schema, swarm_size_of(schema), &rules) != SWARM_OK)
        return swarm_chat_fail(chat, SWARM_E_INVALID, "the schema is no JSON");
    for (uint32_t i = 0; i < turns_max; i++) {
        struct swarm_text problems = {bytes, 0, sizeof bytes, false};
        int32_t code = swarm_chat_ask(chat, schema, false, &answer);

        if (code == SWARM_OK)
            code = swarm_chat_take(chat, &answer);
        if (code != SWARM_OK)
            return code;
        if (swarm_think_step(chat))
            continue;
        if (schema == 0 || swarm_chat_value(chat, rules, ret_value, &problems) == SWARM_OK)
            return SWARM_OK;
        swarm_chat_mend(chat, &problems);
    }
    return swarm_think_endless(chat, turns_max);
}

/* Go on until the model answers, with chat->text. What a tool says, mistakes and arguments that do
 * not fit its parameters included, is told to the model.
 * SWARM_E_EXHAUSTED  also: no answer after chat->turns_max calls */
static inline int32_t swarm_think(struct swarm_chat *chat)
{
    struct swarm_json none;

    return swarm_think_until(chat, 0, &none);
}

/* The same for an answer that is JSON of a schema: *ret_value is a piece of chat->text. What does
 * not fit is sent back with what is wrong with it. */
static inline int32_t swarm_think_json(struct swarm_chat *chat, const char *schema,
                                       struct swarm_json *ret_value)
{
    return swarm_think_until(chat, schema, ret_value);
}
