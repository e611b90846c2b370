#include "pkg/agent/runtime/actor/image.h"

#include "pkg/agent/runtime/actor/storage.h"
#include "pkg/agent/store/effect.h"

#include <stdlib.h>
#include <string.h>

/* What an image of the journal may cost for each record that need not be replayed for it: its
 * bytes, and the memory that is looked through for it. The rest may be small in any case. */
#define BYTES_PER_RECORD 128u
#define MEMORY_PER_RECORD 4096u
#define BYTES_MIN 4096u
#define MEMORY_MIN (1u << 20)

/* --- In memory ------------------------------------------------------------------------------- */

/* What it is, in worker->image, the actor first. */
static enum sw_rc save(struct sw_worker *worker, const struct sw_instance *instance,
                       size_t *ret_actor_bytes, struct sw_err *err)
{
    struct sw_buffer *out = &worker->image;

    sw_buffer_reset(out);
    if (instance->pod->config.is_durable) /* Others stay what they are as long as they live. */
        sw_actor_save(&instance->actor, out);
    *ret_actor_bytes = out->size;
    return instance->guest == NULL
               ? SW_OK
               : worker->engine.save(worker->engine.ctx, instance->guest, out, err);
}

struct sw_image *sw_image_new(struct sw_worker *worker, const struct sw_instance *instance,
                              struct sw_err *err)
{
    const struct sw_buffer *out = &worker->image;
    struct sw_image *image;
    size_t actor_bytes;

    if (save(worker, instance, &actor_bytes, err) != SW_OK)
        return NULL;
    image = out->failed || out->size > UINT32_MAX ? NULL : malloc(sizeof *image + out->size);
    if (image == NULL) {
        sw_err_set(err, SW_E_EXHAUSTED, "no memory for an image");
        return NULL;
    }
    image->lsn = instance->actor.last_lsn;
    image->random_next = instance->random.next;
    image->actor_bytes = (uint32_t)actor_bytes;
    image->guest_bytes = (uint32_t)(out->size - actor_bytes);
    memcpy(image->bytes, out->data, out->size);
    return image;
}

void sw_image_count(struct sw_worker *worker, const struct sw_instance *instance, bool is_there)
{
    uint64_t *count = instance->is_hibernated ? &worker->packed_bytes : &worker->images_bytes;
    uint64_t bytes = instance->image == NULL
                         ? 0
                         : (uint64_t)instance->image->actor_bytes + instance->image->guest_bytes;

    *count = is_there ? *count + bytes : *count - bytes;
}

void sw_instance_set_image(struct sw_worker *worker, struct sw_instance *instance,
                           struct sw_image *image)
{
    sw_image_count(worker, instance, false);
    free(instance->image);
    instance->image = image;
    sw_image_count(worker, instance, true);
}

/* --- In the journal -------------------------------------------------------------------------- */

/* Save it, if that costs no more than its tail did. */
static bool save_cheaply(struct sw_worker *worker, const struct sw_instance *instance,
                         size_t *ret_actor_bytes)
{
    uint64_t memory_bytes = worker->engine.memory_bytes(worker->engine.ctx, instance->guest);
    struct sw_err err = {0};

    return memory_bytes <= MEMORY_MIN + (uint64_t)instance->tail * MEMORY_PER_RECORD &&
           save(worker, instance, ret_actor_bytes, &err) == SW_OK && !worker->image.failed &&
           worker->image.size <= BYTES_MIN + (uint64_t)instance->tail * BYTES_PER_RECORD;
}

static void record(struct sw_worker *worker, struct sw_instance *instance)
{
    const uint8_t *bytes;
    struct sw_record record;
    struct sw_journal_place place;
    struct sw_err err = {0};
    size_t actor_bytes;

    if (!sw_journal_has_room(worker->shared->journal)) {
        instance->wants_image = true; /* After a later segment: this one was the last with room. */
        return;
    }
    if (!save_cheaply(worker, instance, &actor_bytes) ||
        !sw_storage_reserve(worker, instance->pod, SW_STORAGE_RECORD_BYTES + worker->image.size)) {
        instance->image_delay++;
        return;
    }
    bytes = worker->image.data;
    record = (struct sw_record){
        .kind = SW_RECORD_SEGMENT,
        .segment = {.instance = instance->id,
                    .previous = instance->actor.last_lsn,
                    .pod = instance->pod->config.pod,
                    .time_ns = worker->now_ns,
                    .spec = instance->spec->number,
                    .entry = SW_ENTRY_IMAGE,
                    .outcome = SW_OUTCOME_DONE,
                    .random_next = instance->random.next,
                    .actor = {bytes, actor_bytes},
                    .image = {bytes + actor_bytes, worker->image.size - actor_bytes},
                    .digest = sw_effects_digest((struct sw_bytes){NULL, 0})}};
    if (sw_worker_append(worker, &record, &place) != SW_OK)
        return;
    instance->epoch = place.epoch;
    sw_meter_apply(worker, instance, &record.segment,
                   worker->record.size + SW_JOURNAL_RECORD_HEAD_BYTES, NULL);
    sw_storage_give_back(worker);
    if (sw_actor_apply(&instance->actor, &record.segment, place.lsn, &err) != SW_OK)
        sw_worker_fail(worker, err.rc, err.message);
    instance->tail = instance->image_delay = 0;
    sw_instance_set_image(worker, instance, NULL); /* It would be replayed on. */
}

void sw_image_make_wanted(struct sw_worker *worker, struct sw_instance *instance)
{
    instance->wants_image = false;
    if (sw_image_is_due(worker, instance))
        record(worker, instance);
    else if (worker->images_bytes < SW_IMAGES_BYTES_MAX)
        sw_instance_set_image(worker, instance, sw_image_new(worker, instance, NULL));
}
