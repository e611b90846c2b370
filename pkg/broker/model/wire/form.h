/* The one inner form, between the protocols: what a request says and what an answer is made of.
 *
 *     request of a client ── settings, parts, tools ──► request for an upstream
 *     whole answer, stream ── events ─► answer (what came so far) ─► whole answer
 *                                 └──────────────────────────────► stream
 *
 * Nothing of a request is stored twice: its codec walks the document and hands one part after the
 * other to the codec that writes. Texts are the insides of JSON strings as they were written.
 * A codec is the table of one protocol: chat.c, responses.c, messages.c and their _answer.c.
 * Private to this room.  Threads: one at a time.  I/O: none.  Limits: wire.h. */
#pragma once
#include "pkg/broker/model/wire/doc.h"
#include "pkg/broker/model/wire/wire.h"

struct sw_wire_request {
    struct sw_wire_view view;
    struct sw_wire_doc doc;
    uint64_t utc_s;
    uint32_t model_at;    /* Nodes of the document; 0: not there. */
    uint32_t limit_at[2]; /* Where the most tokens of output are stated. */
    uint32_t options_at;  /* Of chat: stream_options. */
    uint32_t usage_at;    /* Of chat: its include_usage. */
    char *model;
    char *body;
};

/* ---- What a request says. */

enum sw_wire_role { SW_WIRE_SYSTEM, SW_WIRE_DEVELOPER, SW_WIRE_USER, SW_WIRE_ASSISTANT };

enum sw_wire_part_kind {
    SW_WIRE_PART_TEXT,
    SW_WIRE_PART_REFUSAL,
    SW_WIRE_PART_IMAGE,      /* text: its URL. */
    SW_WIRE_PART_IMAGE_DATA, /* text: base64; name: media type. */
    SW_WIRE_PART_CALL,       /* id, name, text: arguments. */
    SW_WIRE_PART_RESULT,     /* id; texts and images follow up to the end of it. */
    SW_WIRE_PART_RESULT_END
};

struct sw_wire_part {
    enum sw_wire_part_kind kind;
    enum sw_wire_role role;
    uint32_t message; /* Parts of one message have the same number. */
    uint32_t node;    /* Where it stands in the request, for errors. */
    struct sw_wire_text text, id, name, detail;
    bool is_object; /* Of a call: the arguments are an object, not the inside of a string. */
    bool is_error;  /* Of a result: the tool failed. */
};
typedef enum sw_rc sw_wire_on_part(void *ctx, const struct sw_wire_part *part);

struct sw_wire_tool { /* Nodes; 0: not said. */
    uint32_t node, name, description, schema, strict;
};
typedef enum sw_rc sw_wire_on_tool(void *ctx, const struct sw_wire_tool *tool);

enum sw_wire_choice_of {
    SW_WIRE_CHOICE_UNSAID,
    SW_WIRE_CHOICE_AUTO,
    SW_WIRE_CHOICE_NONE,
    SW_WIRE_CHOICE_REQUIRED,
    SW_WIRE_CHOICE_NAMED
};
enum sw_wire_format { SW_WIRE_FORMAT_TEXT, SW_WIRE_FORMAT_OBJECT, SW_WIRE_FORMAT_SCHEMA };
enum sw_wire_thinking { SW_WIRE_THINKING_UNSAID, SW_WIRE_THINKING_OFF, SW_WIRE_THINKING_ON };

struct sw_wire_settings { /* Nodes where nothing else is said; 0: not said. */
    uint32_t temperature, top_p, frequency, presence, seed, bias, stop, user, verbosity;
    uint32_t effort; /* One of the words of wire_efforts. */
    enum sw_wire_thinking thinking;
    uint64_t thinking_tokens; /* Of a budget for thoughts alone; 0: none. */
    enum sw_wire_choice_of choice;
    uint32_t choice_name;
    int parallel; /* Tools at once: 1 yes, 0 no, -1 unsaid. */
    uint32_t parallel_at;
    enum sw_wire_format format;
    uint32_t format_at, format_name, format_description, format_schema, format_strict;
    bool has_tools;
};

/* ---- What an answer is made of. */

enum sw_wire_event_kind {
    SW_WIRE_EVENT_START,
    SW_WIRE_EVENT_TEXT,
    SW_WIRE_EVENT_REFUSAL,
    SW_WIRE_EVENT_THOUGHT,
    SW_WIRE_EVENT_REDACTED,  /* A thought that only its maker can read; whole. */
    SW_WIRE_EVENT_SIGNATURE, /* Of the thought of that key. */
    SW_WIRE_EVENT_CALL,      /* A tool call begins: id, name. */
    SW_WIRE_EVENT_ARGUMENTS,
    SW_WIRE_EVENT_STOP,
    SW_WIRE_EVENT_END
};

enum sw_wire_stop {
    SW_WIRE_STOP_UNSAID,
    SW_WIRE_STOP_DONE,
    SW_WIRE_STOP_SEQUENCE,
    SW_WIRE_STOP_LENGTH,
    SW_WIRE_STOP_CALLS,
    SW_WIRE_STOP_FILTER
};

struct sw_wire_event {
    enum sw_wire_event_kind kind;
    uint32_t choice;
    uint32_t key; /* Which part, as the upstream counts; the same key and kind go on with it. */
    enum sw_wire_stop stop;
    bool is_json; /* Of arguments: JSON itself, not the inside of a string. */
    struct sw_wire_text text, id, name;
    uint32_t part; /* Set by sw_wire_answer_take. */
};

