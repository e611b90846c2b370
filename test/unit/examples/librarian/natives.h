/* The entry points of the two agents under their own names, and the variables of each. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <swarm/agent.h>

struct world_send { /* The arguments of swarm_send, in their order; those of swarm_publish too. */
    const char *to; /* Or the subject. */
    uint32_t to_size;
    const char *type;
    uint32_t type_size;
    const void *body;
    uint32_t body_size;
    int32_t priority;
    uint64_t tag;
};

int32_t world_take_send(struct world_send send);
int32_t world_take_publish(struct world_send publication);
#define swarm_send(...) world_take_send((struct world_send){__VA_ARGS__})
#define swarm_publish(...) world_take_publish((struct world_send){__VA_ARGS__, 0})

void *reader_alloc(uint32_t size);
int32_t reader_on_start(void);
int32_t reader_on_message(const struct swarm_message *message);
int32_t reader_on_stop(void);
void *reader_state(size_t *ret_size);

void *librarian_alloc(uint32_t size);
int32_t librarian_on_start(void);
int32_t librarian_on_message(const struct swarm_message *message);
int32_t librarian_on_timer(uint64_t id);
void *librarian_state(size_t *ret_size);
