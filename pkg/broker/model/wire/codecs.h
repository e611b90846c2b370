/* The answers' half of each codec, and what their writers share.
 *
 * Private to this room.  Threads: one at a time.  I/O: none. */
#pragma once
#include "pkg/broker/model/wire/form.h"

enum sw_rc sw_wire_chat_answer_read(const struct sw_wire_doc *doc, const struct sw_wire_sink *sink);
enum sw_rc sw_wire_chat_event_read(const struct sw_wire_doc *doc, const struct sw_wire_sink *sink);
enum sw_rc sw_wire_chat_answer_write(const struct sw_wire_request *request,
                                     const struct sw_wire_answer *answer, struct sw_buffer *out,
                                     struct sw_err *err);
enum sw_rc sw_wire_chat_event_write(struct sw_wire_stream *stream,
                                    const struct sw_wire_event *event, struct sw_err *err);
enum sw_rc sw_wire_responses_answer_read(const struct sw_wire_doc *doc,
                                         const struct sw_wire_sink *sink);
enum sw_rc sw_wire_responses_event_read(const struct sw_wire_doc *doc,
                                        const struct sw_wire_sink *sink);
enum sw_rc sw_wire_responses_answer_write(const struct sw_wire_request *request,
                                          const struct sw_wire_answer *answer,
                                          struct sw_buffer *out, struct sw_err *err);
enum sw_rc sw_wire_responses_event_write(struct sw_wire_stream *stream,
                                         const struct sw_wire_event *event, struct sw_err *err);
enum sw_rc sw_wire_messages_answer_read(const struct sw_wire_doc *doc,
                                        const struct sw_wire_sink *sink);
enum sw_rc sw_wire_messages_event_read(const struct sw_wire_doc *doc,
                                       const struct sw_wire_sink *sink);
enum sw_rc sw_wire_messages_answer_write(const struct sw_wire_request *request,
                                         const struct sw_wire_answer *answer, struct sw_buffer *out,
                                         struct sw_err *err);
enum sw_rc sw_wire_messages_event_write(struct sw_wire_stream *stream,
                                        const struct sw_wire_event *event, struct sw_err *err);

/* Tell the event with the text of a node, if it is one and has something. */
enum sw_rc sw_wire_tell_text(const struct sw_wire_doc *doc, uint32_t at,
                             const struct sw_wire_sink *sink, struct sw_wire_event event);
/* A count of tokens; 0 where there is none, or it is absurd. */
uint64_t sw_wire_tokens(const struct sw_wire_doc *doc, uint32_t object, const char *name);
/* The same in an object inside of it. */
uint64_t sw_wire_tokens_in(const struct sw_wire_doc *doc, uint32_t object, const char *outer,
                           const char *name);
/* `prefix` and the id of the answer, without quotes and without the prefix of its own protocol. */
void sw_wire_put_id(struct sw_buffer *out, const struct sw_wire_answer *answer, const char *prefix);
/* When the answer was made, as its upstream or the request says. */
uint64_t sw_wire_created(const struct sw_wire_request *request,
                         const struct sw_wire_answer *answer);
/* The model as the client named it, as JSON with quotes. */
void sw_wire_put_model(struct sw_buffer *out, const struct sw_wire_request *request);
/* Whether a client is shown what the model thought. */
bool sw_wire_shows_thoughts(const struct sw_wire_request *request);
/* What an answer of OpenAI says of its usage, where it has it; `input` and `output` are what that
 * protocol calls them: "prompt" and "completion", or "input" and "output". */
void sw_wire_read_usage(const struct sw_wire_doc *doc, uint32_t at, const char *input,
                        const char *output, struct sw_wire_usage *usage);
/* Note the upstream's error, the value of a node or the whole event (0); its status is the one of
 * its type. */
void sw_wire_note_error(const struct sw_wire_sink *sink, const struct sw_wire_doc *doc,
                        uint32_t error);
/* An error as an event of the protocol's streams; sequence is of responses. */
void sw_wire_error_event(enum sw_wire_protocol protocol, const struct sw_wire_error *error,
                         uint64_t sequence, struct sw_buffer *out);
/* The JSON of a value with the name of the model in it, a node or 0, as the client named it. */
void sw_wire_put_renamed(const struct sw_wire_request *request, const struct sw_wire_doc *doc,
                         uint32_t in, uint32_t model, struct sw_buffer *out);
/* A whole answer in the client's protocol; errors as those of sw_wire_answer_convert. */
enum sw_rc sw_wire_answer_put(const struct sw_wire_request *request,
                              const struct sw_wire_answer *answer, struct sw_buffer *out,
                              struct sw_err *err);
