#include "pkg/broker/transcript/transcript.h"

#include "pkg/broker/model/wire/wire.h"
#include "pkg/broker/transcript/digest.h"
#include "pkg/broker/transcript/message.h"
#include "pkg/utils/base/map.h"
#include "pkg/utils/base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MODEL_PREFIX "swarm.model."
#define STREAM_TYPE "application/vnd.swarm.stream"
#define LAST_TYPE "text/event-stream; last"
#define NEXT_NAME "swarm.model.next"
#define WORDS_BYTES_MAX 2048u
#define PLACES_MAX (SW_WIRE_REQUEST_BYTES_MAX / 2)

struct message { /* One that is known. */
    uint8_t id[SW_TRANSCRIPT_ID_SIZE];
};

struct open_call { /* A call that has no answer, or a stream that has not ended. */
    bool is_there;
    uint64_t turn, time_ns, number;
    struct sw_buffer service, body;
    struct sw_buffer stream; /* Its name; empty: it is none. */
    struct sw_buffer events; /* Of a stream: what came so far. */
};

struct sw_transcript {
    struct sw_transcript_options options;
    struct sw_map *known; /* struct message, by id. */
    struct open_call now; /* The last call. */
    struct open_call streams[SW_TRANSCRIPT_STREAMS_MAX];
    struct sw_wire_doc request, answer;
    struct sw_transcript_text text;
    struct sw_buffer json, canonical, converted;
    struct sw_buffer places; /* struct sw_transcript_place, of the call that is told. */
    bool is_full;            /* No more messages can be known. */
};

struct outcome {      /* Of a call, as it is told. */
    const char *what; /* "answered", "failed", "waits", "broken off" */
    uint64_t time_ns;
    int32_t code;
    struct sw_bytes type, body;
};

static const uint8_t no_id[SW_TRANSCRIPT_ID_SIZE];

static struct sw_bytes bytes_of(const struct sw_buffer *buffer)
{
    return (struct sw_bytes){buffer->data, buffer->size};
}

static struct sw_bytes id_of(const void *value)
{
    const struct message *message = value;

    return (struct sw_bytes){message->id, sizeof message->id};
}

static enum sw_rc no_memory(struct sw_err *err)
{
    return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a transcript");
}

/* --- Life ------------------------------------------------------------------------------------ */

static void open_init(struct open_call *call)
{
    sw_buffer_init(&call->service, SIZE_MAX / 2);
    sw_buffer_init(&call->body, SIZE_MAX / 2);
    sw_buffer_init(&call->stream, SIZE_MAX / 2);
    sw_buffer_init(&call->events, SW_WIRE_STREAM_BYTES_MAX);
}

static void open_done(struct open_call *call)
{
    sw_buffer_done(&call->service);
    sw_buffer_done(&call->body);
    sw_buffer_done(&call->stream);
    sw_buffer_done(&call->events);
}

enum sw_rc sw_transcript_new(const struct sw_transcript_options *options,
                             struct sw_transcript **ret_transcript, struct sw_err *err)
{
    SW_CLEANUP(sw_transcript_freep) struct sw_transcript *made = calloc(1, sizeof *made);

    if (made == NULL)
        return no_memory(err);
    made->options = *options;
    if (made->options.text_bytes > SW_TRANSCRIPT_TEXT_MAX)
        made->options.text_bytes = SW_TRANSCRIPT_TEXT_MAX;
    made->text.text_bytes = made->options.text_bytes;
    made->known = sw_map_new_of(0, id_of); /* Its keys are digests. */
    if (made->known == NULL)
        return no_memory(err);
    open_init(&made->now);
    for (unsigned i = 0; i < SW_TRANSCRIPT_STREAMS_MAX; i++)
        open_init(&made->streams[i]);
    sw_buffer_init(&made->text.text, SIZE_MAX / 2);
    sw_buffer_init(&made->text.calls, SIZE_MAX / 2);
    sw_buffer_init(&made->text.scratch, SIZE_MAX / 2);
    sw_buffer_init(&made->json, SIZE_MAX / 2);
    sw_buffer_init(&made->canonical, SIZE_MAX / 2);
    sw_buffer_init(&made->converted, SIZE_MAX / 2);
    sw_buffer_init(&made->places, SIZE_MAX / 2);
    *ret_transcript = SW_TAKE(made);
    return SW_OK;
}

