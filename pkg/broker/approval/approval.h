/* Questions to people: Approvals in the store, and who waits for their answers.
 *
 *     ask ──► an Approval, Pending ──► decided by people, or by its timeout ──► done
 *      └ there is one under that name already: the same question goes on
 *
 * Who waits keeps its bytes here and an object in the store, for as long as it takes. Whoever asks
 * again under the same name, after a crash too, waits for the same answer. Who may answer, how many
 * and until when stands in the Agent's spec.approvals as it is when the question is asked first;
 * where the outcome of something is not known, time that is over is a no whatever it says.
 *
 * Threads: the loop's; done never runs inside of ask.  I/O: the store's.
 * Limits: SW_APPROVALS_MAX questions at once. */
#pragma once
#include "pkg/apis/swarm/v1/object.h"
#include "pkg/broker/service/service.h"
#include "pkg/store/objects/objects.h"
#include "pkg/utils/loop/loop.h"

#define SW_APPROVALS_MAX 100000u
#define SW_APPROVAL_SERVICE "swarm.approve"

struct sw_approvals; /* Opaque. */

struct sw_approvals_options { /* Borrowed; they outlive it. */
    struct sw_loop *loop;
    const struct sw_system *system;
    struct sw_objects *objects;
};

/* Begin to watch Approvals.  SW_E_EXHAUSTED: no memory, or no watch left. */
SW_MUST_CHECK enum sw_rc sw_approvals_new(const struct sw_approvals_options *options,
                                          struct sw_approvals **ret_approvals, struct sw_err *err);
/* From now on a question that is cancelled stays Pending: this process ends, its agents do not. */
void sw_approvals_stop(struct sw_approvals *approvals);
/* Who waits is not called any more. Before the objects are freed. */
void sw_approvals_free(struct sw_approvals *approvals);
SW_DEFINE_CLEANUP(struct sw_approvals, sw_approvals_free)

struct sw_approval_question {       /* Borrowed for the call. */
    const char *name_space, *agent; /* Who asks, */
    struct sw_bytes instance;       /* and its key. */
    struct sw_bytes name;           /* Of the object: a label. */
    enum sw_api_approval_cause cause;
    struct sw_bytes title, text; /* UTF-8 of 1 to 256 bytes, and of at most 64 KiB. */
    bool is_editable;
    uint32_t quorum;     /* More than the Agent's spec says, or 0. */
    uint64_t timeout_ms; /* Less than the Agent's spec says, or 0: a no when it is over. */
};

struct sw_approval_answer { /* Borrowed for the call of done. */
    /* SW_OK           it is approved
     * SW_E_DENIED     it is denied, its time is over, or it was deleted
     * other codes     it could not be asked */
    enum sw_rc rc;
    const char *words; /* Who said so and why. */
    /* What was approved: as it was proposed, or changed. "" unless SW_OK. */
    struct sw_bytes text;
    const struct sw_api_approval *approval; /* NULL: there is none. */
};
typedef void sw_approval_done(void *ctx, const struct sw_approval_answer *answer);

struct sw_approval_wait; /* Opaque. */

/* Ask, or wait on. done is called once, unless it is cancelled before.
 * SW_E_INVALID    a text is too long or empty, or the name is no label
 * SW_E_CONFLICT   somebody waits for that answer already
 * SW_E_NOT_FOUND  there is no such Agent    SW_E_EXHAUSTED  too many questions, or no memory */
SW_MUST_CHECK enum sw_rc sw_approvals_ask(struct sw_approvals *approvals,
                                          const struct sw_approval_question *question,
                                          sw_approval_done *done, void *ctx,
                                          struct sw_approval_wait **ret_wait, struct sw_err *err);
/* Nobody waits any more: the Approval is Withdrawn if it is Pending. */
void sw_approvals_cancel(struct sw_approval_wait *wait);

/* The service "swarm.approve" of agents; borrows the approvals. A call's body is a JSON document
 * {"title", "text", "editable", "quorum", "timeoutMs"} or, of the type text/plain, the title. It is
 * answered with {"text", "decisions": [{"by", "verdict", "reason"}]} when it is approved, and fails
 * with SW_E_DENIED and the reasons when it is not. */
struct sw_service sw_approvals_service(struct sw_approvals *approvals);
