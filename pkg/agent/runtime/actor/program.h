/* The programs that instances of a worker run, by name (class.h): the one of their Pod, and older
 * ones of those that were not upgraded. Seen by this room's files only.
 *
 * Threads, I/O, Limits: as worker.h. */
#pragma once
#include "pkg/agent/runtime/actor/worker.h"

struct sw_instance;

struct sw_program {                 /* A module in a class, on this worker. */
    struct sw_guest_module *module; /* One reference. */
    struct sw_guest_module_view view;
    bool is_used; /* While those that are not are looked for. */
};

/* NULL: it is not here. */
struct sw_program *sw_program_find(const struct sw_worker *worker, struct sw_bytes name);
/* module: one reference, taken over. NULL: the worker failed. */
struct sw_program *sw_program_add(struct sw_worker *worker, struct sw_bytes name,
                                  struct sw_guest_module *module);
/* Ask for the program of an instance that is not here. */
void sw_program_want(struct sw_worker *worker, const struct sw_instance *instance);
/* Whether anybody needs a module, in whatever class: a Pod, an instance, a record since the point
 * of the snapshot that counts, or one of a history that is to be kept. If not, it is forgotten
 * here; the last worker answers, with SW_E_PRECONDITION if so. Takes the item over. */
void sw_program_ask(struct sw_worker *worker, struct sw_item_program_ask *ask);
void sw_programs_done(struct sw_worker *worker);
