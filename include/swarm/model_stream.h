/* The answer of a model as it comes, piece by piece.
 *
 * Each piece that came is a segment of the turn: what a program does with it, such as publish it,
 * happens at once. Half of the room behind the conversation takes what came since the last piece
 * was read, events and all, some 300 bytes a token; the other half the answer. */
#pragma once
#include <swarm/model.h>

/* One piece of an answer, which is good until this returns. A negative code ends the stream. */
typedef int32_t swarm_piece(void *ctx, const char *text, uint32_t size);

struct swarm_stream { /* One that is being read. */
    struct swarm_chat *chat;
    swarm_piece *on_piece;
    char *room; /* The half for what comes. */
    uint32_t room_size, name_size;
    uint64_t read; /* Bytes. */
    char name[96]; /* And behind it how much was read. */
};

static inline int32_t swarm_stream_tell(struct swarm_chat *chat, swarm_piece *on_piece,
                                        const char *text, uint32_t size)
{
    int32_t code = on_piece(chat->ctx, text, size);

    return code < 0 ? swarm_chat_fail(chat, code, "the stream was ended by who read it") : SWARM_OK;
}

/* What an event adds to the answer. Its JSON is the room's own, and not needed any more. */
static inline int32_t swarm_stream_take(struct swarm_stream *stream, struct swarm_json event)
{
    struct swarm_json piece = swarm_json_find(event, "choices[0].delta.content");
    struct swarm_json error = swarm_json_find(event, "error");
    struct swarm_text text = {stream->room, 0, stream->room_size, false};
    struct swarm_chat *chat = stream->chat;

    if (error.size > 0) {
        swarm_json_copy(swarm_json_find(error, "message"), &text);
        chat->text = text.bytes;
        chat->text_size = text.size;
        return SWARM_E_UNAVAILABLE;
    }
    swarm_chat_count(chat, event);
    if (swarm_json_type_of(piece) != SWARM_JSON_STRING || piece.size == 2)
        return SWARM_OK;
    swarm_put(&chat->request, piece.text + 1, piece.size - 2); /* Without its quotes. */
    if (chat->request.is_full)
        return swarm_chat_fail(chat, SWARM_E_EXHAUSTED, "the room is too small for the answer");
    swarm_json_copy(piece, &text); /* No longer than itself, and in front of it. */
    return swarm_stream_tell(chat, stream->on_piece, text.bytes, text.size);
}

/* Whole events that came: lines "data: JSON". */
static inline int32_t swarm_stream_read(struct swarm_stream *stream, const char *text,
                                        uint32_t size)
{
    int32_t code = SWARM_OK;

    for (uint32_t at = 0, end; at < size && code == SWARM_OK; at = end + 1) {
        struct swarm_json event = SWARM_JSON_NOTHING;

        for (end = at; end < size && text[end] != '\n'; end++)
            ;
        if (end - at < 6 || text[at] != 'd' || text[at + 5] != ' ')
            continue;
        if (swarm_json_read(text + at + 6, end - at - 6, &event) == SWARM_OK)
            code = swarm_stream_take(stream, event);
    }
    return code;
}

/* Ask for what came behind what was read. */
static inline int32_t swarm_stream_next(struct swarm_stream *stream, bool *ret_is_last)
{
    struct swarm_text question = {stream->name, stream->name_size, sizeof stream->name, false};
    struct swarm_reading piece = {.room = stream->room, .room_size = stream->room_size};
    int32_t code;

    swarm_put(&question, " ", 1);
    swarm_put_integer(&question, (int64_t)stream->read);
    code = swarm_call(&(struct swarm_question){.to = "swarm.model.next",
                                               .to_size = 16,
                                               .body = question.bytes,
                                               .body_size = question.size,
                                               .timeout_ns = stream->chat->timeout_ns},
                      &piece);
    if (code != SWARM_OK)
        return swarm_chat_heard(stream->chat, code, &piece);
    stream->read += piece.message.body_size;
    *ret_is_last = piece.message.type_size == 23; /* "text/event-stream; last" */
    return swarm_stream_read(stream, (const char *)piece.message.body, piece.message.body_size);
}

/* Read a stream to its end. The answer is written where the conversation ends, as a string of JSON
 * to which each piece adds what stood between its own quotes. */
static inline int32_t swarm_stream_all(struct swarm_stream *stream)
{
    struct swarm_text *request = &stream->chat->request;
    uint32_t begin = request->size, size_max = request->size_max;
    bool is_last = false;
    int32_t code = SWARM_OK;

    request->size_max = begin + (size_max - begin) / 2;
    stream->room = request->bytes + request->size_max;
    stream->room_size = size_max - request->size_max;
    swarm_json_open(request, 0, '{');
    swarm_json_put_words(request, "role", "assistant");
    swarm_json_name(request, "content");
    swarm_put(request, "\"", 1);
    while (!is_last && code == SWARM_OK)
        code = swarm_stream_next(stream, &is_last);
    swarm_put(request, "\"}", 2);
    if (code == SWARM_OK && request->is_full)
        code = swarm_chat_fail(stream->chat, SWARM_E_EXHAUSTED, "the room is too small");
    request->size_max = size_max;
    if (code == SWARM_OK)
        return swarm_chat_answered(stream->chat, begin);
    request->size = begin; /* As if it had not been asked. */
    request->is_full = false;
    return code;
}

/* The same as swarm_model_chat, with each piece of the answer as it comes. A stream calls no tools.
 * SWARM_E_UNAVAILABLE  it broke off in the middle
 * SWARM_E_INVALID      the chat has tools */
static inline int32_t swarm_model_stream(struct swarm_chat *chat, swarm_piece *on_piece)
{
    struct swarm_stream stream = {.chat = chat, .on_piece = on_piece};
    struct swarm_reading answer;
    int32_t code;

    if (chat->tools_count > 0)
        return swarm_chat_fail(chat, SWARM_E_INVALID, "a stream has no tools");
    code = swarm_chat_ask(chat, 0, true, &answer);
    if (code != SWARM_OK)
        return code;
    if (answer.message.type_size != 28) { /* No "application/vnd.swarm.stream": all of it. */
        code = swarm_chat_take(chat, &answer);
        return code != SWARM_OK ? code
                                : swarm_stream_tell(chat, on_piece, chat->text, chat->text_size);
    }
    if (answer.message.body_size > sizeof stream.name - 24)
        return swarm_chat_fail(chat, SWARM_E_INTERNAL, "the name of the stream is too long");
    swarm_copy(stream.name, answer.message.body, answer.message.body_size);
    stream.name_size = answer.message.body_size;
    return swarm_stream_all(&stream);
}
