/* What the codecs of requests have in common: checks that end in the path of a field.
 *
 * Private to this room.  Threads: one at a time.  I/O: none. */
#pragma once
#include "pkg/broker/model/wire/form.h"

/* A member of an object that a translation knows. */
struct sw_wire_rule {
    const char *name;
    /* NULL: any value. Else words with a space between: the values that change nothing, so that
     * they need no counterpart: "0", "false", "auto", "[]". null is always one of them. */
    const char *only;
};

/* Every member has a rule that its value fits.
 * SW_E_UNSUPPORTED: one has not; SW_E_INVALID: no object. */
SW_MUST_CHECK enum sw_rc sw_wire_check(const struct sw_wire_doc *doc, uint32_t object,
                                       const struct sw_wire_rule *rules, size_t count,
                                       struct sw_err *err);
#define SW_WIRE_CHECK(doc, object, rules, err)                                                     \
    sw_wire_check((doc), (object), (rules), sizeof(rules) / sizeof(rules)[0], (err))

/* sw_wire_bind, where a name that is there twice, or a value that is no object, is SW_E_INVALID. */
SW_MUST_CHECK enum sw_rc sw_wire_members(const struct sw_wire_doc *doc, uint32_t object,
                                         const char *const *names, size_t count, uint32_t *ret_at,
                                         struct sw_err *err);
/* SW_E_INVALID unless it is of that kind; 0 is "missing", told of the object. */
SW_MUST_CHECK enum sw_rc sw_wire_expect(const struct sw_wire_doc *doc, uint32_t object, uint32_t at,
                                        const char *name, enum sw_wire_kind kind,
                                        struct sw_err *err);
/* true or false; absent and null are false.  SW_E_INVALID: something else. */
SW_MUST_CHECK enum sw_rc sw_wire_flag(const struct sw_wire_doc *doc, uint32_t at, bool *ret_flag,
                                      struct sw_err *err);

/* ---- For the views of requests. */

/* The model's name: 1 to SW_WIRE_MODEL_MAX bytes of printable text. */
SW_MUST_CHECK enum sw_rc sw_wire_look_model(struct sw_wire_request *request, uint32_t at,
                                            struct sw_err *err);
/* A limit of the output in tokens, the least of several. */
SW_MUST_CHECK enum sw_rc sw_wire_look_limit(struct sw_wire_request *request, uint32_t at,
                                            struct sw_err *err);
SW_MUST_CHECK enum sw_rc sw_wire_look_temperature(struct sw_wire_request *request, uint32_t at,
                                                  struct sw_err *err);
/* Count text and media of what a message has as its content, or a tool's result as its output. */
void sw_wire_look_content(struct sw_wire_request *request, uint32_t at);
/* Count the messages of an array; `content` is the name of what may have parts. */
SW_MUST_CHECK enum sw_rc sw_wire_look_messages(struct sw_wire_request *request, uint32_t array,
                                               const char *const *contents, size_t count,
                                               struct sw_err *err);
/* Count text that is not of a message, such as tools; 0 and null are nothing. */
void sw_wire_look_text(struct sw_wire_request *request, uint32_t at);

/* Members of the request that stand for text which is kept elsewhere. */
void sw_wire_look_elsewhere(struct sw_wire_request *request, const char *const *names,
                            size_t count);
/* Tools or items whose type is none of those: what they add is not in the request. */
void sw_wire_look_types(struct sw_wire_request *request, uint32_t array, const char *const *types,
                        size_t count);

/* ---- For translations. */

/* Words of "data:image/png;base64,..." or another URL as a part of an image. */
SW_MUST_CHECK enum sw_rc sw_wire_image_of(const struct sw_wire_request *request, uint32_t at,
                                          struct sw_wire_part *part, struct sw_err *err);
/* A response format of OpenAI, 0 or null being none; its schema is in `inner`, or NULL: beside its
 * type. */
SW_MUST_CHECK enum sw_rc sw_wire_read_format(const struct sw_wire_doc *doc, uint32_t at,
                                             const char *inner, struct sw_wire_settings *ret,
                                             struct sw_err *err);
/* A choice of tools of OpenAI, 0 or null being none; the name of one is in `inner`, or NULL: beside
 * its type. */
SW_MUST_CHECK enum sw_rc sw_wire_read_choice(const struct sw_wire_doc *doc, uint32_t at,
                                             const char *inner, struct sw_wire_settings *ret,
                                             struct sw_err *err);
/* A tool that is a function, all of it beside its name; `schema` is what its parameters are called.
 */
SW_MUST_CHECK enum sw_rc sw_wire_read_tool(const struct sw_wire_doc *doc, uint32_t at,
                                           const char *schema, struct sw_wire_tool *ret,
                                           struct sw_err *err);
/* The object of parts that an array or a text of content has, one after the other. A text is one
 * part; null and absent are none. */
struct sw_wire_content {
    const struct sw_wire_request *request;
    sw_wire_on_part *on_part;
    void *ctx;
    struct sw_err *err;
    struct sw_wire_part common; /* Role and message of each. */
    /* An object of the array. */
    enum sw_rc (*on_object)(const struct sw_wire_content *content, uint32_t at);
};
SW_MUST_CHECK enum sw_rc sw_wire_content_parts(const struct sw_wire_content *content, uint32_t at);
/* One text, which is `at` in the part `in`. */
SW_MUST_CHECK enum sw_rc sw_wire_content_text(const struct sw_wire_content *content, uint32_t in,
                                              uint32_t at, enum sw_wire_part_kind kind);

/* ---- For writing. */

/* Append `"name":` and the value of a node as it stands, behind a comma; nothing for 0 or null. */
void sw_wire_put_member(const struct sw_wire_writing *writing, const char *name, uint32_t at);
/* Append the JSON of a node: a string with its quotes. */
void sw_wire_put_node(struct sw_buffer *out, const struct sw_wire_doc *doc, uint32_t at);
/* Append a comma, unless an array has just begun. */
void sw_wire_put_comma(struct sw_buffer *out);
/* Append text as a JSON string: quotes, escapes. */
void sw_wire_put_words(struct sw_buffer *out, const char *words);
/* A setting that the protocol written to has not: SW_E_UNSUPPORTED unless it is unsaid or one of
 * the words of `only`, as in rules. */
SW_MUST_CHECK enum sw_rc sw_wire_refuse(const struct sw_wire_writing *writing, uint32_t at,
                                        const char *only);
/* SW_E_UNSUPPORTED: nothing was said that could be written. */
SW_MUST_CHECK enum sw_rc sw_wire_refuse_empty(const struct sw_wire_writing *writing);
/* Append what a JSON string means as JSON itself, if it is an object; nothing means {}.
 * false: it is none, and nothing was appended. */
bool sw_wire_put_object(struct sw_buffer *out, struct sw_wire_text string);
