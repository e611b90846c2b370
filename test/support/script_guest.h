/* A guest in plain C for tests, as the engine that actors want: script_run.h says what its
 * "program" can do. */
#pragma once
#include "test/support/script_run.h"

static inline enum sw_rc script_create(void *ctx, struct sw_guest_module *module,
                                       uint64_t memory_bytes, struct sw_turn *turn,
                                       struct sw_guest **ret_guest, struct sw_err *err)
{
    struct script_engine *engine = ctx;
    struct sw_guest *guest;

    if (engine->fail_create_after >= 0 && engine->fail_create_after-- == 0) {
        engine->fail_create_after = 0;
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a guest");
    }
    guest = calloc(1, sizeof *guest);
    if (guest == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a guest");
    guest->turn = turn;
    guest->module = module;
    guest->memory_bytes = memory_bytes;
    engine->created++;
    *ret_guest = guest;
    return SW_OK;
}

static inline void script_drop(void *ctx, struct sw_guest *guest)
{
    ((struct script_engine *)ctx)->dropped++;
    free(guest);
}

static inline void script_enter(void *ctx, struct sw_guest *guest,
                                const struct sw_guest_input *input,
                                struct sw_guest_outcome *ret_outcome)
{
    struct script_engine *engine = ctx;
    enum sw_guest_end end;
    bool is_fine;

    engine->entered++;
    guest->deadline_ms = input->deadline_ms;
    guest->used_ns = 0;
    guest->ended = NULL;
    if (engine->clock_ns != NULL)
        *engine->clock_ns += engine->entry_ns;
    *ret_outcome = (struct sw_guest_outcome){.end = SW_GUEST_DONE};
    end = script_input(engine, guest, input);
    if (end == SW_GUEST_DONE) /* As it was said before: others may have been entered meanwhile. */
        return;
    ret_outcome->end = end;
    is_fine = end == SW_GUEST_WAITING;
    ret_outcome->code = is_fine ? 0 : guest->ended != NULL ? SW_E_UNAVAILABLE : SW_E_PRECONDITION;
    snprintf(ret_outcome->report, sizeof ret_outcome->report, "%s",
             is_fine                ? ""
             : guest->ended != NULL ? guest->ended
                                    : "it ended badly\n  at script");
    if (!is_fine)
        guest->state.counter = -999999; /* In the middle of a change. */
}

static inline void script_handover(void *ctx, struct sw_guest *guest, uint32_t deadline_ms,
                                   struct sw_buffer *out, uint32_t *ret_version,
                                   struct sw_guest_outcome *ret_outcome)
{
    (void)ctx, (void)deadline_ms;
    ret_outcome->end = SW_GUEST_DONE;
    ret_outcome->code = 0;
    ret_outcome->report[0] = 0;
    *ret_version = guest->module->version;
    if (guest->module->version != 0)
        sw_buffer_put(out, &guest->state.counter, sizeof guest->state.counter);
}

static inline enum sw_rc script_save(void *ctx, const struct sw_guest *guest, struct sw_buffer *out,
                                     struct sw_err *err)
{
    (void)err;
    sw_buffer_put(out, &guest->state, sizeof guest->state);
    if (((const struct script_engine *)ctx)->packs_otherwise)
        sw_buffer_put_u8(out, 0);
    return SW_OK;
}

static inline enum sw_rc script_load(void *ctx, struct sw_guest *guest, struct sw_bytes image,
                                     struct sw_err *err)
{
    ((struct script_engine *)ctx)->loaded++;
    if (image.size != sizeof guest->state && image.size != sizeof guest->state + 1)
        return sw_err_set(err, SW_E_CORRUPT, "not an image");
    memcpy(&guest->state, image.data, sizeof guest->state);
    return SW_OK;
}

static inline uint64_t script_memory(void *ctx, const struct sw_guest *guest)
{
    (void)ctx;
    return sizeof guest->state + guest->state.grown;
}

static inline uint64_t script_total(void *ctx)
{
    const struct script_engine *engine = ctx;

    return (engine->created - engine->dropped) * sizeof(struct script_state);
}

static inline struct sw_guest_module *script_module_ref(void *ctx, struct sw_guest_module *module)
{
    (void)ctx;
    module->refs++;
    return module;
}

static inline void script_module_unref(void *ctx, struct sw_guest_module *module)
{
    (void)ctx;
    module->refs--;
}

static inline void script_module_view(void *ctx, const struct sw_guest_module *module,
                                      struct sw_guest_module_view *ret_view)
{
    (void)ctx;
    *ret_view = (struct sw_guest_module_view){module->has_on_start, module->has_on_timer,
                                              module->has_on_stop, module->on_upgrade != NULL};
}

static inline struct sw_guest_engine script_guest_engine(struct script_engine *engine)
{
    *engine = (struct script_engine){.fail_create_after = -1};
    return (struct sw_guest_engine){
        .ctx = engine,
        .create = script_create,
        .drop = script_drop,
        .enter = script_enter,
        .state = script_handover,
        .save = script_save,
        .load = script_load,
        .memory_bytes = script_memory,
        .total_bytes = script_total,
        .module_ref = script_module_ref,
        .module_unref = script_module_unref,
        .module_view = script_module_view,
    };
}
