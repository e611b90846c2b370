/* Those of a Pod's instances that have memory, in the order in which they last did something: who
 * has done nothing for longest is the first to sleep (hibernate.h). Seen by this room's files only.
 *
 *     ages: |first| | | | |last|     each a list; an age is a thirty-second to a sixteenth of the
 *              '- its first: the next to be looked at          time after which the Pod's sleep
 *
 * Nothing of this is touched by a message: who gets one stays where he stands, and only when he is
 * the first in his turn is it seen that he has done something since, and he goes to where he
 * belongs by now. So each is looked at about once in the time after which it may sleep.
 * It has no memory of its own in an instance: its link is that of the captured (capture.h). While
 * an instance is to be saved for a snapshot it stands there instead, and comes back afterwards.
 *
 * Threads, I/O: as worker.h.  Limits: none of its own. */
#pragma once
#include "pkg/agent/runtime/actor/state.h"

#define SW_RESTING_AGES 64u

struct sw_resting { /* Of one Pod. */
    /* Among those of the worker, while it has any: by when its first may sleep, and by when that
     * last did something. Never too late; too early costs a look. */
    struct sw_heap_entry due, oldest;
    struct sw_pod *pod;
    uint64_t first, last; /* Ages; those before and behind hold nobody. */
    uint32_t shift;       /* An age is 2^shift ns. */
    struct sw_list ages[SW_RESTING_AGES];
};

/* It has memory from here on, or was looked at, and stands behind those who did something before
 * at_ns. Not if its Pod's never sleep. */
void sw_resting_put(struct sw_worker *worker, struct sw_instance *instance, uint64_t at_ns);
/* It has no memory that could be spared. */
void sw_resting_take(struct sw_worker *worker, struct sw_instance *instance);
/* It was saved for a snapshot, or needs not be: back to where it belongs. */
void sw_resting_captured(struct sw_worker *worker, struct sw_instance *instance);
/* The first of a Pod; NULL: it has none. */
struct sw_instance *sw_resting_first(struct sw_resting *resting);
/* The Pod whose first has rested for longest, by what is known; NULL: nobody rests. */
struct sw_resting *sw_resting_oldest(const struct sw_worker *worker);
/* When its first last did something, or, of one that was put off, is taken to have. */
uint64_t sw_resting_since(const struct sw_resting *resting, const struct sw_instance *instance);
/* The first may sleep then, and not before; and it was seen what it did last. */
void sw_resting_note(struct sw_worker *worker, struct sw_resting *resting, uint64_t due_ns,
                     uint64_t since_ns);
/* Whether it has done something since it was put there. */
bool sw_resting_has_moved(const struct sw_resting *resting, const struct sw_instance *instance);
/* When one that did something at that time may sleep. */
uint64_t sw_resting_due(const struct sw_pod *pod, uint64_t at_ns);

/* All of a Pod go to the end of `list`: since its spec may say another time, or since a snapshot is
 * to save them. Then it has none. */
void sw_resting_empty(struct sw_worker *worker, struct sw_pod *pod, struct sw_list *list);
/* The Pod is to be freed; nobody is in it. */
void sw_resting_end(struct sw_worker *worker, struct sw_pod *pod);
