#include "pkg/broker/approval/approval.h"

#include "pkg/client/informers/informer.h"
#include "pkg/utils/base/list.h"
#include "pkg/utils/base/map.h"
#include "pkg/utils/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS 60000u /* At most so long until times are compared again: clocks are set. */
#define AGAIN_NS 1000000000u
#define TITLE_MAX 256u
#define TEXT_MAX 65536u
#define WORDS_MAX 1400u
#define PLATFORM "the platform"

struct sw_approvals {
    struct sw_approvals_options options;
    struct sw_informer *informer;
    struct sw_map *waits;    /* struct sw_approval_wait by the object's key. */
    struct sw_list all;      /* The same. */
    struct sw_list writings; /* Under way, of whoever. */
    struct sw_timer *timer;
    uint64_t look_at; /* UTC ns, when it fires; 0: it does not. */
    struct sw_arena *scratch;
    bool is_stopping;
};

struct sw_approval_wait {
    struct sw_list node;
    struct sw_approvals *approvals;
    sw_approval_done *done;
    void *ctx;
    uint64_t expires_at; /* UTC ns; 0: never, or not known. */
    bool is_there;       /* The object was seen. */
    bool is_stale;       /* What followed from it could not be begun: to be looked at again. */
    char key[];          /* Of the object. */
};

struct writing { /* A write of the store: outlives who waits. */
    struct sw_list node;
    struct sw_approvals *approvals; /* NULL: they are gone. */
    char key[SW_OBJECT_KEY_MAX];
};

static const struct sw_kind *the_kind(void)
{
    return sw_kind_find("Approval");
}

static struct sw_bytes key_of(const void *value)
{
    const struct sw_approval_wait *wait = value;

    return (struct sw_bytes){wait->key, strlen(wait->key)};
}

static void wait_free(struct sw_approval_wait *wait)
{
    (void)sw_map_remove(wait->approvals->waits, wait->key, strlen(wait->key));
    sw_list_remove(&wait->node);
    free(wait);
}

static void end(struct sw_approval_wait *wait, const struct sw_approval_answer *answer)
{
    sw_approval_done *done = wait->done;
    void *ctx = wait->ctx;

    wait_free(wait);
    done(ctx, answer);
}

static void fail(struct sw_approval_wait *wait, enum sw_rc rc, const char *words)
{
    end(wait, &(struct sw_approval_answer){.rc = rc, .words = words, .text = {"", 0}});
}

/* --- Answers --------------------------------------------------------------------------------- */

static const char *text_or(const char *text, const char *other)
{
    return text == NULL || text[0] == '\0' ? other : text;
}

/* The last word, and whose it is. */
static void say(const struct sw_api_approval *approval, char words[WORDS_MAX])
{
    const struct sw_api_approval_status *status = &approval->status;
    const struct sw_api_approval_decision *last =
        status->decisions_count == 0 ? NULL : &status->decisions[status->decisions_count - 1];
    const char *how = status->phase == SW_API_APPROVAL_PHASE_APPROVED ? "approved" : "denied";

    if (last == NULL)
        (void)snprintf(words, WORDS_MAX, "%s", how);
    else
        (void)snprintf(words, WORDS_MAX, "%s by %s: %s", how, text_or(last->by, PLATFORM),
                       text_or(last->reason, "no reason is known"));
}

static void tell(struct sw_approval_wait *wait, const struct sw_api_approval *approval)
{
    char words[WORDS_MAX];
    const char *text = text_or(approval->status.text, text_or(approval->spec.text, ""));
    bool is_approved = approval->status.phase == SW_API_APPROVAL_PHASE_APPROVED;

    say(approval, words);
    end(wait, &(struct sw_approval_answer){.rc = is_approved ? SW_OK : SW_E_DENIED,
                                           .words = words,
                                           .text = {text, is_approved ? strlen(text) : 0},
                                           .approval = approval});
}

/* --- Writes ---------------------------------------------------------------------------------- */