void sw_transcript_free(struct sw_transcript *transcript)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    if (transcript == NULL)
        return;
    while (transcript->known != NULL && sw_map_next(transcript->known, &cursor, &entry))
        free(entry.value);
    sw_map_free(transcript->known);
    open_done(&transcript->now);
    for (unsigned i = 0; i < SW_TRANSCRIPT_STREAMS_MAX; i++)
        open_done(&transcript->streams[i]);
    sw_wire_doc_done(&transcript->request);
    sw_wire_doc_done(&transcript->answer);
    sw_buffer_done(&transcript->text.text);
    sw_buffer_done(&transcript->text.calls);
    sw_buffer_done(&transcript->text.scratch);
    sw_buffer_done(&transcript->json);
    sw_buffer_done(&transcript->canonical);
    sw_buffer_done(&transcript->converted);
    sw_buffer_done(&transcript->places);
    free(transcript);
}

/* --- The chain ------------------------------------------------------------------------------- */

/* The id of the message at a place, behind the one of id. */
static void next_id(struct sw_transcript *transcript, const struct sw_wire_doc *doc,
                    struct sw_transcript_place place, uint8_t id[SW_TRANSCRIPT_ID_SIZE])
{
    struct sw_transcript_digest digest;

    sw_buffer_reset(&transcript->canonical);
    sw_transcript_canonical(doc, place, &transcript->canonical);
    sw_transcript_digest_begin(&digest);
    sw_transcript_digest_add(&digest, (struct sw_bytes){id, SW_TRANSCRIPT_ID_SIZE});
    sw_transcript_digest_add(&digest, bytes_of(&transcript->canonical));
    sw_transcript_digest_end(&digest, id);
}

static bool is_known(const struct sw_transcript *transcript,
                     const uint8_t id[SW_TRANSCRIPT_ID_SIZE])
{
    return sw_map_find(transcript->known, id, SW_TRANSCRIPT_ID_SIZE) != NULL;
}

static void know(struct sw_transcript *transcript, const uint8_t id[SW_TRANSCRIPT_ID_SIZE])
{
    struct message *message;

    if (is_known(transcript, id))
        return;
    message = sw_map_count(transcript->known) < SW_TRANSCRIPT_MESSAGES_MAX ? malloc(sizeof *message)
                                                                           : NULL;
    if (message != NULL) {
        memcpy(message->id, id, sizeof message->id);
        if (sw_map_put(transcript->known, message->id, sizeof message->id, message, NULL) == SW_OK)
            return;
        free(message);
    }
    transcript->is_full = true;
}

static void put_id(struct sw_buffer *out, const char *name, const uint8_t *id)
{
    if (memcmp(id, no_id, sizeof no_id) == 0)
        return;
    sw_buffer_print(out, ",\"%s\":\"", name);
    for (unsigned i = 0; i < SW_TRANSCRIPT_ID_SIZE; i++)
        sw_buffer_print(out, "%02x", id[i]);
    sw_buffer_put_u8(out, '"');
}

/* --- Reading --------------------------------------------------------------------------------- */

static void add_place(struct sw_transcript *transcript, uint32_t node, const char *role)
{
    const struct sw_transcript_place place = {node, role};

    sw_buffer_put(&transcript->places, &place, sizeof place);
}

static size_t places_count(const struct sw_transcript *transcript)
{
    return transcript->places.failed ? 0
                                     : transcript->places.size / sizeof(struct sw_transcript_place);
}

static struct sw_transcript_place place_at(const struct sw_transcript *transcript, size_t index)
{
    return ((const struct sw_transcript_place *)(const void *)transcript->places.data)[index];
}

