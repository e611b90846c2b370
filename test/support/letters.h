/* The dead letters of the host of actors.h: looked at, delivered again, dropped. */
#pragma once
#include "test/support/actors.h"

/* The dead letters of an Agent, all of them or of one key: how many there are. */
static inline uint64_t actors_letters(struct actors *actors, const char *agent, const char *key)
{
    struct sw_item_letters letters = {.request = actors->next_request++,
                                      .name_space = script_text("default"),
                                      .agent = script_text(agent),
                                      .key = script_text(key),
                                      .limit = 1000,
                                      .with_body = true};

    actors->letters = UINT64_MAX;
    sw_worker_put(actors->workers[0], sw_item_letters_new(&letters));
    actors_settle(actors);
    return actors->letters;
}

/* Deliver them again or drop them; number 0: all. Returns how many it was, or the negative code. */
static inline int64_t actors_change_letters(struct actors *actors, const char *agent,
                                            uint64_t number, bool is_drop)
{
    struct sw_item_letters_change change = {.request = actors->next_request++,
                                            .name_space = script_text("default"),
                                            .agent = script_text(agent),
                                            .number = number,
                                            .is_drop = is_drop};
    const struct actors_reply *reply = &actors->replies[change.request % ACTORS_REPLIES_MAX];

    sw_worker_put(actors->workers[0], sw_item_letters_change_new(&change));
    actors_settle(actors);
    return reply->status != 0 ? reply->status : (int64_t)reply->subscribers;
}

/* Let the clock go on and run what is due. */
static inline void actors_pass(struct actors *actors, uint64_t ns)
{
    actors->disk.now_ns += ns;
    actors_settle(actors);
}
