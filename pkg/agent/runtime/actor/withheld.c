#include "pkg/agent/runtime/actor/withheld.h"

#include <stdlib.h>

#define EFFECT_BYTES 32u /* Of one, at most, beside its texts and body. */

struct sw_withheld *sw_withheld_new(void)
{
    struct sw_withheld *withheld = calloc(1, sizeof *withheld);

    if (withheld != NULL)
        sw_buffer_init(&withheld->effects, SW_WITHHELD_BYTES_MAX);
    return withheld;
}

void sw_withheld_free(struct sw_withheld *withheld)
{
    if (withheld == NULL)
        return;
    sw_buffer_done(&withheld->effects);
    free(withheld);
}

bool sw_withheld_has_room(const struct sw_withheld *withheld, uint32_t count, size_t bytes,
                          const struct sw_effect *effect)
{
    size_t size = EFFECT_BYTES + effect->to.size + effect->type.size + effect->body.size;

    return withheld->count + count < SW_WITHHELD_MAX &&
           withheld->effects.size + bytes + size <= SW_WITHHELD_BYTES_MAX;
}

enum sw_rc sw_withheld_put(struct sw_withheld *withheld, const struct sw_effect *effect)
{
    if (withheld->count >= SW_WITHHELD_MAX)
        return SW_E_CORRUPT;
    sw_effect_put(effect, &withheld->effects);
    if (withheld->effects.failed)
        return withheld->effects.lacks_memory ? SW_E_EXHAUSTED : SW_E_CORRUPT;
    withheld->count++;
    return SW_OK;
}

void sw_withheld_save(const struct sw_withheld *withheld, struct sw_buffer *out)
{
    sw_buffer_put_bytes(out, (struct sw_bytes){withheld->effects.data, withheld->effects.size});
}

enum sw_rc sw_withheld_load(struct sw_withheld **ret_withheld, struct sw_reader *reader)
{
    struct sw_bytes bytes = sw_reader_bytes(reader, SW_WITHHELD_BYTES_MAX);
    struct sw_reader effects = sw_reader_of(bytes.data, bytes.size);
    struct sw_withheld *withheld;
    struct sw_effect effect;
    enum sw_rc rc = SW_OK;

    if (reader->failed)
        return SW_E_CORRUPT;
    withheld = sw_withheld_new();
    if (withheld == NULL)
        return SW_E_EXHAUSTED;
    while (rc == SW_OK && sw_effect_take(&effects, &effect))
        rc = sw_withheld_takes(effect.kind) ? sw_withheld_put(withheld, &effect) : SW_E_CORRUPT;
    if (rc == SW_OK && effects.failed)
        rc = SW_E_CORRUPT;
    if (rc == SW_OK)
        *ret_withheld = withheld;
    else
        sw_withheld_free(withheld);
    return rc;
}
