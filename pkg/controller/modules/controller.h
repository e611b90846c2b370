/* Collection of modules: what nothing needs is removed, with its machine code.
 *
 *     named by an object of its namespace, or the module of a Pod here,
 *     or what runs a bundle that is kept                               -> needed: looked at later
 *     neither, for less than the grace                                 -> kept, looked at again
 *     neither, for longer -> is the host asked -> needed: asked again later
 *                                              -> not: looked for once more, and removed
 *
 * Everything counts as needed when the controller starts, and when somebody is told that it is
 * there (sw_module_controller_touch).
 * Threads: the loop's.  I/O: reads the store; the files of the modules; no callback runs inside the
 * call that causes it but those of struct sw_module_controller_options.
 * Limits: SW_MODULE_PASS_MAX modules are removed by a pass; one question at a time. */
#pragma once
#include "pkg/agent/modules/modules.h"
#include "pkg/store/store.h"
#include "pkg/utils/logger/logger.h"
#include "pkg/utils/loop/loop.h"

#define SW_MODULE_PASS_MAX 256

struct sw_module_controller; /* Opaque. */

struct sw_module_controller_options { /* All borrowed. */
    struct sw_loop *loop;
    const struct sw_system *system;
    const struct sw_logger *logger;
    struct sw_store *store;
    struct sw_modules *modules;
    uint64_t grace_ms; /* Not 0. */
    void *ctx;
    /* Whether a Pod of this node has it as its module. */
    bool (*has)(void *ctx, const struct sw_module_name *name);
    /* Ask whether anything else needs a module of that digest: instances, their records. done comes
     * once and not inside this call, with SW_OK if nothing does; any other answer, or an error
     * here, keeps it. */
    enum sw_rc (*ask)(void *ctx, const char *digest, void (*done)(void *done_ctx, enum sw_rc rc),
                      void *done_ctx, struct sw_err *err);
    /* It is about to be removed. is_last: no other namespace has it. */
    void (*drop)(void *ctx, const char *digest, bool is_last);
};

SW_MUST_CHECK enum sw_rc
sw_module_controller_new(const struct sw_module_controller_options *options,
                         struct sw_module_controller **ret_controller, struct sw_err *err);
/* A question that is open is answered in vain; its asker must outlive it or answer no more. */
void sw_module_controller_free(struct sw_module_controller *controller);
SW_DEFINE_CLEANUP(struct sw_module_controller, sw_module_controller_free)

/* Somebody is told that it is there, and has the grace to name it. NULL is allowed. */
void sw_module_controller_touch(struct sw_module_controller *controller, const char *namespace,
                                const char *digest);

/* While it is held nothing is removed: somebody copies what is there. Each hold is let go of once.
 */
void sw_module_controller_hold(struct sw_module_controller *controller);
void sw_module_controller_let_go(struct sw_module_controller *controller);

struct sw_module_controller_view { /* At the last pass, but for `removed`: since the start. */
    uint64_t modules, unnamed;     /* That are there; that no object and no Pod names. */
    uint64_t held;                 /* Of those, that the agent host needs. */
    uint64_t removed;
};
void sw_module_controller_view(const struct sw_module_controller *controller,
                               struct sw_module_controller_view *ret_view);
