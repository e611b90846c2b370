/* All controllers of a Hive, and this Node's own, started and freed together.
 *
 * Threads: the loop's.  I/O: the store's. */
#pragma once
#include "pkg/controller/node/controller.h"

struct controllers; /* Opaque. */

struct controllers_options { /* All borrowed. */
    struct sw_loop *loop;
    const struct sw_system *system;
    const struct sw_logger *logger;
    struct sw_objects *objects;
    const struct sw_pod_runner *runner;
    const char *node_name, *address;
    uint32_t cpus;
    uint64_t memory_bytes;
    void (*each_host)(void *ctx, sw_node_host_visit *visit, void *visit_ctx);
    void *hosts_ctx;
};

SW_MUST_CHECK enum sw_rc controllers_new(const struct controllers_options *options,
                                         struct controllers **ret_controllers, struct sw_err *err);
void controllers_free(struct controllers *controllers);
SW_DEFINE_CLEANUP(struct controllers, controllers_free)
/* Tell people, by an Event on the Node, what happened to an agent host: that it died, since it may
 * be up again before the Node's phase shows it, or what it says itself. */
void controllers_tell_host(struct controllers *controllers, bool is_warning, const char *reason,
                           const char *words);
/* Who records Events; the controllers'. */
struct sw_events *controllers_events(struct controllers *controllers);
/* Have all Events written now. How many are not yet. */
size_t controllers_flush_events(struct controllers *controllers);
/* The shared agent host began or ceased to take Pods. */
void controllers_set_ready(struct controllers *controllers, bool is_ready, const char *words);
/* Some agent host did, or there is another one. */
void controllers_hosts_changed(struct controllers *controllers);
