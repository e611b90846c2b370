#include "include/swarm/agent.h"
#include "pkg/agent/link/entries.h"
#include "pkg/agent/runtime/actor/capture.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES_MAX                                                                             \
    ((1u << 20) - (2u << 10)) /* So far a page is filled, but for its last row. */

static bool same(struct sw_bytes one, struct sw_bytes other)
{
    return one.size == other.size && (one.size == 0 || memcmp(one.data, other.data, one.size) == 0);
}

static bool is_of(const struct sw_pod *pod, struct sw_bytes name_space, struct sw_bytes agent)
{
    return same(pod->config.name_space, name_space) && same(pod->config.agent, agent);
}

static bool has_key(const struct sw_letter *letter, struct sw_bytes key)
{
    return key.size == 0 || same(letter->message->key, key);
}

static void pass_on(struct sw_worker *worker, struct sw_item *item)
{
    sw_item_put(&worker->sent[worker->options.index + 1], item);
}

/* --- Pages ----------------------------------------------------------------------------------- */

struct page { /* The first rows by number, in order. */
    struct sw_frame_letter *rows;
    size_t count, limit;
    bool has_more;
};

static void page_add(struct page *page, const struct sw_frame_letter *row)
{
    size_t at = page->count;

    while (at > 0 && page->rows[at - 1].number > row->number)
        at--;
    if (page->count == page->limit) {
        page->has_more = true;
        if (at == page->limit)
            return;
        page->count--;
    }
    memmove(page->rows + at + 1, page->rows + at, (page->count - at) * sizeof *page->rows);
    page->rows[at] = *row;
    page->count++;
}

static struct sw_frame_letter row_of(const struct sw_pod *pod, const struct sw_letter *letter,
                                     bool with_body)
{
    const struct sw_message *message = letter->message;

    return (struct sw_frame_letter){
        .number = letter->number,
        .time_ns = letter->time_ns,
        .key = message->key,
        .pod = pod->config.uid,
        .from = message->head.from,
        .subject = message->head.subject,
        .type = message->head.type,
        .reason = letter->reason,
        .words = letter->words,
        .attempts = letter->attempts,
        .is_timer = message->is_timer,
        .is_reply = (message->head.flags & SWARM_MESSAGE_IS_REPLY) != 0,
        .timer = message->is_timer ? message->head.tag : 0,
        .size_bytes = message->body.size,
        .body = with_body ? message->body : (struct sw_bytes){NULL, 0},
    };
}

static void page_add_pod(const struct sw_item_letters *letters, const struct sw_pod *pod,
                         struct page *page)
{
    for (size_t i = 0; i < pod->letters.count; i++) {
        const struct sw_letter *letter = pod->letters.items[i];
        struct sw_frame_letter row;

        if (letter->number <= letters->after || !has_key(letter, letters->key))
            continue;
        row = row_of(pod, letter, letters->with_body);
        page_add(page, &row);
    }
}

static void page_answer(struct sw_worker *worker, const struct sw_item_letters *letters)
{
    struct sw_frame frame = {
        .kind = SW_FRAME_LETTERS_PAGE,
        .instances = {.request = letters->request,
                      .code = letters->entries.failed ? (uint32_t)-SW_E_EXHAUSTED : 0,
                      .count = letters->count,
                      .has_more = letters->has_more,
                      .entries = {letters->entries.data, letters->entries.size}}};

    if (letters->entries.failed)
        frame.instances.count = 0, frame.instances.entries.size = 0;
    sw_output_frame(worker, &frame, letters->epoch);
}

/* As many rows as fit; at least one. */
static void page_put(struct page *page, struct sw_buffer *entries)
{
    size_t i = 0;

    while (i < page->count && (i == 0 || entries->size + page->rows[i].body.size < PAGE_BYTES_MAX))
        sw_frame_letter_put(&page->rows[i++], entries);
    page->has_more = page->has_more || i < page->count;
    page->count = i;
}

