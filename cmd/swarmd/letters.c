#include "cmd/swarmd/agents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_TEXT_MAX 320 /* "agent/key" and the NUL. */
#define AGENT_NAME_SIZE 64

struct listing { /* For the end of a list. */
    sw_gateway_letters_done *done;
    void *ctx;
    const char *node_name;
    char agent[AGENT_NAME_SIZE];
};

/* Append a text with its NUL, and say where it begins. */
static size_t text_put(struct sw_buffer *texts, struct sw_bytes text)
{
    size_t at = texts->size;

    sw_buffer_put(texts, text.data, text.size);
    sw_buffer_put_u8(texts, 0);
    return at;
}

struct places { /* Where the texts of a letter begin in the buffer, which may still move. */
    size_t instance, from, subject, type, reason, words;
};

static struct places places_put(struct sw_buffer *texts, const char *agent,
                                const struct sw_agent_letter *letter)
{
    char name[NAME_TEXT_MAX];

    (void)snprintf(name, sizeof name, "%s/%.*s", agent, (int)letter->key.size,
                   letter->key.size > 0 ? (const char *)letter->key.data : "");
    return (struct places){.instance = text_put(texts, sw_bytes_of_text(name)),
                           .from = text_put(texts, letter->from),
                           .subject = text_put(texts, letter->subject),
                           .type = text_put(texts, letter->type),
                           .reason = text_put(texts, letter->reason),
                           .words = text_put(texts, letter->words)};
}

static struct sw_gateway_letter item_of(const struct listing *listing, const char *texts,
                                        const struct places *places,
                                        const struct sw_agent_letter *letter)
{
    return (struct sw_gateway_letter){.number = letter->number,
                                      .utc_ns = letter->time_ns,
                                      .instance = texts + places->instance,
                                      .pod = letter->pod,
                                      .node = listing->node_name,
                                      .from = texts + places->from,
                                      .subject = texts + places->subject,
                                      .content_type = texts + places->type,
                                      .reason = texts + places->reason,
                                      .message = texts + places->words,
                                      .attempts = letter->attempts,
                                      .is_timer = letter->is_timer,
                                      .is_reply = letter->is_reply,
                                      .timer = letter->timer,
                                      .size_bytes = letter->size_bytes,
                                      .body = letter->body};
}

static void on_letters(void *ctx, const struct sw_agent_letters_page *page)
{
    struct listing *listing = ctx;
    struct sw_gateway_letter *items = calloc(page->count + 1, sizeof *items);
    struct places *places = calloc(page->count + 1, sizeof *places);
    struct sw_buffer texts;
    struct sw_err err = {0};
    enum sw_rc rc = items == NULL || places == NULL ? SW_E_EXHAUSTED : page->rc;

    sw_buffer_init(&texts, SIZE_MAX / 2);
    for (size_t i = 0; rc == SW_OK && i < page->count; i++)
        places[i] = places_put(&texts, listing->agent, &page->letters[i]);
    if (rc == SW_OK)
        rc = sw_buffer_check(&texts);
    if (rc != SW_OK)
        (void)sw_err_set(&err, rc, "the dead letters of Agent %s cannot be listed", listing->agent);
    for (size_t i = 0; rc == SW_OK && i < page->count; i++)
        items[i] = item_of(listing, (const char *)texts.data, &places[i], &page->letters[i]);
    listing->done(listing->ctx, rc, items, rc == SW_OK ? page->count : 0,
                  rc == SW_OK && page->has_more, rc == SW_OK ? NULL : &err);
    sw_buffer_done(&texts);
    free(places);
    free(items);
    free(listing);
}

static enum sw_rc agents_letters(void *ctx, const struct sw_gateway_letters *query,
                                 sw_gateway_letters_done *done, void *done_ctx, struct sw_err *err)
{
    struct agents_adapter *adapter = ctx;
    struct listing *listing = calloc(1, sizeof *listing);
    struct sw_agent_letters letters = {.name_space = query->namespace_,
                                       .agent = query->agent,
                                       .key =
                                           sw_bytes_of_text(query->key == NULL ? "" : query->key),
                                       .after = query->after,
                                       .limit = query->limit,
                                       .with_body = query->with_body};
    enum sw_rc rc;

    if (listing == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to list dead letters");
    listing->done = done;
    listing->ctx = done_ctx;
    listing->node_name = adapter->node_name;
    (void)snprintf(listing->agent, sizeof listing->agent, "%s", query->agent);
    rc = sw_hosts_letters(adapter->hosts, &letters, on_letters, listing, err);
    if (rc != SW_OK)
        free(listing);
    return rc;
}

struct changing { /* For the end of a change. */
    void (*done)(void *done_ctx, enum sw_rc rc, uint64_t count, const struct sw_err *err);
    void *ctx;
};

static void on_changed(void *ctx, const struct sw_agent_result *result)
{
    struct changing *changing = ctx;
    struct sw_err err = {0};

    agents_error(result, &err);
    changing->done(changing->ctx, result->rc, result->subscribers,
                   result->rc == SW_OK ? NULL : &err);
    free(changing);
}

static enum sw_rc agents_letters_change(void *ctx, const struct sw_gateway_letters_change *change,
                                        void (*done)(void *done_ctx, enum sw_rc rc, uint64_t count,
                                                     const struct sw_err *err),
                                        void *done_ctx, struct sw_err *err)
{
    struct agents_adapter *adapter = ctx;
    struct changing *changing = calloc(1, sizeof *changing);
    struct sw_agent_letters_change wanted = {
        .name_space = change->namespace_,
        .agent = change->agent,
        .key = sw_bytes_of_text(change->key == NULL ? "" : change->key),
        .number = change->number,
        .is_drop = change->is_drop};
    enum sw_rc rc;

    if (changing == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to change dead letters");
    changing->done = done;
    changing->ctx = done_ctx;
    rc = sw_hosts_letters_change(adapter->hosts, &wanted, on_changed, changing, err);
    if (rc != SW_OK)
        free(changing);
    return rc;
}

void agents_adapter_letters(struct sw_gateway_agents *vtable)
{
    vtable->letters = agents_letters;
    vtable->letters_change = agents_letters_change;
}
