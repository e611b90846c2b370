#include "pkg/agent/runtime/actor/throttle.h"

#include "pkg/agent/link/frame.h"
#include "pkg/agent/runtime/actor/segment.h"
#include "pkg/agent/runtime/actor/state.h"

/* Whoever notes something adds first and looks at the mark afterwards, and whoever tells takes the
 * mark off first: so nothing that was noted is forgotten. The mark changes with the lock only: it
 * says who is in the list, also to sw_throttle_end of another worker's Pod of the Agent. */
void sw_throttle_note(struct sw_worker *worker, struct sw_pod *pod, enum sw_frame_limit limit)
{
    struct sw_accounts *accounts = &worker->shared->accounts;
    struct sw_throttle *throttle = &pod->account->throttle;

    atomic_fetch_add(&throttle->counts[limit], 1);
    sw_meter_set_due(worker, pod);
    if (atomic_load(&throttle->is_listed))
        return;
    pthread_mutex_lock(&accounts->mutex);
    if (!atomic_exchange(&throttle->is_listed, true))
        sw_list_add(&accounts->throttled, &throttle->node);
    pthread_mutex_unlock(&accounts->mutex);
}

static void tell(struct sw_worker *worker, struct sw_account *account)
{
    struct sw_frame frame = {.kind = SW_FRAME_THROTTLED,
                             .throttled = {.name_space = account->name_space,
                                           .agent = account->agent,
                                           .agent_uid = account->agent_uid}};

    sw_list_remove(&account->throttle.node);
    atomic_store(&account->throttle.is_listed, false);
    for (uint32_t i = 0; i < SW_FRAME_LIMITS; i++) {
        frame.throttled.limit = i;
        frame.throttled.count = atomic_exchange(&account->throttle.counts[i], 0);
        if (frame.throttled.count > 0)
            sw_output_frame(worker, &frame, sw_output_epoch_now(worker));
    }
}

void sw_throttle_tell(struct sw_worker *worker, struct sw_accounts *accounts)
{
    while (!sw_list_is_empty(&accounts->throttled))
        tell(worker, SW_LIST_ITEM(accounts->throttled.next, struct sw_account, throttle.node));
}

void sw_throttle_end(struct sw_worker *worker, struct sw_account *account)
{
    if (atomic_load(&account->throttle.is_listed))
        tell(worker, account);
}
