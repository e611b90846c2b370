#include "pkg/broker/model/queue.h"

#include <stdlib.h>
#include <string.h>

#define KEY_BYTES_MAX 160u

struct model_flow { /* The waiting calls of one agent in one priority. */
    struct sw_list node;
    struct sw_list waiters;
    size_t key_size;
    char key[KEY_BYTES_MAX]; /* The priority's digit and the name. */
};

static const unsigned weights[SW_MODEL_PRIORITIES] = {8, 4, 2, 1};

static struct sw_bytes key_of(const void *value)
{
    const struct model_flow *flow = value;

    return (struct sw_bytes){flow->key, flow->key_size};
}

enum sw_rc sw_model_queue_init(struct model_queue *queue, uint64_t seed)
{
    memset(queue, 0, sizeof *queue);
    for (unsigned i = 0; i < SW_MODEL_PRIORITIES; i++)
        sw_list_init(&queue->ready[i]);
    queue->flows = sw_map_new_of(seed, key_of);
    return queue->flows == NULL ? SW_E_EXHAUSTED : SW_OK;
}

static void flow_free(struct model_queue *queue, struct model_flow *flow)
{
    (void)sw_map_remove(queue->flows, flow->key, flow->key_size);
    sw_list_remove(&flow->node);
    free(flow);
}

void sw_model_queue_done(struct model_queue *queue)
{
    for (unsigned i = 0; queue->flows != NULL && i < SW_MODEL_PRIORITIES; i++)
        SW_LIST_EACH(&queue->ready[i], node)
    flow_free(queue, SW_LIST_ITEM(node, struct model_flow, node));
    sw_map_free(queue->flows);
}

static struct model_flow *flow_of(struct model_queue *queue, unsigned priority,
                                  struct sw_bytes name)
{
    char key[KEY_BYTES_MAX];
    size_t size = name.size < sizeof key - 1 ? name.size : sizeof key - 1;
    struct model_flow *flow;

    key[0] = (char)('0' + priority);
    memcpy(key + 1, name.data, size);
    flow = sw_map_find(queue->flows, key, size + 1);
    if (flow != NULL)
        return flow;
    flow = calloc(1, sizeof *flow);
    if (flow == NULL)
        return NULL;
    sw_list_init(&flow->waiters);
    flow->key_size = size + 1;
    memcpy(flow->key, key, flow->key_size);
    if (sw_map_put(queue->flows, flow->key, flow->key_size, flow, NULL) != SW_OK) {
        free(flow);
        return NULL;
    }
    sw_list_add(&queue->ready[priority], &flow->node);
    return flow;
}

enum sw_rc sw_model_queue_add(struct model_queue *queue, unsigned priority, struct sw_bytes name,
                              struct model_waiter *waiter)
{
    struct model_flow *flow = flow_of(queue, priority, name);

    if (flow == NULL)
        return SW_E_EXHAUSTED;
    sw_list_add(&flow->waiters, &waiter->node);
    waiter->flow = flow;
    queue->count++;
    return SW_OK;
}

void sw_model_queue_remove(struct model_queue *queue, struct model_waiter *waiter)
{
    struct model_flow *flow = waiter->flow;

    if (flow == NULL)
        return;
    sw_list_remove(&waiter->node);
    waiter->flow = NULL;
    queue->count--;
    if (sw_list_is_empty(&flow->waiters))
        flow_free(queue, flow);
}

/* The priority whose turn it is; SW_MODEL_PRIORITIES: nobody waits. */
static unsigned whose_turn(struct model_queue *queue)
{
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < SW_MODEL_PRIORITIES; i++) {
            if (queue->credits[i] == 0 || sw_list_is_empty(&queue->ready[i]))
                continue;
            queue->credits[i]--;
            return i;
        }
        memcpy(queue->credits, weights, sizeof weights); /* All who wait have had their turns. */
    }
    return SW_MODEL_PRIORITIES;
}

struct model_waiter *sw_model_queue_take(struct model_queue *queue)
{
    unsigned turn = whose_turn(queue);
    struct model_flow *flow;
    struct model_waiter *waiter;

    if (turn == SW_MODEL_PRIORITIES)
        return NULL;
    flow = SW_LIST_ITEM(sw_list_first(&queue->ready[turn]), struct model_flow, node);
    waiter = SW_LIST_ITEM(sw_list_first(&flow->waiters), struct model_waiter, node);
    sw_list_remove(&flow->node); /* Behind the other agents. */
    sw_list_add(&queue->ready[turn], &flow->node);
    sw_model_queue_remove(queue, waiter);
    return waiter;
}
