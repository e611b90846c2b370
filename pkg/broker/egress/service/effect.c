#include "pkg/broker/egress/service/state.h"

#include "pkg/security/crypto/digest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Effects in the store:
 *
 *     none, Failed ─► Intended ─► sent ─► Done, or Failed if nobody was reached
 *                        └ nobody knows ─► Unknown ─► people are asked ─► Intended, or Abandoned
 *
 * Whoever finds one Intended that is not under way here was begun by a process that is no more. */

static const struct sw_kind *the_kind(void)
{
    return sw_kind_find("Effect");
}

/* As it is now; NULL: there is none. */
static struct sw_api_effect *find(struct http_call *call)
{
    const struct sw_object_ref ref = {the_kind(), call->name_space, call->key};
    void *object = NULL;

    return sw_objects_get(call->calls->options.objects, &ref, call->arena, &object, NULL) == SW_OK
               ? object
               : NULL;
}

/* --- Writes ---------------------------------------------------------------------------------- */

static void on_written(void *ctx, const struct sw_object_result *result)
{
    struct http_call *call = ctx;

    call->is_writing = false;
    if (call->calls == NULL) {
        sw_fetch_free(call);
        return;
    }
    call->then(call, result->rc, result->rc == SW_OK ? "" : result->err->message);
}

/* `then` follows, not inside of this call if it is not an error at once. */
static void put(struct http_call *call, struct sw_api_effect *effect, bool is_new,
                void (*then)(struct http_call *call, enum sw_rc rc, const char *words))
{
    struct sw_objects *objects = call->calls->options.objects;
    const struct sw_object_write write = {.kind = the_kind(), .object = effect};
    struct sw_err err = {0};
    enum sw_rc rc;

    call->is_writing = true;
    call->then = then;
    rc = is_new ? sw_objects_create(objects, &write, on_written, call, &err)
                : sw_objects_update_status(objects, &write, on_written, call, &err);
    if (rc == SW_OK)
        return;
    call->is_writing = false;
    then(call, rc, err.message);
}

static struct sw_api_effect *make(struct http_call *call)
{
    struct sw_api_effect *effect = sw_object_new(the_kind(), call->arena);
    char *digest = sw_arena_get(call->arena, SW_DIGEST_TEXT_SIZE);

    if (effect == NULL || digest == NULL)
        return NULL;
    sw_digest_text_of(call->request.body.data, call->request.body.size, digest);
    effect->metadata.namespace = call->name_space;
    effect->metadata.name = call->key;
    effect->spec = (struct sw_api_effect_spec){.agent = call->agent,
                                               .instance = call->instance.data,
                                               .service = SW_HTTP_SERVICE,
                                               .method = call->request.method,
                                               .url = call->request.url.text,
                                               .request = digest};
    return effect;
}

static uint64_t utc_ns(const struct http_call *call)
{
    const struct sw_system *system = call->calls->options.system;

    return system->utc_ns(system->ctx);
}

/* --- The beginning --------------------------------------------------------------------------- */

static void give_back(struct http_call *call)
{
    if (call->reservation != NULL)
        (void)sw_ledger_release(call->calls->options.ledger, call->reservation, NULL);
    call->reservation = NULL;
}

static void after_intent(struct http_call *call, enum sw_rc rc, const char *words)
{
    if (rc == SW_OK && call->done != NULL) {
        sw_fetch_send(call);
        return;
    }
    give_back(call);
    call->rc = rc == SW_OK ? SW_E_CANCELLED : rc;
    sw_fetch_say(call, "%s", rc == SW_OK ? "its agent has gone" : words);
    if (rc == SW_OK)
        sw_fetch_effect_end(call, true);
    else
        sw_fetch_end_later(call);
}

