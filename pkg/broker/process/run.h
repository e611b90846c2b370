/* What the files of this room share: calls, and what each is handled by. Private to this room.
 *
 *     call -> sw_run --- images, room --- a new process ---.
 *                '------ the process that its instance has --+-- seats.c
 *
 * Threads: the loop's.  I/O: processes.  Limits: those of process.h. */
#pragma once
#include "pkg/agent/image/manifest.h"
#include "pkg/agent/runtime/process/call.h"
#include "pkg/broker/process/frame.h"
#include "pkg/broker/process/front.h"
#include "pkg/broker/process/process.h"
#include "pkg/utils/base/list.h"

#include <string.h>

#define SW_RUN_WORDS_MAX 1200u

struct sw_process_service {
    struct sw_process_service_options options;
    struct sw_list runs;    /* All calls. */
    struct sw_list waiting; /* Those that wait for room, by their node `queued`. */
    struct sw_list seats;
    unsigned waiting_count;
    struct sw_timer *pump;
    struct sw_timer *warm; /* seats.c: to start processes that wait for instances. */
    bool has_told;
    struct sw_process_service_view view;
};

struct sw_seat;
struct sw_run;

struct sw_run_refusal { /* rc SW_OK: none. */
    enum sw_rc rc;
    char words[SW_RUN_WORDS_MAX];
};

struct sw_run { /* A call: a ticket. */
    struct sw_process_service *service;
    struct sw_list node, queued;
    struct sw_arena *arena;
    sw_service_done *done;
    void *done_ctx;
    struct sw_process_client client; /* In the arena. */
    uint8_t life[SW_PROCESS_LIFE_SIZE];
    struct sw_bytes manifest_text; /* In the arena; empty: it tells of a result. */
    uint8_t manifest_digest[SW_SHA256_SIZE];
    struct sw_manifest manifest;
    struct sw_buffer frame;      /* BEGIN or RESULT, */
    struct sw_turn_view message; /* and what it says. */
    struct sw_image_wait wait;
    const char *folders[SW_MANIFEST_PACKAGES_MAX + 2];
    struct sw_timer *deadline;
    struct sw_buffer log;
    struct sw_seat *seat; /* seats.c: where it is handled. */
    bool is_lost;
    struct sw_run_refusal refusal; /* To be told in the next round, as is_lost is. */
    uint64_t started_ms;
};

/* Whether both are instances of one Agent. */
static inline bool sw_process_clients_share_agent(const struct sw_process_client *one,
                                                  const struct sw_process_client *other)
{
    return strcmp(one->agent, other->agent) == 0 && strcmp(one->name_space, other->name_space) == 0;
}

/* --- process.c ------------------------------------------------------------------------------- */

/* Answer with a frame, or what changed in it, and forget the run. digest: of a request; NULL: it is
 * the end. */
void sw_run_answer(struct sw_run *run, enum sw_process_answer_kind kind, struct sw_bytes frame,
                   const uint8_t *digest);
/* Refuse the message. The run is gone. */
void sw_run_refuse(struct sw_run *run, enum sw_rc rc, const char *words, const char *hint);
/* The same: it took longer than the manifest's deadline. */
void sw_run_too_late(struct sw_run *run, const struct sw_manifest *manifest);
/* Answer LOST in the next round: the turn begins again. */
void sw_run_lose(struct sw_run *run);
/* Answer LOST, or with run->refusal, in the next round. */
void sw_run_answer_later(struct sw_run *run);
/* Of a log the end is kept. */
void sw_log_add(struct sw_buffer *log, struct sw_bytes bytes);
/* Why a process ended that should not have.  rc SW_OK: it ended as it should. */
void sw_run_explain(const struct sw_process_end *end, const struct sw_manifest *manifest,
                    const struct sw_buffer *log, struct sw_run_refusal *ret_refusal);
/* Have told what this machine lacks, once. */
void sw_run_told_missing(struct sw_process_service *service, const char *missing);
/* In the next round: a process has ended, so others may have its place; or one that has nothing to
 * do may have to make way. */
void sw_queue_pump(struct sw_process_service *service);

/* --- seats.c --------------------------------------------------------------------------------- */

/* The process of an instance, or one that waits for an instance. */
enum sw_seat_state {
    SW_SEAT_READY,   /* Nobody's yet. */
    SW_SEAT_IDLE,    /* Between turns. */
    SW_SEAT_RUNNING, /* It works, and a call waits for what it says. */
    SW_SEAT_PARKED,  /* It waits for the result of a request. */
    SW_SEAT_CLOSING, /* It was told to end, or is killed. */
};

/* Hand a message, or a result, to the process of its instance, if that is there.
 * SW_E_NOT_FOUND: a message needs a process of its own. */
SW_MUST_CHECK enum sw_rc sw_seat_offer(struct sw_run *run);
/* The same for a message whose images are there: by a process that waits for an instance, or by a
 * new one.  Errors as sw_process_start. */
SW_MUST_CHECK enum sw_rc sw_seat_start(struct sw_run *run, struct sw_err *err);
/* Whether sw_seat_start needs no room for a process. */
bool sw_seat_is_ready(const struct sw_run *run);
/* The call is no more: its process is killed. The run has its log, and no seat. */
void sw_seat_leave(struct sw_run *run);
/* The same, and the call is refused: it took too long. The run is gone. */
void sw_seat_end_late(struct sw_run *run);
/* Have a process that nobody needs now make way, longest unused first.  False: there is none. */
bool sw_seat_evict(struct sw_process_service *service);
/* How many end now, so that there will be room. */
unsigned sw_seats_closing(const struct sw_process_service *service);
/* How many have nothing to do. */
unsigned sw_seats_idle(const struct sw_process_service *service);
/* Start what manifests want to be ready, for Agents that had a new instance. Of the timer warm. */
void sw_seats_warm_up(void *service);
/* All processes are killed and forgotten. */
void sw_seats_free(struct sw_process_service *service);