/* Add the messages of a list, or the one of a text. */
static void add_places(struct sw_transcript *transcript, const struct sw_wire_doc *doc,
                       uint32_t list)
{
    if (sw_wire_is_string(doc, list))
        add_place(transcript, list, "user");
    if (list == 0 || sw_wire_kind_of(doc, list) != SW_WIRE_ARRAY)
        return;
    for (uint32_t i = sw_wire_first(doc, list); i != 0; i = sw_wire_next(doc, list, i))
        if (sw_wire_kind_of(doc, i) == SW_WIRE_OBJECT)
            add_place(transcript, i, NULL);
}

static bool read_doc(struct sw_wire_doc *doc, struct sw_bytes body)
{
    const struct sw_wire_doc_options options = {
        .code = SW_E_INVALID, .size_max = SW_WIRE_REQUEST_BYTES_MAX, .what = "a document"};
    struct sw_err ignored = {0};

    return sw_wire_doc_read(doc, body, &options, &ignored) == SW_OK &&
           sw_wire_kind_of(doc, 0) == SW_WIRE_OBJECT;
}

/* False: it is no request of a model. */
static bool find_protocol(struct sw_bytes service, enum sw_wire_protocol *ret_protocol)
{
    size_t prefix = strlen(MODEL_PREFIX);

    for (unsigned i = 0; i < SW_WIRE_PROTOCOLS; i++) {
        const char *name = sw_wire_protocol_name((enum sw_wire_protocol)i);

        if (service.size == prefix + strlen(name) &&
            memcmp(service.data, MODEL_PREFIX, prefix) == 0 &&
            memcmp((const char *)service.data + prefix, name, strlen(name)) == 0) {
            *ret_protocol = (enum sw_wire_protocol)i;
            return true;
        }
    }
    return false;
}

/* Find the messages of a request. */
static void find_request(struct sw_transcript *transcript, enum sw_wire_protocol protocol)
{
    const struct sw_wire_doc *doc = &transcript->request;
    uint32_t system =
        sw_wire_find(doc, 0, protocol == SW_WIRE_MESSAGES ? "system" : "instructions");
    const char *list = protocol == SW_WIRE_RESPONSES ? "input" : "messages";

    sw_buffer_reset(&transcript->places);
    if (protocol == SW_WIRE_EMBEDDINGS)
        return;
    if (sw_wire_is_said(doc, system) && protocol != SW_WIRE_CHAT)
        add_place(transcript, system, "system");
    add_places(transcript, doc, sw_wire_find(doc, 0, list));
}

/* Find those of an answer. */
static void find_answer(struct sw_transcript *transcript, enum sw_wire_protocol protocol)
{
    const struct sw_wire_doc *doc = &transcript->answer;
    uint32_t choices, first, message;

    sw_buffer_reset(&transcript->places);
    switch (protocol) {
    case SW_WIRE_CHAT:
        choices = sw_wire_find(doc, 0, "choices");
        first = choices != 0 && sw_wire_kind_of(doc, choices) == SW_WIRE_ARRAY
                    ? sw_wire_first(doc, choices)
                    : 0;
        message = first == 0 ? 0 : sw_wire_find(doc, first, "message");
        if (message != 0)
            add_place(transcript, message, NULL);
        return;
    case SW_WIRE_RESPONSES:
        add_places(transcript, doc, sw_wire_find(doc, 0, "output"));
        return;
    case SW_WIRE_MESSAGES:
        if (sw_wire_find(doc, 0, "content") != 0)
            add_place(transcript, 0, NULL);
        return;
    case SW_WIRE_EMBEDDINGS:
        return;
    }
}

/* --- Telling --------------------------------------------------------------------------------- */

static void tell(struct sw_transcript *transcript, uint64_t turn)
{
    sw_buffer_put_u8(&transcript->json, '}');
    if (!transcript->json.failed)
        transcript->options.tell(transcript->options.ctx, turn, bytes_of(&transcript->json));
}

