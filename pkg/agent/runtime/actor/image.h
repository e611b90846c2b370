/* Images of instances between two segments; seen by this room's files only.
 *
 * In memory: of one that waits or moves, or that traps again and again. In the journal, as a record
 * that is whole: of a durable one that has many records since its last, so that none takes long to
 * rebuild, however long ago the last snapshot was. Such a record is made after a segment, when its
 * tail has come to shared->image_tail records, and only if it takes no more of the journal and of
 * time than those did; otherwise its tail doubles before it is looked at again.
 *
 * Threads: each worker its own instances.  I/O: the journal.
 * Limits: SW_IMAGE_DELAYS_MAX doublings; SW_IMAGES_BYTES_MAX of those in memory, by who makes them.
 */
#pragma once
#include "pkg/agent/runtime/actor/state.h"

#define SW_IMAGE_TAIL_RECORDS 4096u /* Replayed in some 10 ms. */
#define SW_IMAGE_DELAYS_MAX 4u

struct sw_image { /* An instance at a point between two segments. */
    uint64_t lsn; /* Of its last record. */
    uint64_t random_next;
    uint32_t actor_bytes, guest_bytes;
    uint8_t bytes[]; /* The actor's, then the guest's. */
};

/* An image of an instance with a guest, or one that needs none.  NULL: failed; err is set. */
struct sw_image *sw_image_new(struct sw_worker *worker, const struct sw_instance *instance,
                              struct sw_err *err);
/* Its image, if it has one, is of this worker, or is no more. */
void sw_image_count(struct sw_worker *worker, const struct sw_instance *instance, bool is_there);
void sw_instance_set_image(struct sw_worker *worker, struct sw_instance *instance,
                           struct sw_image *image);

/* Whether the journal is to have one. */
static inline bool sw_image_is_due(const struct sw_worker *worker,
                                   const struct sw_instance *instance)
{
    return instance->tail >= worker->shared->image_tail << instance->image_delay &&
           instance->image_delay < SW_IMAGE_DELAYS_MAX;
}
/* So many records more are to be replayed when it is rebuilt. */
static inline void sw_image_note_tail(const struct sw_worker *worker, struct sw_instance *instance,
                                      size_t records)
{
    size_t tail = instance->tail + records;

    instance->tail = tail < UINT16_MAX ? (uint16_t)tail : UINT16_MAX;
    if (sw_image_is_due(worker, instance))
        instance->wants_image = true;
}
/* It has a guest, which is as its last record left it: if it wants an image, make it, in the
 * journal or in memory. */
void sw_image_make_wanted(struct sw_worker *worker, struct sw_instance *instance);
