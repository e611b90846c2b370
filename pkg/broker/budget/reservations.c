#include "pkg/broker/budget/state.h"

#include <assert.h>
#include <stdlib.h>

struct sw_bytes sw_reservation_key(const void *reservation)
{
    const struct sw_reservation *own = reservation;

    return (struct sw_bytes){own->key, own->key_size};
}

struct sw_reservation *sw_reservation_new(struct sw_ledger *ledger, struct sw_bytes key,
                                          size_t steps)
{
    struct sw_reservation *reservation =
        calloc(1, sizeof *reservation + steps * sizeof reservation->path[0]);

    if (reservation == NULL)
        return NULL;
    assert(key.size > 0 && key.size <= SW_LEDGER_KEY_MAX && steps <= SW_BUDGET_PATH_MAX);
    sw_list_init(&reservation->node);
    reservation->steps = (uint8_t)steps;
    reservation->key_size = (uint8_t)key.size;
    memcpy(reservation->key, key.data, key.size);
    if (sw_map_put(ledger->keys, reservation->key, key.size, reservation, NULL) == SW_OK)
        return reservation;
    free(reservation);
    return NULL;
}

void sw_reservation_free(struct sw_ledger *ledger, struct sw_reservation *reservation)
{
    sw_list_remove(&reservation->node);
    (void)sw_map_remove(ledger->keys, reservation->key, reservation->key_size);
    free(reservation);
}

void sw_reservation_hold(struct sw_reservation *reservation)
{
    for (unsigned i = 0; i < reservation->steps; i++) {
        struct sw_reservation_step *step = &reservation->path[i];

        step->node->open++;
        if (step->generation == step->node->generation)
            sw_budget_add(&step->node->reserved, &reservation->worst);
    }
}

void sw_reservation_close(struct sw_ledger *ledger, struct sw_reservation *reservation,
                          const struct sw_budget_amount *actual)
{
    for (unsigned i = 0; i < reservation->steps; i++) {
        struct sw_budget_node *node = reservation->path[i].node;

        node->open--;
        if (reservation->path[i].generation != node->generation)
            continue;
        sw_budget_subtract(&node->reserved, &reservation->worst);
        sw_budget_add(&node->spent, actual);
    }
    ledger->figures.open--;
}

void sw_reservation_leave(struct sw_ledger *ledger, const struct sw_reservation *reservation)
{
    for (unsigned i = reservation->steps; i > 0; i--) {
        struct sw_budget_node *node = reservation->path[i - 1].node;

        if (node->is_over && node->open == 0 && node->below == 0)
            sw_ledger_node_drop(ledger, node);
    }
}

void sw_reservation_know(struct sw_ledger *ledger, struct sw_reservation *reservation)
{
    struct sw_reservation *oldest;

    if (ledger->figures.known >= ledger->options.keep_max) {
        oldest = SW_LIST_ITEM(sw_list_first(&ledger->known), struct sw_reservation, node);
        sw_reservation_free(ledger, oldest);
        ledger->figures.known--;
    }
    reservation->state = SW_RESERVATION_KNOWN;
    reservation->since_ns = ledger->system->monotonic_ns(ledger->system->ctx);
    sw_list_remove(&reservation->node);
    sw_list_add(&ledger->known, &reservation->node);
    ledger->figures.known++;
}