/* Tell the messages from a place on, behind the one of id, which becomes that of the last. */
static void tell_messages(struct sw_transcript *transcript, const struct sw_wire_doc *doc,
                          const struct open_call *call, size_t from,
                          uint8_t id[SW_TRANSCRIPT_ID_SIZE])
{
    size_t count = places_count(transcript);

    for (size_t i = from; i < count; i++) {
        uint8_t parent[SW_TRANSCRIPT_ID_SIZE];
        bool is_new;

        memcpy(parent, id, sizeof parent);
        next_id(transcript, doc, place_at(transcript, i), id);
        is_new = !is_known(transcript, id);
        know(transcript, id);
        if (!is_new || i - from >= SW_TRANSCRIPT_TOLD_MAX)
            continue;
        sw_buffer_reset(&transcript->json);
        sw_buffer_print(&transcript->json, "{\"kind\":\"message\",\"turn\":\"%" PRIu64 "\"",
                        call->turn);
        put_id(&transcript->json, "id", id);
        put_id(&transcript->json, "parent", parent);
        sw_buffer_put_u8(&transcript->json, ',');
        sw_transcript_put_message(doc, place_at(transcript, i), &transcript->text,
                                  &transcript->json);
        tell(transcript, call->turn);
    }
}

static uint64_t number_of(const struct sw_wire_doc *doc, uint32_t object, const char *name)
{
    uint32_t at = object == 0 ? 0 : sw_wire_find(doc, object, name);
    uint64_t value = 0;

    return at != 0 && sw_wire_u64(doc, at, SW_WIRE_TOKENS_MAX, &value) ? value : 0;
}

/* What the provider counted, as it said; the ledger's count stands in budgets. */
static void put_usage(const struct sw_wire_doc *doc, enum sw_wire_protocol protocol,
                      struct sw_buffer *out)
{
    bool is_chat = protocol == SW_WIRE_CHAT || protocol == SW_WIRE_EMBEDDINGS;
    uint32_t usage = sw_wire_find(doc, 0, "usage");
    uint64_t input = number_of(doc, usage, is_chat ? "prompt_tokens" : "input_tokens");
    uint64_t output = number_of(doc, usage, is_chat ? "completion_tokens" : "output_tokens");

    if (usage == 0)
        return;
    if (protocol == SW_WIRE_MESSAGES)
        input += number_of(doc, usage, "cache_creation_input_tokens") +
                 number_of(doc, usage, "cache_read_input_tokens");
    sw_buffer_print(out, ",\"inputTokens\":\"%" PRIu64 "\",\"outputTokens\":\"%" PRIu64 "\"", input,
                    output);
}

/* A string member of a document. */
static void put_member(struct sw_transcript *transcript, const struct sw_wire_doc *doc,
                       const char *member, const char *name)
{
    uint32_t at = sw_wire_find(doc, 0, member);

    if (!sw_wire_is_string(doc, at))
        return;
    sw_buffer_reset(&transcript->text.scratch);
    sw_wire_put_meaning(&transcript->text.scratch, sw_wire_text_of(doc, at));
    sw_transcript_put_text(&transcript->json, name, bytes_of(&transcript->text.scratch),
                           SW_WIRE_MODEL_MAX, NULL);
}

/* The value of a parameter of a content type, such as provider in "x; provider=house". */
static struct sw_bytes parameter_of(struct sw_bytes type, const char *name)
{
    const char *text = type.data;
    size_t size = strlen(name);

    for (size_t at = 0; at + size + 3 <= type.size; at++) {
        size_t from = at + 2 + size + 1, to = from;

        if (text[at] != ';' || text[at + 1] != ' ' || memcmp(text + at + 2, name, size) != 0 ||
            text[at + 2 + size] != '=')
            continue;
        while (to < type.size && text[to] != ';')
            to++;
        return (struct sw_bytes){text + from, to - from};
    }
    return (struct sw_bytes){NULL, 0};
}

static void put_parameter(struct sw_transcript *transcript, struct sw_bytes type, const char *name,
                          const char *as)
{
    struct sw_bytes value = parameter_of(type, name);

    if (value.size > 0)
        sw_transcript_put_text(&transcript->json, as, value, SW_WIRE_MODEL_MAX, NULL);
}

