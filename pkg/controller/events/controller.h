/* Events: what happened to which object, for people. Counted, bounded, written without anybody
 * waiting.
 *
 *     sw_events_record ---+
 *     moves of the phases +--> pending (one entry for object, instance, reason) --> Event objects
 *     of Agents, Pods, Nodes   count += n, last time, newest words                   |
 *     old or too many: deleted <-----------------------------------------------------+
 *
 * The same reason for the same object or instance is one Event, brought up to date at most once a
 * second, so a failing agent does not flood the store. Nothing fails because an Event is not
 * written. Threads: the loop's.  I/O: the store's.  Limits: the constants below. */
#pragma once
#include "pkg/store/objects/objects.h"
#include "pkg/utils/logger/logger.h"
#include "pkg/utils/loop/loop.h"

#define SW_EVENTS_PENDING_MAX 4096 /* Not yet written; further ones are dropped and logged. */
#define SW_EVENTS_MAX 10000        /* Kept in the store; the oldest go. */
#define SW_EVENTS_SLACK 1000       /* So many more there may be before they do. */
#define SW_EVENTS_MESSAGE_MAX 1024 /* Bytes of words, cut. */

struct sw_events; /* Opaque. */

struct sw_events_options { /* All borrowed. */
    struct sw_loop *loop;
    const struct sw_system *system;
    const struct sw_logger *logger;
    struct sw_objects *objects;
    const char *node_name; /* Of this machine. */
};

/* Begin to record, to follow phases and to delete what is old (the Cluster's spec.eventRetention).
 * SW_E_EXHAUSTED: no memory or no watch left. */
SW_MUST_CHECK enum sw_rc sw_events_new(const struct sw_events_options *options,
                                       struct sw_events **ret_events, struct sw_err *err);
void sw_events_free(struct sw_events *events); /* What is pending is forgotten. */
SW_DEFINE_CLEANUP(struct sw_events, sw_events_free)

struct sw_occurrence {          /* Borrowed for the call; texts may be NULL, which is "". */
    const struct sw_kind *kind; /* Of the object that it happened to. */
    const char *namespace_name, *name, *uid; /* Of it. */
    const char *instance;                    /* "agent/key" when it is about one. */
    bool is_warning;
    const char *reason;    /* A CamelCase word. */
    const char *component; /* Who noticed: "node-controller". */
    const char *message;
};
/* Something happened. Events of objects outside of namespaces go to the namespace "default". */
void sw_events_record(struct sw_events *events, const struct sw_occurrence *occurrence);
/* Have what is pending written now, not once a second. How much of it is not yet. */
size_t sw_events_flush(struct sw_events *events);
