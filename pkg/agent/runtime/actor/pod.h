/* A Pod as its worker holds it; seen by this room's files only.
 *
 *     CLOSED  --open-->  OPEN  --close-->  CLOSED (kept)
 *        |                 |
 *        +----- discard ---+---->  DISCARDING  -->  gone
 *
 * Threads, I/O, Limits: as worker.h. */
#pragma once
#include "pkg/agent/runtime/actor/letters.h"
#include "pkg/agent/runtime/actor/meter.h"
#include "pkg/agent/runtime/actor/ways.h"
#include "pkg/agent/runtime/actor/worker.h"
#include "pkg/utils/base/list.h"

#include <string.h>

enum sw_pod_state {
    SW_POD_CLOSED, /* Known from the journal, or closed: takes messages, runs nothing. */
    SW_POD_OPEN,
    SW_POD_DISCARDING /* Instances are stopped one by one, then it is gone. */
};

struct sw_asleep; /* asleep.h */
struct sw_instance;
struct sw_share;     /* ready.h */
struct sw_pod_texts; /* Opaque. */
struct sw_resting;

struct sw_pod {
    struct sw_pod_config config; /* Texts are NUL-terminated copies in `texts`. */
    struct sw_pod_texts *texts;
    uint8_t hash_key[16];
    struct sw_space space; /* Its namespace. */
    enum sw_pod_state state;
    const struct sw_spec *spec; /* What its instances see; NULL: none yet. */
    struct sw_program *program; /* Of spec; NULL: never opened since the host's start. */
    struct sw_map *instances;   /* By key. */
    struct sw_item *limbo;      /* Messages to instances that can only be made when it is open. */
    struct sw_letters letters;
    struct sw_share *share; /* Of its Agent, in the worker's ready queues; NULL: never opened. */
    struct sw_meter meter;
    struct sw_account *account; /* Of its Agent. */
    bool lacks_quota;           /* For some of its replicas. */
    uint64_t ready, failing;
    uint32_t passed;     /* Its segments that others passed (overtake.h). */
    bool is_leaving;     /* It closes, or begins anew, when those have ended; none begins before. */
    bool is_held;        /* The same until it has moved, or sw_pod_stay. */
    uint64_t status_ns;  /* When its status was last told, */
    uint32_t told_phase; /* and what it was. */
    bool is_status_due;
    /* Instances that sleep, by slot; NULL: none yet. What waits until one is read. */
    struct sw_asleep **asleep;
    uint64_t asleep_count;
    struct sw_list loadings;
    struct sw_resting *resting; /* Who may sleep next (resting.h); NULL: nobody ever might. */
    uint32_t made;      /* Replicas below this one were made once, by this run of the host. */
    uint32_t walk_slot; /* While is_walking: where the walk through them is. */
    bool is_walking;
    bool has_surplus;       /* Some of them may be replicas too many. */
    bool is_uncaptured;     /* Limbo and letters are to be saved for a snapshot, */
    struct sw_list capture; /* and then it is in worker->uncaptured_pods. */
    bool is_recovered;      /* Its spec is that of the journal, not of swarmd. */
    struct sw_list dirty;   /* In worker->dirty while its status is to be told. */
};

/* --- pod.c: opening and closing ----------------------------------------------------------------
 */

struct sw_pod *sw_pod_new(struct sw_shared *shared, const struct sw_pod_config *config);
void sw_pod_free(struct sw_worker *worker, struct sw_pod *pod);
SW_MUST_CHECK enum sw_rc sw_pod_set_config(struct sw_pod *pod, const struct sw_pod_config *config);
/* What its record says. Borrows. */
struct sw_record_pod sw_pod_record(const struct sw_pod_config *config, uint32_t spec);
/* Keep what waits in an instance's mailbox for the one that takes its place; and give it to that.
 */
void sw_pod_keep_mail(struct sw_worker *worker, struct sw_instance *instance);
void sw_pod_give_mail(struct sw_worker *worker, struct sw_pod *pod);
/* Keep a message until the Pod is open; owned. */
void sw_limbo_put(struct sw_worker *worker, struct sw_pod *pod, struct sw_message *message);
void sw_pod_open(struct sw_worker *worker, struct sw_item_pod_open *item);
void sw_pod_close(struct sw_worker *worker, const struct sw_item_pod_close *item);
/* Have it run with the part of the processor that its Agent has in this worker, as its spec and the
 * quota of its namespace say. False: no memory. */
bool sw_pod_join_share(struct sw_worker *worker, struct sw_pod *pod);
/* If the last instance of a Pod that is discarded is gone, so is the Pod. */
void sw_pod_finish_if_empty(struct sw_worker *worker, struct sw_pod *pod);
/* All instances, those that sleep as well. */
static inline uint64_t sw_pod_count(const struct sw_pod *pod)
{
    return sw_map_count(pod->instances) + pod->asleep_count;
}
/* Whether it is a replica too many. */
bool sw_pod_is_surplus(const struct sw_pod *pod, const struct sw_instance *instance);
/* Whether the Pod's program is to take it over. */
bool sw_pod_is_to_upgrade(const struct sw_pod *pod, const struct sw_instance *instance);
/* Make the instances of a replicated Pod that are missing, stop those too many. */
void sw_pod_set_replicas(struct sw_worker *worker, struct sw_pod *pod);
/* The same for a Pod that lacked quota for some of them. */
void sw_pod_retry_replicas(struct sw_worker *worker, struct sw_pod *pod);
/* Of its namespace; NULL: there are too many of these, or it is a bridge between two hosts
 * (pkg/agent/hosts), whose uid no object of the store has: those take nothing of it. */
static inline struct sw_quota *sw_pod_quota(const struct sw_pod *pod)
{
    bool is_bridge = pod->config.uid.size > 2 && memcmp(pod->config.uid.data, "b:", 2) == 0;

    return pod->account->parent == NULL || is_bridge ? NULL : &pod->account->parent->quota;
}

/* Its route, as everybody is to know it; texts are the pod's. */
void sw_pod_route(const struct sw_pod *pod, uint32_t worker, struct sw_route_change *ret_change);
