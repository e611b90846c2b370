/* Events: what happened to which object, for people. Recorded without waiting, written in batches.
 *
 * The same reason for the same object (and instance) is one Event whose count, message and last
 * time are brought up to date, so a failing agent does not flood the store. Nothing fails because
 * an Event could not be written. Threads: the loop's.  I/O: the store's.  Limits:
 * SW_EVENTS_PENDING_MAX not yet written. */
#pragma once
#include "pkg/store/objects/objects.h"
#include "pkg/utils/logger/logger.h"

#define SW_EVENTS_PENDING_MAX 1024 /* Further ones are dropped, and counted. */
#define SW_EVENT_MESSAGE_MAX 1024

/* How a controller is called back later: set asks for one call of the controller's run function in
 * delay_ns (0: in the loop's next round), instead of what was asked before. */
struct sw_alarm {
    void *ctx;
    void (*set)(void *ctx, uint64_t delay_ns);
};

struct sw_recorder; /* Opaque. */

struct sw_recorder_options {
    struct sw_objects *objects;
    const struct sw_logger *logger; /* May be NULL. */
    struct sw_alarm alarm;          /* Calls sw_recorder_run. */
};

struct sw_occurrence {          /* What happened; borrowed for the call. */
    const struct sw_kind *kind; /* Of the object it happened to, as the next three. */
    const char *namespace_name, *name, *uid;
    const char *instance; /* "agent/key", or NULL. */
    bool is_warning;
    const char *reason;    /* A CamelCase word. */
    const char *component; /* Who noticed: "agent-controller". */
    const char *node;      /* Where, or NULL. */
    const char *message;
};

struct sw_recorder *
sw_recorder_new(const struct sw_recorder_options *options); /* NULL: no memory. */
void sw_recorder_free(struct sw_recorder *recorder); /* After the store's callbacks are over. */
void sw_recorder_record(struct sw_recorder *recorder, const struct sw_occurrence *occurrence);
/* Write what is pending; called by the alarm. */
void sw_recorder_run(struct sw_recorder *recorder);
