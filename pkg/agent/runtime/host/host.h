/* The agent host but for its threads and its socket: frames of swarmd in, items for workers out.
 *
 *     frame -> sw_host_receive -+-> item for the worker that owns the Pod   (put)
 *                               '-> frame for swarmd at once                (emit)
 *
 * Knows which Pods there are, by uid, their numbers, workers and routes, and the modules. What a
 * Pod's instances do is the workers' (pkg/agent/runtime/actor).
 *
 * Threads: one at a time (the link's).  I/O: the clock.  Limits: SW_HOST_CODE_BYTES_MAX of machine
 * code arriving; the link's limits on all else. */
#pragma once
#include "pkg/agent/link/frame.h"
#include "pkg/agent/runtime/actor/recovery.h"
#include "pkg/agent/runtime/actor/worker.h"

#define SW_HOST_CODE_BYTES_MAX (256u << 20)

struct sw_host; /* Opaque. */

struct sw_host_options {
    const struct sw_system *system; /* Borrowed, as all below. */
    struct sw_shared *shared;
    struct sw_worker **workers; /* Recovered, not yet running. */
    uint32_t workers_count;
    const struct sw_guest_engine *engine; /* For counting references of modules. */
    void *ctx;                            /* First argument of what follows. */
    enum sw_rc (*open_module)(void *ctx, enum sw_abi_class class, struct sw_bytes code,
                              struct sw_guest_module **ret_module, struct sw_err *err);
    /* A bundle: the same code with a payload, which is copied. NULL only where none comes. */
    enum sw_rc (*open_bundle)(void *ctx, struct sw_guest_module *runtime, struct sw_bytes payload,
                              struct sw_guest_module **ret_module, struct sw_err *err);
    void (*put)(void *ctx, uint32_t worker, struct sw_item *item); /* Takes the item. */
    void (*emit)(void *ctx, const struct sw_frame *frame);         /* Borrowed. */
    /* Call work(work_ctx) while all workers are at rest and have got all that was put before.
     * SW_E_TIMEOUT: not now, try again soon.  SW_E_UNAVAILABLE: the workers end. */
    enum sw_rc (*stand_still)(void *ctx, void (*work)(void *work_ctx), void *work_ctx);
    /* While they are: what one worker has put out, and is not under way yet, leaves before what
     * another one puts out from now on. */
    void (*follow)(void *ctx, uint32_t first, uint32_t then);
};

SW_MUST_CHECK enum sw_rc sw_host_new(const struct sw_host_options *options,
                                     struct sw_host **ret_host, struct sw_err *err);
void sw_host_free(struct sw_host *host);
SW_DEFINE_CLEANUP(struct sw_host, sw_host_free)

/* Act on a frame other than HELLO and STOP. What cannot be done is answered in a frame.
 * SW_E_CORRUPT: swarmd does not keep to the protocol.  SW_E_EXHAUSTED: no memory. End the host. */
SW_MUST_CHECK enum sw_rc sw_host_receive(struct sw_host *host, const struct sw_frame *frame,
                                         struct sw_err *err);
/* Whether Pods wait for slots of others, or one to go to another worker, and trying again: soon
 * after stand_still said TIMEOUT, and as long as it says so. Errors as sw_host_receive. */
bool sw_host_is_waiting(const struct sw_host *host);
SW_MUST_CHECK enum sw_rc sw_host_go_on(struct sw_host *host, struct sw_err *err);
/* Look at how hot workers are, now and then, and have a Pod go to another one if that helps
 * (balance.h). Call it each second or so. Errors as sw_host_receive. */
SW_MUST_CHECK enum sw_rc sw_host_balance(struct sw_host *host, struct sw_err *err);
/* Have a Pod, by its number, go to another worker, whatever the heat; `holds` as in struct
 * sw_pod_move, or have one that was held go on. Errors: those of sw_pod_move and stand_still. */
SW_MUST_CHECK enum sw_rc sw_host_move_pod(struct sw_host *host, uint64_t number, uint32_t to,
                                          bool holds, struct sw_err *err);
SW_MUST_CHECK enum sw_rc sw_host_stay_pod(struct sw_host *host, uint64_t number);
uint64_t sw_host_moved(const struct sw_host *host); /* So many Pods did. */
/* Put Pods without durability to sleep, for a snapshot: who waits for their instances is told. */
void sw_host_close_volatile(struct sw_host *host);