static void look(struct sw_approvals *approvals, struct sw_approval_wait *wait);

static void on_written(void *ctx, const struct sw_object_result *result)
{
    struct writing *writing = ctx;
    struct sw_approvals *approvals = writing->approvals;
    struct sw_approval_wait *wait;

    if (approvals == NULL) {
        free(writing);
        return;
    }
    sw_list_remove(&writing->node);
    wait = sw_map_find(approvals->waits, writing->key, strlen(writing->key));
    if (wait != NULL && (result->rc == SW_OK || result->rc == SW_E_EXISTS))
        look(approvals, wait);
    else if (wait != NULL && result->rc != SW_E_CONFLICT) /* Whoever was quicker is told of. */
        fail(wait, result->rc, result->err->message);
    free(writing);
}

static enum sw_rc write_object(struct sw_approvals *approvals, const char *key,
                               struct sw_api_approval *approval, bool is_new, struct sw_err *err)
{
    struct sw_object_write write = {.kind = the_kind(), .object = approval};
    struct writing *writing = calloc(1, sizeof *writing);
    enum sw_rc rc;

    if (writing == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for an Approval");
    writing->approvals = approvals;
    memcpy(writing->key, key, strlen(key) + 1);
    sw_list_add(&approvals->writings, &writing->node);
    rc = is_new ? sw_objects_create(approvals->options.objects, &write, on_written, writing, err)
                : sw_objects_update_status(approvals->options.objects, &write, on_written, writing,
                                           err);
    if (rc != SW_OK) {
        sw_list_remove(&writing->node);
        free(writing);
    }
    return rc;
}

static struct sw_api_approval *read_item(struct sw_approvals *approvals,
                                         const struct sw_store_item *item)
{
    void *object = NULL;

    sw_arena_reset(approvals->scratch);
    return sw_object_of_item(the_kind(), item, approvals->scratch, &object, NULL) == SW_OK ? object
                                                                                           : NULL;
}

static enum sw_rc move_to(struct sw_approvals *approvals, const char *key,
                          struct sw_api_approval *approval, enum sw_api_approval_phase phase)
{
    const struct sw_system *system = approvals->options.system;

    approval->status.phase = phase;
    approval->status.decided_at =
        phase == SW_API_APPROVAL_PHASE_PENDING ? 0 : system->utc_ns(system->ctx);
    return write_object(approvals, key, approval, false, NULL);
}

static enum sw_rc expire(struct sw_approvals *approvals, const char *key,
                         struct sw_api_approval *approval)
{
    const struct sw_system *system = approvals->options.system;
    struct sw_api_approval_status *status = &approval->status;
    size_t count = status->decisions_count;
    struct sw_api_approval_decision *all =
        sw_arena_array(approvals->scratch, count + 1, sizeof *all);
    bool approves = approval->spec.on_timeout == SW_API_APPROVAL_VERDICT_APPROVE;