void sw_fetch_effect_intend(struct http_call *call)
{
    struct sw_api_effect *effect = find(call);
    bool is_new = effect == NULL;

    if (is_new)
        effect = make(call);
    if (effect == NULL) {
        after_intent(call, SW_E_EXHAUSTED, "no memory for an Effect");
        return;
    }
    call->attempts++;
    call->started_at = utc_ns(call);
    effect->status.phase = SW_API_EFFECT_PHASE_INTENDED;
    effect->status.attempts = call->attempts;
    effect->status.started_at = call->started_at;
    effect->status.ended_at = 0;
    effect->status.reason = "";
    put(call, effect, is_new, after_intent);
}

/* --- The end --------------------------------------------------------------------------------- */

static void ask(struct http_call *call);

static void after_end(struct http_call *call, enum sw_rc rc, const char *words)
{
    (void)rc; /* What came of it is told all the same. */
    (void)words;
    sw_fetch_end_later(call);
}

static void after_unknown(struct http_call *call, enum sw_rc rc, const char *words)
{
    call->calls->figures.unknown++;
    if (rc == SW_OK && call->done != NULL) {
        ask(call);
        return;
    }
    if (rc != SW_OK)
        sw_fetch_say(call, "whether it was done is not known, and cannot be written down: %s",
                     words);
    call->rc = SW_E_UNAVAILABLE;
    sw_fetch_end_later(call);
}

static void take_answer(const struct http_call *call, struct sw_api_effect_status *status)
{
    status->code = (uint32_t)call->status;
    if (call->rc == SW_OK && call->answer.size <= SW_HTTP_KEPT_BYTES)
        status->answer = sw_arena_copy(call->arena, call->answer.data, call->answer.size);
    if (status->answer == NULL)
        status->answer = "";
}

void sw_fetch_effect_end(struct http_call *call, bool is_sure)
{
    struct sw_api_effect *effect = find(call);

    /* That nobody was reached now says nothing of what an attempt before this one did. */
    is_sure = is_sure && (call->status != 0 || call->attempts < 2);
    if (effect == NULL) { /* Somebody deleted it, who alone knows why. */
        sw_fetch_end_later(call);
        return;
    }
    effect->status.phase = !is_sure            ? SW_API_EFFECT_PHASE_UNKNOWN
                           : call->status != 0 ? SW_API_EFFECT_PHASE_DONE
                                               : SW_API_EFFECT_PHASE_FAILED;
    effect->status.attempts = call->attempts;
    effect->status.started_at = call->started_at;
    effect->status.ended_at = utc_ns(call);
    effect->status.reason = call->rc == SW_OK ? "" : call->words;
    if (effect->status.phase == SW_API_EFFECT_PHASE_DONE)
        take_answer(call, &effect->status);
    put(call, effect, false, is_sure ? after_end : after_unknown);
}

/* --- Nobody knows ---------------------------------------------------------------------------- */

static void abandon(struct http_call *call, const char *words)
{
    struct sw_api_effect *effect = find(call);

    call->rc = SW_E_DENIED;
    sw_fetch_say(call, "whether it was done is not known, and it is not made again: %s", words);
    if (effect == NULL) {
        sw_fetch_end_later(call);
        return;
    }
    effect->status.phase = SW_API_EFFECT_PHASE_ABANDONED;
    effect->status.ended_at = utc_ns(call);
    effect->status.reason = call->words;
    put(call, effect, false, after_end);
}

static void on_answer(void *ctx, const struct sw_approval_answer *answer)
{
    struct http_call *call = ctx;

    call->approval = NULL;
    if (answer->rc == SW_OK)
        sw_fetch_begin(call);
    else if (answer->rc == SW_E_DENIED)
        abandon(call, answer->words);
    else
        sw_fetch_fail(call, answer->rc, answer->words);
}

