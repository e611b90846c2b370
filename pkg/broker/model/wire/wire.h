/* The protocols in which programs ask models, and their translation: OpenAI chat completions,
 * responses and embeddings, and Anthropic messages; requests, answers, streams and errors.
 *
 *     client's body ─ read ─► request ─ write ─► body for an upstream, in its protocol
 *     client        ◄─ convert ─────────────────── whole answer of the upstream
 *     client        ◄─ relay: push ... finish ──── its stream of server-sent events, cut anywhere
 *
 * To an upstream of the same protocol a request's bytes pass with only the model's name changed,
 * and the limits that the target asks for, so unknown fields survive. Otherwise all is read into
 * one inner form and written from it; what has no counterpart there is SW_E_UNSUPPORTED with the
 * client's own path of the field. What that form keeps and leaves out: README.md.
 * Threads: one at a time for each object.  I/O: none.
 * Limits: below. Memory is at most some times the input: 14 MiB for the values of a document. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_WIRE_REQUEST_BYTES_MAX ((size_t)8 << 20)
#define SW_WIRE_ANSWER_BYTES_MAX ((size_t)4 << 20)      /* Also of what a stream comes to. */
#define SW_WIRE_EMBEDDINGS_BYTES_MAX ((size_t)32 << 20) /* An answer of embeddings. */
#define SW_WIRE_EVENT_BYTES_MAX ((size_t)1 << 20)       /* One event of a stream. */
#define SW_WIRE_STREAM_BYTES_MAX ((size_t)64 << 20)     /* All bytes of a stream. */
#define SW_WIRE_DEPTH_MAX 64u                           /* Of JSON. */
#define SW_WIRE_VALUES_MAX 524288u                      /* Of a document. */
#define SW_WIRE_MODEL_MAX 256u                          /* A model's name, without the NUL. */
#define SW_WIRE_CHOICES_MAX 128u
#define SW_WIRE_PARTS_MAX 1024u /* Texts, thoughts and tool calls of one answer. */
#define SW_WIRE_TOKENS_MAX UINT64_C(1000000000)
/* What a messages upstream is told when neither the request nor the target names a limit. */
#define SW_WIRE_OUTPUT_TOKENS_DEFAULT 4096u

enum sw_wire_protocol { SW_WIRE_CHAT, SW_WIRE_RESPONSES, SW_WIRE_EMBEDDINGS, SW_WIRE_MESSAGES };
#define SW_WIRE_PROTOCOLS 4u

/* "chat", "responses", "embeddings", "messages". */
const char *sw_wire_protocol_name(enum sw_wire_protocol protocol);
/* Whether a request of `client` can go to an upstream that speaks `upstream`: embeddings among
 * themselves, the others in any pair. */
bool sw_wire_is_translatable(enum sw_wire_protocol client, enum sw_wire_protocol upstream);

/* What a model must be able to do for a request. */
enum sw_wire_need {
    SW_WIRE_NEED_TOOLS = 1u << 0,
    SW_WIRE_NEED_JSON_SCHEMA = 1u << 1, /* Also an answer that is any JSON object. */
    SW_WIRE_NEED_IMAGES = 1u << 2,
    SW_WIRE_NEED_AUDIO = 1u << 3,
    SW_WIRE_NEED_FILES = 1u << 4, /* Documents in messages. */
    SW_WIRE_NEED_REASONING = 1u << 5,
    SW_WIRE_NEED_EMBEDDINGS = 1u << 6,
};

struct sw_wire_request; /* A request that was read; owns its bytes. */

struct sw_wire_view {
    enum sw_wire_protocol protocol;
    const char *model; /* As the client named it; lives as long as the request. */
    bool is_stream;
    bool wants_usage;           /* Of chat: stream_options.include_usage. Of others as is_stream. */
    bool is_deterministic;      /* temperature is 0, so a cache may answer. */
    uint64_t max_output_tokens; /* 0: not said. */
    uint32_t choices;           /* n; 1 if not said. */
    uint32_t needs;             /* Of enum sw_wire_need. */
    uint32_t messages;          /* Of the conversation; of embeddings: inputs. */
    /* Bytes of all text that the model reads, tools and schemas included, without images, audio
     * and files. A token that came as a number counts as one. */
    uint64_t input_bytes;
    uint64_t media_bytes; /* Of images, audio and files, as they stand in the request. */
    /* The model reads also what is not in the request: an earlier response, a stored prompt, what
     * tools of the provider find. input_bytes is no upper bound then. */
    bool reads_elsewhere;
};