    if (all == NULL)
        return SW_E_EXHAUSTED;
    if (count > 0)
        memcpy(all, status->decisions, count * sizeof *all);
    all[count] = (struct sw_api_approval_decision){
        .verdict = approves ? SW_API_APPROVAL_VERDICT_APPROVE : SW_API_APPROVAL_VERDICT_DENY,
        .reason = "nobody answered in time",
        .by = PLATFORM,
        .at = system->utc_ns(system->ctx)};
    status->decisions = all;
    status->decisions_count = count + 1;
    return move_to(approvals, key, approval,
                   approves ? SW_API_APPROVAL_PHASE_APPROVED : SW_API_APPROVAL_PHASE_DENIED);
}

/* --- Waiting --------------------------------------------------------------------------------- */

static void set_timer(struct sw_approvals *approvals, uint64_t expires_at)
{
    const struct sw_system *system = approvals->options.system;
    uint64_t now = system->utc_ns(system->ctx);
    uint64_t left_ms = expires_at <= now ? 0 : (expires_at - now) / 1000000 + 1;

    if (approvals->look_at != 0 && approvals->look_at <= expires_at)
        return;
    approvals->look_at = expires_at;
    sw_timer_start(approvals->timer, left_ms < LOOK_MS ? left_ms : LOOK_MS);
}

/* Whoever waits, at what there is now. */
static void look(struct sw_approvals *approvals, struct sw_approval_wait *wait)
{
    const struct sw_system *system = approvals->options.system;
    const struct sw_store_item *item =
        sw_store_find(sw_objects_store(approvals->options.objects), wait->key);
    struct sw_api_approval *approval = item == NULL ? NULL : read_item(approvals, item);
    enum sw_rc rc = SW_OK;

    if (approval == NULL) {
        if (wait->is_there)
            fail(wait, SW_E_DENIED, "denied: the Approval was deleted");
        return;
    }
    wait->is_there = true;
    wait->expires_at = approval->spec.expires_at;
    switch (approval->status.phase) {
    case SW_API_APPROVAL_PHASE_APPROVED:
    case SW_API_APPROVAL_PHASE_DENIED:
        tell(wait, approval);
        return;
    case SW_API_APPROVAL_PHASE_WITHDRAWN:
        rc = move_to(approvals, wait->key, approval, SW_API_APPROVAL_PHASE_PENDING);
        break;
    case SW_API_APPROVAL_PHASE_PENDING:
    case SW_API_APPROVAL_PHASE_UNSPECIFIED:
    default:
        if (wait->expires_at == 0)
            break;
        if (system->utc_ns(system->ctx) >= wait->expires_at)
            rc = expire(approvals, wait->key, approval);
        else
            set_timer(approvals, wait->expires_at);
    }
    wait->is_stale = rc != SW_OK;
    if (wait->is_stale)
        set_timer(approvals, system->utc_ns(system->ctx) + AGAIN_NS);
}

static void on_timer(void *ctx)
{
    struct sw_approvals *approvals = ctx;
    const struct sw_system *system = approvals->options.system;
    uint64_t now = system->utc_ns(system->ctx), next = UINT64_MAX;

    approvals->look_at = 0;
    SW_LIST_EACH(&approvals->all, node)
    {
        struct sw_approval_wait *wait = SW_LIST_ITEM(node, struct sw_approval_wait, node);

        if (!wait->is_there || wait->is_stale || (wait->expires_at != 0 && wait->expires_at <= now))
            look(approvals, wait);
        else if (wait->expires_at != 0 && wait->expires_at < next)
            next = wait->expires_at;
    }
    if (next != UINT64_MAX)
        set_timer(approvals, next);
}

static void on_change(void *ctx, const struct sw_informer_change *change)
{
    struct sw_approvals *approvals = ctx;
    const char *key = change->now != NULL ? change->now->key : change->before->key;
    struct sw_approval_wait *wait = sw_map_find(approvals->waits, key, strlen(key));

    if (wait != NULL)
        look(approvals, wait);
}

/* --- Questions ------------------------------------------------------------------------------- */

static enum sw_rc check(const struct sw_approvals *approvals,
                        const struct sw_approval_question *question, struct sw_err *err)
{
    if (question->title.size == 0 || question->title.size > TITLE_MAX ||
        question->text.size > TEXT_MAX)
        return sw_err_set(err, SW_E_INVALID,
                          "a question has a title of 1 to %u bytes, and at most %u of text",
                          TITLE_MAX, TEXT_MAX);
    if (!sw_text_is_utf8(question->title.data, question->title.size) ||
        !sw_text_is_utf8(question->text.data, question->text.size))
        return sw_err_set(err, SW_E_INVALID, "the texts of a question are UTF-8");
    if (approvals->is_stopping)
        return sw_err_set(err, SW_E_UNAVAILABLE, "this node stops");
    if (sw_map_count(approvals->waits) >= SW_APPROVALS_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED, "%u questions wait for people on this node",
                          SW_APPROVALS_MAX);
    return SW_OK;
}

/* Who answers, and until when: what the Agent's spec says, and the question may only narrow. */
static enum sw_rc take_policy(struct sw_approvals *approvals,
                              const struct sw_approval_question *question,
                              struct sw_api_approval *approval, struct sw_err *err)
{
    const struct sw_system *system = approvals->options.system;
    const struct sw_object_ref ref = {sw_kind_find("Agent"), question->name_space, question->agent};
    void *object = NULL;
    uint64_t timeout_ns = 0, wanted_ns = question->timeout_ms * 1000000;
    enum sw_rc rc =
        sw_objects_get(approvals->options.objects, &ref, approvals->scratch, &object, err);

