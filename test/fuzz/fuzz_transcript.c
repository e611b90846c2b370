/* What agents say to models, and what those answer, as a transcript reads it. A line is a call,
 * "cN BODY" with the service of that number, or an answer, "aN BODY" with the type of that number.
 * What is told is JSON, and small enough for a frame. */
/* uses: pkg/broker/transcript */
/* covers: pkg/broker/transcript/transcript.c pkg/broker/transcript/message.c */
/* covers: pkg/broker/transcript/digest.c */
#include "pkg/broker/model/wire/doc.h"
#include "pkg/broker/transcript/transcript.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENTRY_BYTES_MAX (512u << 10)

static const char *const services[] = {"swarm.model.chat",       "swarm.model.messages",
                                       "swarm.model.responses",  "swarm.model.next",
                                       "swarm.model.embeddings", "swarm.http"};
static const char *const types[] = {"application/json; provider=p; cost=1",
                                    "application/vnd.swarm.stream", "text/event-stream",
                                    "text/event-stream; last", "x"};
#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static struct sw_bytes words(const char *text)
{
    return (struct sw_bytes){text, strlen(text)};
}

static void on_entry(void *ctx, uint64_t turn, struct sw_bytes json)
{
    const struct sw_wire_doc_options options = {
        .code = SW_E_INVALID, .size_max = ENTRY_BYTES_MAX, .what = "an entry"};
    struct sw_wire_doc doc = {0};
    struct sw_err err = {0};

    (void)ctx;
    (void)turn;
    if (json.size >= ENTRY_BYTES_MAX || sw_wire_doc_read(&doc, json, &options, &err) != SW_OK)
        abort();
    sw_wire_doc_done(&doc);
}

static void take_line(struct sw_transcript *transcript, const char *line, size_t size)
{
    struct sw_transcript_part part = {.turn = 2, .time_ns = 1};
    struct sw_err err = {0};
    unsigned number = size > 1 ? (uint8_t)line[1] : 0;
    enum sw_rc rc = SW_OK;

    if (size < 3)
        return;
    part.body = (struct sw_bytes){line + 3, size - 3};
    part.service = words(services[number % COUNT(services)]);
    part.type = words(types[number % COUNT(types)]);
    part.code = line[2] == '!' ? SW_E_UNAVAILABLE : 0;
    if (line[0] == 'c')
        rc = sw_transcript_call(transcript, &part, &err);
    else
        rc = sw_transcript_answer(transcript, &part, &err);
    if (rc != SW_OK && rc != SW_E_EXHAUSTED)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct sw_transcript_options options = {.text_bytes = SW_TRANSCRIPT_TEXT_MAX,
                                                  .tell = on_entry};
    const char *text = (const char *)data;
    struct sw_transcript *transcript;
    struct sw_err err = {0};

    if (sw_transcript_new(&options, &transcript, &err) != SW_OK)
        abort();
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t length = end == NULL ? size - at : (size_t)(end - text) - at;

        take_line(transcript, text + at, length);
        at += length + 1;
    }
    if (sw_transcript_end(transcript, &err) != SW_OK && err.rc != SW_E_EXHAUSTED)
        abort();
    sw_transcript_free(transcript);
    return 0;
}
