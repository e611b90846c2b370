/* The host of actors.h: how it starts, runs, commits and ends, and what is seen of it. */
#pragma once
#include "pkg/agent/link/entries.h"
#include "pkg/agent/runtime/actor/recovery.h"
#include "pkg/agent/runtime/actor/snapshot.h"
#include "pkg/agent/runtime/actor/worker.h"
#include "test/support/disk.h"
#include "test/support/script_guest.h"

#define ACTORS_REPLIES_MAX 4096
#define ACTORS_WORKERS_MAX 4

struct actors_reply {
    bool is_there;
    int32_t status;
    uint64_t subscribers;
    char body[512];
};

struct actors {
    struct disk disk;
    struct script_engine engines[ACTORS_WORKERS_MAX];
    struct sw_guest_module module, *next_module; /* That Pods are opened with; NULL: module. */
    bool resets;
    struct sw_shared shared;
    struct sw_worker *workers[ACTORS_WORKERS_MAX];
    uint32_t count, priority; /* Of workers; of what is sent. */
    struct sw_recovery_report report;
    struct sw_snapshot_limits limits; /* From the next start on. */
    uint64_t shelf_bytes;             /* The same. */
    struct sw_notes *notes;           /* That starts begin with; NULL: none. */
    struct actors_reply replies[ACTORS_REPLIES_MAX];
    uint64_t next_request, wanted;        /* wanted: MODULE_WANTED frames. */
    uint64_t events, logs, closed, early; /* early: outputs whose epoch was not durable. */
    char last_event[64], last_words[256], last_log[128];
    uint64_t letters, last_letter; /* Of the last page: how many, and the last one's number. */
    struct actors_letter {
        char key[64], from[64], reason[64], words[64], body[64];
        uint32_t attempts;
    } letter; /* The last one of the page. */
    struct sw_frame_pod_status status;
    void (*see)(const struct sw_frame *frame); /* All other frames; may be NULL. */
    struct sw_err failure;
};

static inline enum sw_rc actors_start(struct actors *actors, uint32_t count)
{
    struct sw_journal_options options = {.system = &actors->disk.system,
                                         .folder = "host",
                                         .segment_bytes = 1u << 16,
                                         .epoch_bytes = 1u << 20};
    enum sw_rc rc = sw_shared_init(&actors->shared, &actors->disk.system, "engine 1");
    actors->count = count;
    for (uint32_t i = 0; rc == SW_OK && i < count; i++) {
        struct sw_worker_options worker = {.shared = &actors->shared,
                                           .engine = script_guest_engine(&actors->engines[i]),
                                           .index = i,
                                           .count = count};
        rc = sw_worker_new(&worker, &actors->workers[i], &actors->failure);
    }
    memset(actors->replies, 0, sizeof actors->replies);
    if (actors->notes != NULL)
        sw_suspects_begin(&actors->shared.suspects, actors->notes);
    if (rc != SW_OK)
        return rc;
    sw_snapshot_limit(&actors->shared, &actors->limits);
    actors->shared.shelf_bytes = actors->shelf_bytes;
    return sw_recover(&options, &actors->shared, actors->workers, count, &actors->report,
                      &actors->failure);
}

static inline void actors_init(struct actors *actors, uint32_t count, uint64_t seed)
{
    memset(actors, 0, sizeof *actors);
    disk_init(&actors->disk, seed);
    actors->module =
        (struct sw_guest_module){.refs = 1, .has_on_start = true, .has_on_timer = true};
    actors->next_request = 1;
    actors->priority = SWARM_PRIORITY_NORMAL;
    if (actors_start(actors, count) != SW_OK)
        abort();
}

/* The process is gone: nothing is committed any more. */
static inline void actors_kill(struct actors *actors)
{
    for (uint32_t i = 0; i < actors->count; i++)
        sw_worker_free(actors->workers[i]);
    sw_journal_close(actors->shared.journal);
    sw_shared_done(&actors->shared);
}

static inline void actors_done(struct actors *actors)
{
    actors_kill(actors);
    disk_done(&actors->disk);
}

static inline void actors_copy(char *room, size_t size, struct sw_bytes text)
{
    snprintf(room, size, "%.*s", (int)text.size, text.size > 0 ? (const char *)text.data : "");
}