    if (rc != SW_OK)
        return rc;
    const struct sw_api_approval_policy *policy = &((struct sw_api_agent *)object)->spec.approvals;
    approval->spec.approvers = policy->approvers;
    approval->spec.approvers_count = policy->approvers_count;
    approval->spec.quorum = policy->quorum > question->quorum ? policy->quorum : question->quorum;
    if (approval->spec.quorum == 0)
        approval->spec.quorum = 1;
    if (policy->approvers_count > 0 && approval->spec.quorum > policy->approvers_count)
        return sw_err_set(err, SW_E_INVALID, "there are only %zu approvers",
                          policy->approvers_count);
    approval->spec.on_timeout = question->cause == SW_API_APPROVAL_CAUSE_UNKNOWN_OUTCOME
                                    ? SW_API_APPROVAL_VERDICT_DENY
                                    : policy->on_timeout;
    if (sw_text_to_duration_ns(text_or(policy->timeout, "0s"), &timeout_ns) != SW_OK)
        timeout_ns = 0; /* None that admission lets through. */
    if (wanted_ns != 0 && (timeout_ns == 0 || wanted_ns < timeout_ns)) {
        timeout_ns = wanted_ns; /* Who asks may not wait for a yes, and never make one. */
        approval->spec.on_timeout = SW_API_APPROVAL_VERDICT_DENY;
    }
    if (timeout_ns != 0)
        approval->spec.expires_at = system->utc_ns(system->ctx) + timeout_ns;
    return SW_OK;
}

static enum sw_rc make(struct sw_approvals *approvals, const struct sw_approval_question *question,
                       const char *key, struct sw_err *err)
{
    struct sw_arena *arena = approvals->scratch;
    struct sw_api_approval *approval;
    enum sw_rc rc;

    sw_arena_reset(arena);
    approval = sw_object_new(the_kind(), arena);
    if (approval == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for an Approval");
    rc = take_policy(approvals, question, approval, err);
    if (rc != SW_OK)
        return rc;
    approval->metadata.namespace = question->name_space;
    approval->metadata.name = sw_arena_copy(arena, question->name.data, question->name.size);
    approval->spec.agent = question->agent;
    approval->spec.instance =
        sw_arena_copy(arena, question->instance.data, question->instance.size);
    approval->spec.cause = question->cause;
    approval->spec.title = sw_arena_copy(arena, question->title.data, question->title.size);
    approval->spec.text = sw_arena_copy(arena, question->text.data, question->text.size);
    approval->spec.editable = question->is_editable;
    if (approval->metadata.name == NULL || approval->spec.instance == NULL ||
        approval->spec.title == NULL || approval->spec.text == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for an Approval");
    return write_object(approvals, key, approval, true, err);
}

enum sw_rc sw_approvals_ask(struct sw_approvals *approvals,
                            const struct sw_approval_question *question, sw_approval_done *done,
                            void *ctx, struct sw_approval_wait **ret_wait, struct sw_err *err)
{
    const struct sw_system *system = approvals->options.system;
    struct sw_approval_wait *wait;
    char name[64] = "", key[SW_OBJECT_KEY_MAX];
    enum sw_rc rc = check(approvals, question, err);

    if (rc == SW_OK && question->name.size >= sizeof name)
        rc = sw_err_set(err, SW_E_INVALID, "the name of a question is too long");
    if (rc != SW_OK)
        return rc;
    memcpy(name, question->name.data, question->name.size);
    sw_object_key(the_kind(), question->name_space, name, key);
    if (sw_map_find(approvals->waits, key, strlen(key)) != NULL)
        return sw_err_set(err, SW_E_CONFLICT, "somebody waits for that answer already");
    wait = calloc(1, sizeof *wait + strlen(key) + 1);
    if (wait == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a question");
    *wait = (struct sw_approval_wait){.approvals = approvals, .done = done, .ctx = ctx};
    memcpy(wait->key, key, strlen(key) + 1);
    if (sw_map_put(approvals->waits, wait->key, strlen(key), wait, NULL) != SW_OK) {
        free(wait);
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a question");
    }
    sw_list_add(&approvals->all, &wait->node);
    if (sw_store_find(sw_objects_store(approvals->options.objects), wait->key) != NULL)
        set_timer(approvals, system->utc_ns(system->ctx)); /* Looked at outside of this call. */
    else
        rc = make(approvals, question, wait->key, err);
    if (rc != SW_OK) {
        wait_free(wait);
        return rc;
    }
    *ret_wait = wait;
    return SW_OK;
}

void sw_approvals_cancel(struct sw_approval_wait *wait)
{
    struct sw_approvals *approvals = wait->approvals;
    const struct sw_store_item *item =
        sw_store_find(sw_objects_store(approvals->options.objects), wait->key);
    struct sw_api_approval *approval =
        item == NULL || approvals->is_stopping ? NULL : read_item(approvals, item);

    if (approval != NULL && approval->status.phase == SW_API_APPROVAL_PHASE_PENDING)
        (void)move_to(approvals, wait->key, approval, SW_API_APPROVAL_PHASE_WITHDRAWN);
    wait_free(wait);
}

/* --- Life ------------------------------------------------------------------------------------ */

enum sw_rc sw_approvals_new(const struct sw_approvals_options *options,
                            struct sw_approvals **ret_approvals, struct sw_err *err)
{
    SW_CLEANUP(sw_approvals_freep) struct sw_approvals *made = calloc(1, sizeof *made);
    const struct sw_informer_handler handler = {.ctx = made, .on_change = on_change};
    uint64_t seed;
    enum sw_rc rc;

    if (made == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for Approvals");
    made->options = *options;
    sw_list_init(&made->all);
    sw_list_init(&made->writings);
    options->system->random(options->system->ctx, &seed, sizeof seed);
    made->waits = sw_map_new_of(seed, key_of);
    made->scratch = sw_arena_new(2 * SW_OBJECT_ARENA_MAX);
    made->timer = sw_timer_new(options->loop, on_timer, made);
    if (made->waits == NULL || made->scratch == NULL || made->timer == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for Approvals");
    rc = sw_informer_new(options->objects, the_kind(), &handler, &made->informer, err);
    if (rc == SW_OK)
        *ret_approvals = SW_TAKE(made);
    return rc;
}

void sw_approvals_stop(struct sw_approvals *approvals)
{
    approvals->is_stopping = true;
}

void sw_approvals_free(struct sw_approvals *approvals)
{
    if (approvals == NULL)
        return;
    sw_informer_free(approvals->informer);
    if (approvals->waits != NULL)
        SW_LIST_EACH(&approvals->all, node)
    wait_free(SW_LIST_ITEM(node, struct sw_approval_wait, node));
    SW_LIST_EACH(&approvals->writings, node)
    SW_LIST_ITEM(node, struct writing, node)->approvals = NULL;
    sw_map_free(approvals->waits);
    if (approvals->timer != NULL)
        sw_timer_free(approvals->timer);
    sw_arena_free(approvals->scratch);
    free(approvals);
}