static void put_words(struct sw_transcript *transcript, struct sw_bytes words)
{
    if (words.size > 0 && sw_text_is_utf8(words.data, words.size))
        sw_transcript_put_text(&transcript->json, "words", words, WORDS_BYTES_MAX, NULL);
}

static void begin_entry(struct sw_transcript *transcript, const struct open_call *call,
                        const struct outcome *outcome, const char *kind)
{
    char time[SW_TIME_TEXT_SIZE];

    sw_time_print(call->time_ns, time);
    sw_buffer_reset(&transcript->json);
    sw_buffer_print(&transcript->json,
                    "{\"kind\":\"%s\",\"turn\":\"%" PRIu64 "\",\"time\":\"%s\",\"outcome\":\"%s\"",
                    kind, call->turn, time, outcome->what);
    sw_buffer_print(&transcript->json, ",\"call\":\"%" PRIu64 "\"", call->number);
    sw_transcript_put_text(&transcript->json, "service", bytes_of(&call->service), 255, NULL);
    if (outcome->time_ns > call->time_ns)
        sw_buffer_print(&transcript->json, ",\"tookMs\":\"%" PRIu64 "\"",
                        (outcome->time_ns - call->time_ns) / 1000000);
    if (outcome->code != 0)
        sw_buffer_print(&transcript->json, ",\"code\":\"%s\"",
                        sw_rc_name((enum sw_rc)outcome->code));
    if (outcome->code != 0)
        put_words(transcript, outcome->body);
}

/* A call of something else than a model. */
static void tell_service(struct sw_transcript *transcript, const struct open_call *call,
                         const struct outcome *outcome)
{
    begin_entry(transcript, call, outcome, "service");
    sw_buffer_print(&transcript->json, ",\"requestBytes\":\"%zu\",\"answerBytes\":\"%zu\"",
                    call->body.size, outcome->body.size);
    tell(transcript, call->turn);
}

/* A call of a model, what it adds to what is known, and what it came to. */
static void tell_model(struct sw_transcript *transcript, const struct open_call *call,
                       const struct outcome *outcome, enum sw_wire_protocol protocol)
{
    bool is_read = read_doc(&transcript->request, bytes_of(&call->body));
    bool is_answered = outcome->code == 0 && outcome->body.size > 0 &&
                       read_doc(&transcript->answer, outcome->body);
    uint8_t known[SW_TRANSCRIPT_ID_SIZE] = {0}, last[SW_TRANSCRIPT_ID_SIZE] = {0};
    size_t count, shared = 0;

    sw_buffer_reset(&transcript->places);
    if (is_read)
        find_request(transcript, protocol);
    count = places_count(transcript);
    for (size_t i = 0; i < count; i++) {
        next_id(transcript, &transcript->request, place_at(transcript, i), last);
        if (shared == i && is_known(transcript, last)) {
            memcpy(known, last, sizeof known);
            shared = i + 1;
        }
    }
    begin_entry(transcript, call, outcome, "call");
    put_id(&transcript->json, "id", last);
    put_id(&transcript->json, "continues", known);
    sw_buffer_print(&transcript->json, ",\"messages\":\"%zu\",\"shared\":\"%zu\"", count, shared);
    if (count - shared > SW_TRANSCRIPT_TOLD_MAX)
        sw_buffer_print(&transcript->json, ",\"untold\":\"%zu\"",
                        count - shared - SW_TRANSCRIPT_TOLD_MAX);
    if (is_read)
        put_member(transcript, &transcript->request, "model", "model");
    if (is_answered) {
        put_member(transcript, &transcript->answer, "model", "answeredBy");
        put_usage(&transcript->answer, protocol, &transcript->json);
    }
    put_parameter(transcript, outcome->type, "provider", "provider");
    put_parameter(transcript, outcome->type, "cost", "costNano");
    if (!is_read)
        sw_buffer_put_text(&transcript->json, ",\"unread\":true");
    tell(transcript, call->turn);
    memcpy(last, known, sizeof last);
    tell_messages(transcript, &transcript->request, call, shared, last);
    if (!is_answered)
        return;
    find_answer(transcript, protocol);
    tell_messages(transcript, &transcript->answer, call, 0, last);
}