/* Read a client's request. The bytes are copied.
 * SW_E_INVALID      no JSON, not UTF-8, a NUL, a field of a wrong type, missing or there twice
 * SW_E_EXHAUSTED    larger or deeper than the limits; no memory
 * err->field is the path of what is wrong, such as "messages[2].content"; "" is the whole. */
SW_MUST_CHECK enum sw_rc sw_wire_request_read(enum sw_wire_protocol protocol, struct sw_bytes body,
                                              struct sw_wire_request **ret_request,
                                              struct sw_err *err);
void sw_wire_request_free(struct sw_wire_request *request);
SW_DEFINE_CLEANUP(struct sw_wire_request, sw_wire_request_free)
const struct sw_wire_view *sw_wire_request_view(const struct sw_wire_request *request);
/* Memory of the places of its values, beside the bytes themselves. */
size_t sw_wire_request_values_bytes(const struct sw_wire_request *request);
/* The time that answers bear as theirs where the upstream's protocol has none; 0 until set. */
void sw_wire_request_set_time(struct sw_wire_request *request, uint64_t utc_s);
/* What makes two requests the same for an exact-match cache: appended to out, for a digest. It is
 * the protocol and all members of the body in their order, without white space, `stream`,
 * `stream_options`, `metadata`, and the names of the user. */
void sw_wire_request_identity(const struct sw_wire_request *request, struct sw_buffer *out);

struct sw_wire_target {
    enum sw_wire_protocol protocol;
    const char *model;          /* As the upstream names it. */
    uint64_t max_output_tokens; /* Stated if the request states none, lowered to it. 0: neither. */
    bool uses_max_tokens;       /* Of chat: it knows max_tokens, not max_completion_tokens. */
    bool lacks_usage;           /* Of chat: do not ask for the usage of a stream. */
};

/* Append the body for an upstream.
 * SW_E_UNSUPPORTED  something has no counterpart in the upstream's protocol; err->field
 * SW_E_INVALID      something that only a translation looks at is wrong; err->field
 * SW_E_EXHAUSTED    out is too small, no memory */
SW_MUST_CHECK enum sw_rc sw_wire_request_write(const struct sw_wire_request *request,
                                               const struct sw_wire_target *target,
                                               struct sw_buffer *out, struct sw_err *err);

struct sw_wire_usage {
    bool is_reported;         /* The upstream said how many tokens. */
    uint64_t input_tokens;    /* All of them, cached ones included, whatever the protocol. */
    uint64_t cached_tokens;   /* Of those: read from a cache of the upstream. */
    uint64_t written_tokens;  /* Of those: written to it. */
    uint64_t output_tokens;   /* All of them, reasoning included. */
    uint64_t thinking_tokens; /* Of those. */
    uint64_t output_bytes;    /* Own count: text, refusals, tools' names and arguments, thoughts. */
};

/* Append a whole answer of an upstream that speaks `from`, in the client's protocol, with the model
 * named as the client named it. *ret_usage (may be NULL) is set on success.
 * SW_E_UNKNOWN      it is an error of the upstream, or says that it failed; err has its words
 * SW_E_CORRUPT      not an answer of that protocol
 * SW_E_UNSUPPORTED  it holds what is not known here; never if both protocols are the same
 * SW_E_EXHAUSTED    larger than the limits, out is too small, no memory */
SW_MUST_CHECK enum sw_rc sw_wire_answer_convert(const struct sw_wire_request *request,
                                                enum sw_wire_protocol from, struct sw_bytes body,
                                                struct sw_buffer *out,
                                                struct sw_wire_usage *ret_usage,
                                                struct sw_err *err);
/* Append a whole answer in the client's protocol, such as convert and sw_wire_relay_answer write,
 * as a stream of that protocol, in events of at most some 16 KiB of text. Errors as those of
 * convert; SW_E_UNSUPPORTED also for embeddings, and if it holds what is not known here. */
SW_MUST_CHECK enum sw_rc sw_wire_answer_stream(const struct sw_wire_request *request,
                                               struct sw_bytes body, struct sw_buffer *out,
                                               struct sw_err *err);