/* Each attempt has an Approval of its own: one that was given counts once. */
static void ask(struct http_call *call)
{
    const struct sw_outbound_url *url = &call->request.url;
    char name[64], title[200], text[3000];
    int name_size = snprintf(name, sizeof name, "%s-%" PRIu32, call->key, call->attempts);
    int title_size = snprintf(title, sizeof title, "Make the request again? %s %.120s",
                              call->request.method, url->text);
    int text_size = snprintf(
        text, sizeof text,
        "%s %s was begun, and nobody knows whether it was done: %s.\n"
        "Look there first. Who approves has it made again, with the same Idempotency-Key (%s). Who "
        "denies has its agent told that it was not, or that nobody knows.",
        call->request.method, url->text, call->words, call->key);
    const struct sw_approval_question question = {
        .name_space = call->name_space,
        .agent = call->agent,
        .instance = call->instance,
        .name = {name, (size_t)name_size},
        .cause = SW_API_APPROVAL_CAUSE_UNKNOWN_OUTCOME,
        .title = {title, (size_t)title_size},
        .text = {text, (size_t)text_size < sizeof text ? (size_t)text_size : sizeof text - 1}};
    struct sw_err err = {0};

    if (sw_approvals_ask(call->calls->options.approvals, &question, on_answer, call,
                         &call->approval, &err) == SW_OK)
        return;
    call->rc = err.rc;
    sw_fetch_say(call, "%s", err.message);
    sw_fetch_end_later(call);
}

/* --- What is known --------------------------------------------------------------------------- */

static void tell_kept(struct http_call *call, const struct sw_api_effect_status *status)
{
    if (status->answer != NULL && status->answer[0] != '\0') {
        sw_buffer_put_text(&call->answer, status->answer);
    } else {
        call->rc = SW_E_EXHAUSTED;
        sw_fetch_say(call, "it was done, and answered %" PRIu32 ", with more than is kept",
                     status->code);
    }
    sw_fetch_end_later(call);
}

bool sw_fetch_effect_is_begun(struct http_call *call)
{
    const struct sw_api_effect *effect = find(call);

    return effect != NULL && effect->status.phase != SW_API_EFFECT_PHASE_FAILED;
}

bool sw_fetch_effect_kept(struct http_call *call)
{
    struct sw_api_effect *effect = find(call);

    if (effect == NULL || (effect->status.phase != SW_API_EFFECT_PHASE_DONE &&
                           effect->status.phase != SW_API_EFFECT_PHASE_ABANDONED))
        return false;
    if (effect->status.phase == SW_API_EFFECT_PHASE_DONE) {
        tell_kept(call, &effect->status);
        return true;
    }
    call->rc = SW_E_DENIED;
    sw_fetch_say(call, "%s", effect->status.reason);
    sw_fetch_end_later(call);
    return true;
}

void sw_fetch_effect_look(struct http_call *call)
{
    struct sw_api_effect *effect = find(call);
    const struct sw_api_effect_status *status = effect == NULL ? NULL : &effect->status;

    if (effect != NULL) { /* The first attempt is not counted before its end. */
        call->attempts = status->attempts == 0 ? 1 : status->attempts;
        call->started_at =
            status->started_at == 0 ? effect->metadata.creation_timestamp : status->started_at;
    }
    if (effect == NULL || status->phase == SW_API_EFFECT_PHASE_FAILED) {
        sw_fetch_begin(call);
        return;
    }
    switch (status->phase) {
    case SW_API_EFFECT_PHASE_UNKNOWN:
        sw_fetch_say(call, "%s", status->reason);
        ask(call);
        break;
    case SW_API_EFFECT_PHASE_DONE: /* Told before. */
    case SW_API_EFFECT_PHASE_ABANDONED:
    case SW_API_EFFECT_PHASE_INTENDED:
    case SW_API_EFFECT_PHASE_FAILED:
    case SW_API_EFFECT_PHASE_UNSPECIFIED:
    default:
        call->rc = SW_E_UNAVAILABLE;
        sw_fetch_say(call, "swarmd ended before its answer came");
        sw_fetch_effect_end(call, false);
    }
}