static enum sw_rc check(const struct sw_transcript *transcript, struct sw_err *err)
{
    if (transcript->is_full && sw_map_count(transcript->known) >= SW_TRANSCRIPT_MESSAGES_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED, "the conversations have more than %u messages",
                          SW_TRANSCRIPT_MESSAGES_MAX);
    if (transcript->is_full || transcript->json.failed || transcript->canonical.failed ||
        transcript->places.failed || transcript->text.text.failed ||
        transcript->text.calls.failed || transcript->text.scratch.failed)
        return no_memory(err);
    return SW_OK;
}

static enum sw_rc tell_call(struct sw_transcript *transcript, const struct open_call *call,
                            const struct outcome *outcome, struct sw_err *err)
{
    enum sw_wire_protocol protocol;

    if (find_protocol(bytes_of(&call->service), &protocol))
        tell_model(transcript, call, outcome, protocol);
    else
        tell_service(transcript, call, outcome);
    return check(transcript, err);
}

/* --- Streams --------------------------------------------------------------------------------- */

static bool begins_with(struct sw_bytes text, const char *words)
{
    return text.size >= strlen(words) && memcmp(text.data, words, strlen(words)) == 0;
}

static bool means(struct sw_bytes text, const char *words)
{
    return text.size == strlen(words) && begins_with(text, words);
}

/* The call opened a stream: its answer comes in pieces. False: there is no room for one more. */
static bool open_stream(struct sw_transcript *transcript, struct sw_bytes name)
{
    for (unsigned i = 0; i < SW_TRANSCRIPT_STREAMS_MAX; i++) {
        struct open_call *stream = &transcript->streams[i], spare = *stream;

        if (stream->is_there)
            continue;
        *stream = transcript->now;
        transcript->now = spare;
        sw_buffer_reset(&stream->stream);
        sw_buffer_reset(&stream->events);
        sw_buffer_put(&stream->stream, name.data, name.size);
        return true;
    }
    return false;
}

/* The stream that a body "STREAM AFTER" names, and AFTER. NULL: it is not followed. */
static struct open_call *find_stream(struct sw_transcript *transcript, struct sw_bytes body,
                                     uint64_t *ret_after)
{
    const char *space = body.size == 0 ? NULL : memchr(body.data, ' ', body.size);
    size_t size = space == NULL ? 0 : (size_t)(space - (const char *)body.data);
    char digits[24] = "";

    if (space == NULL || body.size - size - 1 >= sizeof digits)
        return NULL;
    memcpy(digits, space + 1, body.size - size - 1);
    if (sw_text_to_u64(digits, ret_after) != SW_OK)
        return NULL;
    for (unsigned i = 0; i < SW_TRANSCRIPT_STREAMS_MAX; i++) {
        struct open_call *stream = &transcript->streams[i];

        if (stream->is_there && stream->stream.size == size &&
            memcmp(stream->stream.data, body.data, size) == 0)
            return stream;
    }
    return NULL;
}

/* The whole answer that the events come to, in transcript->converted. False: they are none. */
static bool convert(struct sw_transcript *transcript, const struct open_call *stream)
{
    SW_CLEANUP(sw_wire_request_freep) struct sw_wire_request *request = NULL;
    SW_CLEANUP(sw_wire_relay_freep) struct sw_wire_relay *relay = NULL;
    SW_CLEANUP(sw_buffer_done) struct sw_buffer unused = {0};
    struct sw_err ignored = {0};
    enum sw_wire_protocol protocol;

    sw_buffer_init(&unused, SIZE_MAX / 2);
    sw_buffer_reset(&transcript->converted);
    return find_protocol(bytes_of(&stream->service), &protocol) &&
           sw_wire_request_read(protocol, bytes_of(&stream->body), &request, &ignored) == SW_OK &&
           sw_wire_relay_new(request, protocol, &relay, &ignored) == SW_OK &&
           sw_wire_relay_push(relay, bytes_of(&stream->events), &unused, &ignored) == SW_OK &&
           sw_wire_relay_finish(relay, &unused, &ignored) == SW_OK &&
           sw_wire_relay_answer(relay, &transcript->converted, &ignored) == SW_OK;
}