#define SW_WIRE_WORD_SIZE 64u
#define SW_WIRE_MESSAGE_SIZE 512u
struct sw_wire_error {
    int status;                        /* Of HTTP; in a stream: of its type. */
    char type[SW_WIRE_WORD_SIZE];      /* "": as the status has it. */
    char code[SW_WIRE_WORD_SIZE];      /* "": none. */
    char param[SW_WIRE_WORD_SIZE * 2]; /* The field at fault; "": none. */
    char message[SW_WIRE_MESSAGE_SIZE];
};
/* Append the body of an answer with error->status, as the official libraries of the protocol look
 * at it. A type that the protocol does not have becomes the one of the status. */
void sw_wire_error_write(enum sw_wire_protocol protocol, const struct sw_wire_error *error,
                         struct sw_buffer *out);
/* What an upstream said with that status. Words are cut to size, whole characters, no control
 * characters. Always fills *ret_error: where the body is no error of the protocol, the message
 * says so.  Returns whether it was one. */
bool sw_wire_error_read(enum sw_wire_protocol protocol, int status, struct sw_bytes body,
                        struct sw_wire_error *ret_error);
/* The error of a code and words of our own, such as those of a request that was refused. */
void sw_wire_error_of(const struct sw_err *err, struct sw_wire_error *ret_error);

struct sw_wire_relay; /* One stream on its way from an upstream to a client. */

/* The request must outlive the relay.  SW_E_UNSUPPORTED: not translatable; SW_E_EXHAUSTED. */
SW_MUST_CHECK enum sw_rc sw_wire_relay_new(const struct sw_wire_request *request,
                                           enum sw_wire_protocol from,
                                           struct sw_wire_relay **ret_relay, struct sw_err *err);
void sw_wire_relay_free(struct sw_wire_relay *relay);
SW_DEFINE_CLEANUP(struct sw_wire_relay, sw_wire_relay_free)
/* The next bytes of the upstream; the client's are appended to out, whole events only, and do not
 * depend on where the upstream's were cut. What comes after the end of the stream is ignored.
 * SW_E_UNKNOWN      the upstream reported an error: sw_wire_relay_error. It is not written to out
 * SW_E_CORRUPT      no stream of that protocol
 * SW_E_UNSUPPORTED  as sw_wire_answer_convert
 * SW_E_EXHAUSTED    larger than the limits, out is too small, no memory
 * After an error push and finish return the same again; out may have events from before it. */
SW_MUST_CHECK enum sw_rc sw_wire_relay_push(struct sw_wire_relay *relay, struct sw_bytes bytes,
                                            struct sw_buffer *out, struct sw_err *err);
/* The upstream's bytes are over. A chat stream without its [DONE] has ended if every choice has.
 * SW_E_UNAVAILABLE  it was cut before its end; others as push */
SW_MUST_CHECK enum sw_rc sw_wire_relay_finish(struct sw_wire_relay *relay, struct sw_buffer *out,
                                              struct sw_err *err);
/* End the client's stream with an error, in the form in which its protocol has them in streams.
 * Nothing may be pushed any more. */
void sw_wire_relay_fail(struct sw_wire_relay *relay, const struct sw_wire_error *error,
                        struct sw_buffer *out);
/* The error that the upstream reported in the stream, or NULL. */
const struct sw_wire_error *sw_wire_relay_error(const struct sw_wire_relay *relay);
/* Whether the upstream's end was there: everything of the answer has come. */
bool sw_wire_relay_is_ended(const struct sw_wire_relay *relay);
/* Whether something was written for the client, so that another upstream may not be tried. */
bool sw_wire_relay_has_begun(const struct sw_wire_relay *relay);
/* What came so far; output_bytes counts also in a stream that was cut. */
void sw_wire_relay_usage(const struct sw_wire_relay *relay, struct sw_wire_usage *ret_usage);
/* Append the whole answer in the client's protocol, made of what came.
 * SW_E_PRECONDITION  the stream has not ended
 * SW_E_UNSUPPORTED   it had what is not known here, so this would not be all
 * others             as sw_wire_answer_convert */
SW_MUST_CHECK enum sw_rc sw_wire_relay_answer(const struct sw_wire_relay *relay,
                                              struct sw_buffer *out, struct sw_err *err);