static inline void actors_see(struct actors *actors, const struct sw_frame *frame)
{
    struct actors_reply *reply;

    switch ((unsigned)frame->kind) {
    case SW_FRAME_REPLY:
        reply = &actors->replies[frame->reply.request % ACTORS_REPLIES_MAX];
        reply->is_there = true;
        reply->status = -(int32_t)frame->reply.code;
        reply->subscribers = frame->reply.subscribers;
        actors_copy(reply->body, sizeof reply->body, frame->reply.body);
        return;
    case SW_FRAME_EVENT:
        actors->events++;
        actors_copy(actors->last_event, sizeof actors->last_event, frame->event.reason);
        actors_copy(actors->last_words, sizeof actors->last_words, frame->event.words);
        return;
    case SW_FRAME_LOG:
        actors->logs++;
        actors_copy(actors->last_log, sizeof actors->last_log, frame->log.text);
        return;
    case SW_FRAME_POD_CLOSED:
        actors->closed++;
        return;
    case SW_FRAME_MODULE_WANTED:
        actors->wanted++;
        return;
    case SW_FRAME_POD_STATUS:
        actors->status = frame->pod_status;
        return;
    default:
        if (actors->see != NULL)
            actors->see(frame);
        return;
    }
}

static inline void actors_see_letters(struct actors *actors, const struct sw_frame_instances *page)
{
    struct sw_reader reader = sw_reader_of(page->entries.data, page->entries.size);
    struct actors_letter *letter = &actors->letter;
    struct sw_frame_letter entry;

    actors->letters = page->count;
    while (sw_frame_letter_take(&reader, &entry)) {
        actors->last_letter = entry.number;
        actors_copy(letter->key, sizeof letter->key, entry.key);
        actors_copy(letter->from, sizeof letter->from, entry.from);
        actors_copy(letter->reason, sizeof letter->reason, entry.reason);
        actors_copy(letter->words, sizeof letter->words, entry.words);
        actors_copy(letter->body, sizeof letter->body, entry.body);
        letter->attempts = entry.attempts;
    }
}

/* Let out what is durable. Returns how many frames. */
static inline unsigned actors_release(struct actors *actors)
{
    unsigned count = 0;

    for (uint32_t i = 0; i < actors->count; i++) {
        struct sw_output *output;

        while ((output = sw_worker_output(actors->workers[i])) != NULL) {
            struct sw_frame frame;
            size_t size = 0;

            if (output->epoch > sw_journal_durable(actors->shared.journal))
                actors->early++;
            if (sw_frame_take((struct sw_bytes){output->bytes, output->size}, SW_FRAME_FROM_HOST,
                              &frame, &size, NULL) != SW_OK ||
                size != output->size)
                abort();
            actors_see(actors, &frame);
            if (frame.kind == SW_FRAME_LETTERS_PAGE)
                actors_see_letters(actors, &frame.instances);
            free(output);
            count++;
        }
    }
    return count;
}

/* Carry what a worker sent to the workers that it is for. True if there was anything. */
static inline bool actors_carry(struct actors *actors, uint32_t from)
{
    bool has_carried = false;

    struct sw_item_read *read;

    while ((read = sw_worker_read(actors->workers[from])) != NULL) {
        sw_item_read_run(&actors->shared, read);
        sw_worker_put(actors->workers[from], &read->item);
        has_carried = true;
    }
    for (uint32_t target = 0; target < actors->count; target++) {
        struct sw_item *item;
        while ((item = sw_worker_sent(actors->workers[from], target)) != NULL) {
            sw_worker_put(actors->workers[target], item);
            has_carried = true;
        }
    }
    return has_carried;
}

/* Run all workers and carry items until nothing is left to do, without committing. */
static inline uint32_t actors_run(struct actors *actors)
{
    uint32_t total = 0;
    bool goes_on = true;

    while (goes_on) {
        goes_on = false;
        for (uint32_t i = 0; i < actors->count; i++) {
            uint32_t ran = sw_worker_run(actors->workers[i], 16);

            total += ran;
            goes_on = actors_carry(actors, i) || goes_on || ran > 0;
        }
    }
    return total;
}

/* Come to the moment at which all workers are at rest: nothing is on its way between them. */
static inline void actors_rest(struct actors *actors)
{
    bool goes_on = true;

    while (goes_on) {
        goes_on = false;
        for (uint32_t i = 0; i < actors->count; i++) {
            (void)sw_worker_run(actors->workers[i], 0);
            goes_on = actors_carry(actors, i) || goes_on;
        }
    }
}

/* Run, commit and let out, until all is quiet. */
static inline void actors_settle(struct actors *actors)
{
    do {
        while (actors_run(actors) > 0 && !sw_journal_has_room(actors->shared.journal))
            if (sw_journal_commit(actors->shared.journal, NULL) != SW_OK)
                return;
        if (sw_journal_commit(actors->shared.journal, NULL) != SW_OK)
            return;
    } while (actors_release(actors) > 0);
}

/* Go on until the snapshot that was begun counts or is abandoned. */
static inline enum sw_rc actors_snapshot(struct actors *actors)
{
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && sw_snapshot_phase(&actors->shared) != SW_SNAPSHOT_NONE) {
        actors_settle(actors);
        rc = sw_snapshot_advance(&actors->shared, &actors->failure);
    }
    return rc;
}
