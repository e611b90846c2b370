#include "test/sim/reader.h"

#include "pkg/agent/link/entries.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LATE_NS (60 * SIM_S)
#define EXHAUSTED_CODE 8u
#define UNAVAILABLE_CODE 14u
#define TRIES_MAX 20u

static void ask(struct sim_reader *reader);
static void ask_letters(struct sim_reader *reader);

static void breach(struct sim_reader *reader, const char *what, uint64_t number)
{
    const char *agent;
    char key[8];

    sim_peer_name(reader->peer, &agent, key);
    if (reader->breach[0] == 0)
        snprintf(reader->breach, sizeof reader->breach, "%s/%s: %s (%" PRIu64 ")", agent, key, what,
                 number);
    reader->is_done = true;
    sim_event_stop(reader->front->loop, &reader->late);
}

static void next(struct sim_reader *reader)
{
    reader->peer++;
    reader->tries = 0;
    reader->request.value = 0;
    if (reader->peer < SIM_MIRROR_FIRST) {
        ask(reader);
        return;
    }
    if (!reader->is_marking) {
        ask_letters(reader);
        return;
    }
    reader->is_done = true;
    sim_event_stop(reader->front->loop, &reader->late);
}

/* --- Dead letters ---------------------------------------------------------------------------- */

static const char *const agents[] = {"account", "tight", "hub", "brief", "fresh"};

static bool keep_letter(struct sim_reader *reader, const struct sw_frame_letter *letter)
{
    struct sim_lives *lives = reader->lives;
    struct sim_letter *kept;
    char name[300];

    if (lives->letters == NULL)
        lives->letters = calloc(SIM_LETTERS_MAX, sizeof *lives->letters);
    if (lives->letters == NULL)
        abort();
    if (lives->letters_count == SIM_LETTERS_MAX || letter->body.size != sizeof kept->note)
        return false;
    snprintf(name, sizeof name, "%s/%.*s", agents[reader->agent], (int)letter->key.size,
             (const char *)letter->key.data);
    kept = &lives->letters[lives->letters_count++];
    kept->number = letter->number;
    kept->from = sim_peer_of(letter->from);
    kept->to = sim_peer_of((struct sw_bytes){name, strlen(name)});
    memcpy(&kept->note, letter->body.data, sizeof kept->note);
    return true;
}

static void take_letters(void *ctx, const struct sw_frame_instances *page)
{
    struct sim_reader *reader = ctx;
    struct sw_reader entries = sw_reader_of(page->entries.data, page->entries.size);
    struct sw_frame_letter letter;

    while (sw_frame_letter_take(&entries, &letter)) {
        reader->after = letter.number;
        if (keep_letter(reader, &letter))
            continue;
        breach(reader, "a dead letter that is of no instance", letter.number);
        return;
    }
    if (page->has_more != 0) {
        ask_letters(reader);
        return;
    }
    reader->after = 0;
    if (++reader->agent < sizeof agents / sizeof *agents) {
        ask_letters(reader);
        return;
    }
    reader->is_done = true;
    sim_event_stop(reader->front->loop, &reader->late);
}

/* --- Lives ----------------------------------------------------------------------------------- */

static void take_dump(struct sim_reader *reader, struct sw_bytes body)
{
    struct sim_life *life = &reader->lives->of[reader->peer];
    struct sim_dump head = {0};

    if (body.size >= sizeof head)
        memcpy(&head, body.data, sizeof head);
    if (body.size < sizeof head || body.size != sizeof head + head.count * sizeof *life->entries ||
        head.position > SIM_LOG_MAX || head.first != reader->request.value ||
        head.first + head.count > head.position) {
        breach(reader, "what it tells of itself makes no sense", body.size);
        return;
    }
    if (life->entries == NULL)
        life->entries = calloc(SIM_LOG_MAX, sizeof *life->entries);
    if (life->entries == NULL)
        abort();
    if (head.count > 0)
        memcpy(life->entries + head.first, (const uint8_t *)body.data + sizeof head,
               head.count * sizeof *life->entries);
    life->position = head.position;
    life->hash = head.hash;
    life->balance = head.balance;
    reader->request.value += head.count;
    if (reader->request.value < head.position && head.count > 0)
        ask(reader);
    else
        next(reader);
}

static void answered(void *ctx, const struct sw_frame_reply *reply)
{
    struct sim_reader *reader = ctx;

    /* Its program is an older one, which the host has asked for. */
    if (reply->code == UNAVAILABLE_CODE && reader->tries++ < TRIES_MAX) {
        sim_event_at(reader->front->loop, &reader->again, reader->front->loop->now_ns + SIM_S);
        return;
    }
    if (reply->code != 0 && !(reader->is_marking && reply->code == EXHAUSTED_CODE))
        breach(reader, "it cannot be read at the end", reply->code);
    else if (reader->is_marking)
        next(reader);
    else
        take_dump(reader, reply->body);
}

static void ask(struct sim_reader *reader)
{
    char key[8];
    struct sim_send send = {.key = key,
                            .name = "",
                            .body = {&reader->request, sizeof reader->request},
                            .wants_reply = true,
                            .answered = answered,
                            .ctx = reader};

    sim_peer_name(reader->peer, &send.agent, key);
    sim_event_at(reader->front->loop, &reader->late, reader->front->loop->now_ns + LATE_NS);
    if (reader->front->is_ready)
        reader->number = sim_front_send(reader->front, &send);
}

static void ask_letters(struct sim_reader *reader)
{
    struct sim_letters_query query = {.agent = agents[reader->agent],
                                      .after = reader->after,
                                      .paged = take_letters,
                                      .answered = answered,
                                      .ctx = reader};

    sim_event_at(reader->front->loop, &reader->late, reader->front->loop->now_ns + LATE_NS);
    reader->number = sim_front_letters(reader->front, &query);
}

static void late(void *ctx)
{
    struct sim_reader *reader = ctx;

    sim_front_forget(reader->front, reader->number);
    breach(reader, "no answer, though nothing is wrong any more", reader->request.value);
}

static void again(void *ctx)
{
    ask(ctx);
}

static void begin(struct sim_reader *reader, struct sim_front *front)
{
    reader->front = front;
    sim_event_init(&reader->again, again, reader);
    sim_event_init(&reader->late, late, reader);
    ask(reader);
}

void sim_reader_mark(struct sim_reader *reader, struct sim_front *front)
{
    *reader = (struct sim_reader){.is_marking = true, .request = {.op = SIM_OP_PUT}};
    begin(reader, front);
}

void sim_reader_begin(struct sim_reader *reader, struct sim_front *front, struct sim_lives *lives)
{
    *reader = (struct sim_reader){.lives = lives, .request = {.op = SIM_OP_DUMP}};
    memset(lives, 0, sizeof *lives);
    begin(reader, front);
}