struct sw_wire_place { /* In the names of an answer. */
    uint32_t at, size;
};

struct sw_wire_answer_part {
    enum sw_wire_event_kind kind; /* TEXT, REFUSAL, THOUGHT, REDACTED or CALL. */
    uint32_t choice, key;
    uint32_t ordinal; /* Of a call: the how manieth of its choice, from 0. */
    struct sw_wire_place id, name, signature;
    struct sw_buffer text; /* Of a call: the arguments. */
};

struct sw_wire_answer {
    struct sw_wire_usage usage;
    uint64_t created_s;
    struct sw_wire_place id, sequence; /* sequence: the stop sequence that was met. */
    struct sw_buffer names;
    struct sw_wire_answer_part *parts;
    uint32_t parts_count, parts_capacity;
    uint32_t choices; /* One more than the highest that was seen. */
    size_t bytes;
    uint8_t stop[SW_WIRE_CHOICES_MAX]; /* enum sw_wire_stop */
    uint32_t calls[SW_WIRE_CHOICES_MAX];
    bool keeps_nothing; /* Only count. */
    bool is_partial;    /* It had something that there is no event for. */
    bool is_ended;
    bool has_error;
    struct sw_wire_error error;
};

void sw_wire_answer_init(struct sw_wire_answer *answer);
void sw_wire_answer_done(struct sw_wire_answer *answer);
/* Take an event in; event->part names the part that it began or went on with.
 * SW_E_EXHAUSTED, or SW_E_CORRUPT for what cannot follow. */
SW_MUST_CHECK enum sw_rc sw_wire_answer_take(struct sw_wire_answer *answer,
                                             struct sw_wire_event *event, struct sw_err *err);
/* The part of that kind and key, or NULL. */
struct sw_wire_answer_part *sw_wire_answer_find(const struct sw_wire_answer *answer,
                                                enum sw_wire_event_kind kind, uint32_t choice,
                                                uint32_t key);
struct sw_wire_text sw_wire_answer_text(const struct sw_wire_answer *answer,
                                        struct sw_wire_place place);
struct sw_wire_place sw_wire_answer_name(struct sw_wire_answer *answer, struct sw_wire_text text);
static inline struct sw_wire_text sw_wire_part_text(const struct sw_wire_answer_part *part)
{
    return (struct sw_wire_text){(const char *)part->text.data, part->text.size};
}

/* Where events go: taken into the answer, then told on. */
struct sw_wire_sink {
    struct sw_wire_answer *answer;
    enum sw_rc (*on_event)(void *ctx, const struct sw_wire_event *event, struct sw_err *err);
    void *ctx; /* on_event NULL: nobody is told. */
    struct sw_err *err;
};
SW_MUST_CHECK enum sw_rc sw_wire_tell(const struct sw_wire_sink *sink, struct sw_wire_event event);

/* A stream that is being written for a client. */
struct sw_wire_stream {
    const struct sw_wire_request *request;
    const struct sw_wire_answer *answer;
    struct sw_buffer *out;
    uint64_t sequence; /* Of events of responses. */
    uint32_t open;     /* The part that is being written; SW_WIRE_NO_PART. */
    uint32_t begun;    /* One more than the last part that was begun. */
    uint32_t blocks;   /* That were begun: content blocks, output items. */
    bool has_begun;
};
#define SW_WIRE_NO_PART UINT32_MAX

/* ---- One protocol. */

struct sw_wire_writing { /* A request on its way into another protocol. */
    const struct sw_wire_request *request;
    const struct sw_wire_settings *settings;
    const struct sw_wire_target *target;
    uint64_t max_output_tokens; /* What to state; 0: nothing. */
    struct sw_buffer *out;
    struct sw_err *err;
};

struct sw_wire_codec {
    /* Find what the view says, and where it stands. */
    enum sw_rc (*look)(struct sw_wire_request *request, struct sw_err *err);
    /* Of a request of this protocol. */
    enum sw_rc (*settings)(const struct sw_wire_request *request, struct sw_wire_settings *ret,
                           struct sw_err *err);
    enum sw_rc (*parts)(const struct sw_wire_request *request, sw_wire_on_part *on_part, void *ctx,
                        struct sw_err *err);
    enum sw_rc (*tools)(const struct sw_wire_request *request, sw_wire_on_tool *on_tool, void *ctx,
                        struct sw_err *err);
    /* Into this protocol. */
    enum sw_rc (*write)(struct sw_wire_writing *writing);
    /* An upstream's whole answer, and one event of its stream. */
    enum sw_rc (*answer_read)(const struct sw_wire_doc *doc, const struct sw_wire_sink *sink);
    enum sw_rc (*event_read)(const struct sw_wire_doc *doc, const struct sw_wire_sink *sink);
    /* For a client of this protocol. */
    enum sw_rc (*answer_write)(const struct sw_wire_request *request,
                               const struct sw_wire_answer *answer, struct sw_buffer *out,
                               struct sw_err *err);
    enum sw_rc (*event_write)(struct sw_wire_stream *stream, const struct sw_wire_event *event,
                              struct sw_err *err);
};
const struct sw_wire_codec *sw_wire_codec_of(enum sw_wire_protocol protocol);
extern const struct sw_wire_codec sw_wire_chat, sw_wire_responses, sw_wire_messages,
    sw_wire_embeddings;
