#include "pkg/agent/runtime/actor/state.h"

#include "include/swarm/agent.h"
#include "pkg/agent/link/frame.h"
#include "pkg/utils/base/text.h"

#include <stdlib.h>
#include <string.h>

#define FRAME_MAX (SW_FRAME_BYTES_MAX + 16u)

/* Outputs leave in the order of their causes, so an epoch is never lower than the one before. */
void sw_output_frame(struct sw_worker *worker, const struct sw_frame *frame, uint64_t epoch)
{
    struct sw_output *output;

    sw_buffer_reset(&worker->frame);
    sw_frame_put(frame, &worker->frame);
    output = worker->frame.failed ? NULL : malloc(sizeof *output + worker->frame.size);
    if (output == NULL) {
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for an output");
        return;
    }
    if (epoch > worker->output_epoch)
        worker->output_epoch = epoch;
    output->next = NULL;
    output->epoch = worker->output_epoch;
    output->size = worker->frame.size;
    memcpy(output->bytes, worker->frame.data, output->size);
    if (worker->outputs == NULL)
        worker->outputs = output;
    else
        worker->outputs_last->next = output;
    worker->outputs_last = output;
}

uint64_t sw_output_epoch_now(const struct sw_worker *worker)
{
    return worker->appended_epoch > worker->output_epoch ? worker->appended_epoch
                                                         : worker->output_epoch;
}

struct sw_output *sw_worker_output(struct sw_worker *worker)
{
    struct sw_output *first = worker->outputs;

    if (first != NULL)
        worker->outputs = first->next;
    return first;
}

/* Words that may hold anything (logs, messages of traps), as UTF-8 without NUL, cut at size_max. */
static struct sw_bytes clean(struct sw_bytes text, size_t size_max, char *ret_copy)
{
    const char *bytes = text.data;

    if (text.size > size_max)
        text.size = size_max;
    if (text.size == 0 || sw_text_is_utf8(bytes, text.size))
        return text;
    for (size_t i = 0; i < text.size; i++)
        ret_copy[i] = bytes[i] == 0 || (unsigned char)bytes[i] > 126 ? '?' : bytes[i];
    return (struct sw_bytes){ret_copy, text.size};
}

void sw_output_event(struct sw_worker *worker, const struct sw_instance *instance,
                     const char *reason, const char *words, uint64_t epoch)
{
    char copy[SW_FRAME_WORDS_MAX];
    struct sw_frame frame = {
        .kind = SW_FRAME_EVENT,
        .event = {.uid = instance->pod->config.uid,
                  .key = sw_instance_key(instance),
                  .is_warning = 1,
                  .reason = {reason, strlen(reason)},
                  .words = clean((struct sw_bytes){words, strlen(words)}, sizeof copy, copy)}};

    sw_output_frame(worker, &frame, epoch);
}

void sw_output_logs(struct sw_worker *worker, const struct sw_instance *instance, uint64_t epoch)
{
    struct sw_reader reader = sw_reader_of(worker->turn.logs.data, worker->turn.logs.size);
    char copy[SW_TURN_LOG_LINE_MAX];

    while (reader.at < reader.size) {
        struct sw_frame frame = {.kind = SW_FRAME_LOG,
                                 .log = {.uid = instance->pod->config.uid,
                                         .key = sw_instance_key(instance),
                                         .time_ns = worker->turn.time_ns}};

        frame.log.level = sw_reader_u32(&reader);
        frame.log.text = clean(sw_reader_bytes(&reader, SW_TURN_LOG_LINE_MAX), sizeof copy, copy);
        sw_output_frame(worker, &frame, epoch);
    }
}

void sw_output_reply(struct sw_worker *worker, uint64_t request, int32_t status,
                     const struct sw_answer *answer)
{
    struct sw_frame frame = {.kind = SW_FRAME_REPLY,
                             .reply = {.request = request,
                                       .code = (uint32_t)-(int64_t)status,
                                       .type = answer->type,
                                       .body = answer->body,
                                       .from = answer->from_key}};

    sw_output_frame(worker, &frame, answer->epoch);
}

/* --- Status of Pods: at once when it was quiet, else a few times a second -------------------- */

static uint32_t phase_of(const struct sw_pod *pod)
{
    /* Keyed instances come and go; such a Pod is running once it takes messages. */
    return pod->config.is_keyed || sw_pod_count(pod) == pod->ready ? SW_FRAME_POD_RUNNING
                                                                   : SW_FRAME_POD_STARTING;
}

void sw_output_status(struct sw_worker *worker, struct sw_pod *pod)
{
    if (pod->is_status_due || pod->state == SW_POD_CLOSED)
        return;
    pod->is_status_due = true;
    sw_list_add(&worker->dirty, &pod->dirty);
}

static void tell_status(struct sw_worker *worker, struct sw_pod *pod)
{
    struct sw_frame frame = {.kind = SW_FRAME_POD_STATUS,
                             .pod_status = {.uid = pod->config.uid,
                                            .generation = pod->config.generation,
                                            .phase = phase_of(pod),
                                            .instances = sw_pod_count(pod),
                                            .ready = pod->ready,
                                            .failures = pod->failing}};

    if (pod->failing > 0) {
        frame.pod_status.reason = (struct sw_bytes){"InstancesFailing", 16};
        frame.pod_status.words = (struct sw_bytes){"see the events of the Pod", 25};
    }
    pod->is_status_due = false;
    pod->status_ns = worker->now_ns;
    pod->told_phase = frame.pod_status.phase;
    sw_list_remove(&pod->dirty);
    sw_output_frame(worker, &frame, sw_output_epoch_now(worker));
}

/* Somebody waits for a Pod to run, so that is told at once. What it was before was told by the
 * clock, which bounds this as well. */
static bool is_to_tell(const struct sw_worker *worker, const struct sw_pod *pod)
{
    return pod->status_ns + SW_STATUS_INTERVAL_NS <= worker->now_ns ||
           (pod->told_phase == SW_FRAME_POD_STARTING && phase_of(pod) == SW_FRAME_POD_RUNNING);
}

void sw_output_statuses(struct sw_worker *worker)
{
    SW_LIST_EACH(&worker->dirty, node)
    {
        struct sw_pod *pod = SW_LIST_ITEM(node, struct sw_pod, dirty);
        if (is_to_tell(worker, pod))
            tell_status(worker, pod);
    }
}