static enum sw_rc end_stream(struct sw_transcript *transcript, struct open_call *stream,
                             const struct outcome *outcome, struct sw_err *err)
{
    struct outcome whole = *outcome;
    enum sw_rc rc;

    stream->is_there = false;
    if (whole.code == 0 && convert(transcript, stream))
        whole.body = bytes_of(&transcript->converted);
    else if (whole.code == 0)
        whole = (struct outcome){.what = "broken off", .time_ns = outcome->time_ns};
    rc = tell_call(transcript, stream, &whole, err);
    sw_buffer_reset(&stream->events);
    return rc;
}

/* --- Calls ----------------------------------------------------------------------------------- */

enum sw_rc sw_transcript_call(struct sw_transcript *transcript,
                              const struct sw_transcript_part *call, struct sw_err *err)
{
    struct open_call *now = &transcript->now;
    enum sw_rc rc = SW_OK;

    if (now->is_there) /* Its turn failed meanwhile. */
        rc = tell_call(transcript, now, &(struct outcome){.what = "unanswered"}, err);
    now->is_there = true;
    now->turn = call->turn;
    now->time_ns = call->time_ns;
    now->number = call->number;
    sw_buffer_reset(&now->service);
    sw_buffer_reset(&now->body);
    sw_buffer_put(&now->service, call->service.data, call->service.size);
    sw_buffer_put(&now->body, call->body.data, call->body.size);
    return rc == SW_OK && (now->service.failed || now->body.failed) ? no_memory(err) : rc;
}

enum sw_rc sw_transcript_answer(struct sw_transcript *transcript,
                                const struct sw_transcript_part *answer, struct sw_err *err)
{
    struct open_call *now = &transcript->now;
    const struct outcome outcome = {.what = answer->code == 0 ? "answered" : "failed",
                                    .time_ns = answer->time_ns,
                                    .code = answer->code,
                                    .type = answer->type,
                                    .body = answer->body};
    struct open_call *stream;
    uint64_t after = 0;

    if (!now->is_there)
        return SW_OK;
    if (answer->code == 0 && means(answer->type, STREAM_TYPE) &&
        open_stream(transcript, answer->body))
        return SW_OK;
    now->is_there = false;
    if (!means(bytes_of(&now->service), NEXT_NAME))
        return tell_call(transcript, now, &outcome, err);
    stream = find_stream(transcript, bytes_of(&now->body), &after);
    if (stream == NULL)
        return SW_OK;
    if (answer->code == 0 && after == stream->events.size)
        sw_buffer_put(&stream->events, answer->body.data, answer->body.size);
    return answer->code != 0 || begins_with(answer->type, LAST_TYPE)
               ? end_stream(transcript, stream, &outcome, err)
               : SW_OK;
}

bool sw_transcript_is_open(const struct sw_transcript *transcript)
{
    bool is_open = transcript->now.is_there;

    for (unsigned i = 0; i < SW_TRANSCRIPT_STREAMS_MAX; i++)
        is_open |= transcript->streams[i].is_there;
    return is_open;
}

enum sw_rc sw_transcript_end(struct sw_transcript *transcript, struct sw_err *err)
{
    struct open_call *now = &transcript->now;
    bool is_next = means(bytes_of(&now->service), NEXT_NAME);
    enum sw_rc rc = SW_OK;

    for (unsigned i = 0; rc == SW_OK && i < SW_TRANSCRIPT_STREAMS_MAX; i++) {
        struct open_call *stream = &transcript->streams[i];
        const char *what = now->is_there && is_next ? "waits" : "broken off";

        if (stream->is_there)
            rc = tell_call(transcript, stream, &(struct outcome){.what = what}, err);
        stream->is_there = false;
    }
    if (rc == SW_OK && now->is_there && !is_next)
        rc = tell_call(transcript, now, &(struct outcome){.what = "waits"}, err);
    now->is_there = false;
    return rc;
}