void sw_deliver_letters(struct sw_worker *worker, struct sw_item_letters *letters)
{
    struct page page = {.limit = letters->limit, .has_more = letters->has_more};
    struct sw_reader reader = sw_reader_of(letters->entries.data, letters->entries.size);
    struct sw_frame_letter row;
    struct sw_map_entry entry;
    struct sw_buffer entries;
    size_t cursor = 0;

    sw_buffer_init(&entries, letters->entries.size_max);
    page.rows = malloc((page.limit + 1) * sizeof *page.rows);
    entries.failed = page.rows == NULL || letters->entries.failed;
    while (page.rows != NULL && sw_frame_letter_take(&reader, &row))
        page_add(&page, &row);
    while (page.rows != NULL && sw_map_next(worker->pods, &cursor, &entry))
        if (is_of(entry.value, letters->name_space, letters->agent))
            page_add_pod(letters, entry.value, &page);
    page_put(&page, &entries);
    free(page.rows);
    sw_buffer_done(&letters->entries);
    letters->entries = entries;
    letters->count = (uint32_t)page.count;
    letters->has_more = page.has_more;
    if (sw_output_epoch_now(worker) > letters->epoch)
        letters->epoch = sw_output_epoch_now(worker);
    if (worker->options.index + 1 < worker->options.count) {
        pass_on(worker, &letters->item);
        return;
    }
    page_answer(worker, letters);
    sw_item_free(&letters->item, &worker->engine);
}

/* --- Changes --------------------------------------------------------------------------------- */

/* Send it off again as a new message, under the name of the record that says so. */
static void redeliver(struct sw_worker *worker, const struct sw_letter *letter,
                      struct sw_journal_place place)
{
    struct sw_message template = *letter->message, *message;

    /* A volatile Pod has no record, but a timer has to differ from one that fires. */
    template.head.source.lsn = place.lsn != 0 ? place.lsn : letter->message->is_timer;
    template.epoch = place.epoch;
    message = sw_message_new(&template);
    if (message == NULL)
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a message");
    else
        sw_dispatch_message(worker, message);
}

static void change_one(struct sw_worker *worker, struct sw_pod *pod, uint64_t number, bool is_drop)
{
    SW_CLEANUP(sw_letter_freep) struct sw_letter *letter = sw_letters_take(&pod->letters, number);
    struct sw_journal_place place = {0, sw_output_epoch_now(worker)};
    struct sw_record record = {.kind = SW_RECORD_LETTER,
                               .letter = {.act = is_drop ? SW_LETTER_DROP : SW_LETTER_REDELIVER,
                                          .pod = pod->config.pod,
                                          .time_ns = worker->now_ns,
                                          .number = number}};

    if (pod->config.is_durable && sw_worker_append(worker, &record, &place) != SW_OK)
        return;
    if (!is_drop)
        redeliver(worker, letter, place);
}

/* One of them may be parked again at once, as a new one at the end: those are not looked at. */
static uint64_t change_pod(struct sw_worker *worker, struct sw_pod *pod,
                           const struct sw_item_letters_change *change)
{
    struct sw_letters *letters = &pod->letters;
    uint64_t last = letters->count == 0 ? 0 : letters->items[letters->count - 1]->number;
    uint64_t count = 0;
    size_t at = 0;

    sw_capture_pod_first(worker, pod);
    while (at < letters->count && letters->items[at]->number <= last &&
           worker->failure.rc == SW_OK) {
        const struct sw_letter *letter = letters->items[at];

        if ((change->number != 0 && letter->number != change->number) ||
            !has_key(letter, change->key)) {
            at++;
            continue;
        }
        change_one(worker, pod, letter->number, change->is_drop);
        count++;
    }
    return count;
}

void sw_deliver_letters_change(struct sw_worker *worker, struct sw_item_letters_change *change)
{
    struct sw_frame frame = {.kind = SW_FRAME_REPLY, .reply = {.request = change->request}};
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (sw_map_next(worker->pods, &cursor, &entry))
        if (is_of(entry.value, change->name_space, change->agent))
            change->count += change_pod(worker, entry.value, change);
    if (sw_output_epoch_now(worker) > change->epoch)
        change->epoch = sw_output_epoch_now(worker);
    if (worker->options.index + 1 < worker->options.count) {
        pass_on(worker, &change->item);
        return;
    }
    frame.reply.subscribers = change->count;
    if (change->number != 0 && change->count == 0) {
        frame.reply.code = (uint32_t)-SW_E_NOT_FOUND;
        frame.reply.type = (struct sw_bytes){"text/plain", 10};
        frame.reply.body = (struct sw_bytes){"there is no such dead letter", 28};
    }
    sw_output_frame(worker, &frame, change->epoch);
    sw_item_free(&change->item, &worker->engine);
}
