#include "pkg/store/objects/plan.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "pkg/apis/swarm/v1/protobuf.h"
#include "pkg/apis/swarm/v1/validate.h"
#include "pkg/store/objects/quota.h"
#include "pkg/store/objects/state.h"
#include "pkg/utils/base/text.h"

struct step {
    struct step *next;
    struct sw_store_op op;
    void *object; /* Gets its resource_version after the commit; NULL for a mere check. */
};

struct sw_plan {
    struct sw_objects *objects;
    struct sw_plan_options options;
    struct step *first, **end;
    size_t count, writes;
    struct sw_store_txn txn; /* While the commit is under way. */
    bool is_dry_run;
    sw_plan_done *done;
    void *ctx;
};

struct sw_plan *sw_plan_new(struct sw_objects *objects, const struct sw_plan_options *options)
{
    struct sw_plan *plan = sw_arena_get(options->arena, sizeof(*plan));

    if (plan == NULL)
        return NULL;
    *plan = (struct sw_plan){.objects = objects, .options = *options};
    plan->end = &plan->first;
    return plan;
}

const struct sw_plan_options *sw_plan_options_of(const struct sw_plan *plan)
{
    return &plan->options;
}

struct sw_objects *sw_plan_objects(const struct sw_plan *plan)
{
    return plan->objects;
}

static enum sw_rc arena_full(struct sw_err *err)
{
    return sw_err_set(err, SW_E_EXHAUSTED, "no memory is left for this request");
}

/* --- Steps --------------------------------------------------------------------------------------
 */

static struct step *find_step(const struct sw_plan *plan, const char *key)
{
    struct step *step = plan->first;

    while (step != NULL && strcmp(step->op.key, key) != 0)
        step = step->next;
    return step;
}

static enum sw_rc new_step(struct sw_plan *plan, const char *key, struct step **ret_step,
                           struct sw_err *err)
{
    if (plan->count == SW_STORE_OPS_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED, "one transaction has at most %d steps",
                          SW_STORE_OPS_MAX);
    struct step *step = sw_arena_get(plan->options.arena, sizeof(*step));
    if (step == NULL)
        return arena_full(err);
    step->op.key = sw_arena_copy(plan->options.arena, key, strlen(key));
    if (step->op.key == NULL)
        return arena_full(err);
    *plan->end = step;
    plan->end = &step->next;
    plan->count++;
    *ret_step = step;
    return SW_OK;
}

/* Add an operation. A check of what a step writes or checks already adds nothing; a write takes the
 * place of a check. op->key may be on the caller's stack. */
static enum sw_rc add_step(struct sw_plan *plan, const struct sw_store_op *op, void *object,
                           struct sw_err *err)
{
    struct step *step = find_step(plan, op->key);

    if (step != NULL && op->action == SW_STORE_CHECK)
        return SW_OK;
    assert(step == NULL || step->op.action == SW_STORE_CHECK);
    if (step == NULL) {
        enum sw_rc rc = new_step(plan, op->key, &step, err);
        if (rc != SW_OK)
            return rc;
    }
    const char *key = step->op.key;
    step->op = *op;
    step->op.key = key;
    step->object = object;
    plan->writes += op->action != SW_STORE_CHECK;
    return SW_OK;
}

/* The bytes to store, in the arena. */
static enum sw_rc encode(const struct sw_plan *plan, const struct sw_kind *kind, void *object,
                         struct sw_bytes *ret_bytes, struct sw_err *err)
{
    struct sw_api_object_meta *meta = sw_object_meta(object);
    uint64_t resource_version = meta->resource_version;
    struct sw_buffer buffer;

    meta->resource_version = 0;
    sw_buffer_init(&buffer, SW_OBJECT_BYTES_MAX);
    sw_protobuf_encode(kind->message, object, &buffer);
    meta->resource_version = resource_version;
    if (buffer.failed) {
        sw_buffer_done(&buffer);
        return sw_err_set(err, SW_E_INVALID, "the %s is larger than %u bytes", kind->name,
                          SW_OBJECT_BYTES_MAX);
    }
    *ret_bytes = (struct sw_bytes){.size = buffer.size};
    ret_bytes->data = sw_arena_copy(plan->options.arena, buffer.data, buffer.size);
    sw_buffer_done(&buffer);
    return ret_bytes->data == NULL ? arena_full(err) : SW_OK;
}

struct current { /* What is stored under an object's name. */
    char key[SW_OBJECT_KEY_MAX];
    const struct sw_store_item *item; /* NULL: nothing. */
    void *object;
};

static enum sw_rc read_current(const struct sw_plan *plan, const struct sw_kind *kind,
                               const void *object, struct current *ret_current, struct sw_err *err)
{
    sw_object_key(kind, sw_object_namespace(object), sw_object_name(object), ret_current->key);
    ret_current->object = NULL;
    ret_current->item = sw_store_find(plan->objects->store, ret_current->key);
    if (ret_current->item == NULL)
        return SW_OK;
    return sw_object_of_item(kind, ret_current->item, plan->options.arena, &ret_current->object,
                             err);
}

/* Read what is stored, which must be there and be what the object says it was made from. */
static enum sw_rc read_expected(const struct sw_plan *plan, const struct sw_kind *kind,
                                const void *object, struct current *ret_current, struct sw_err *err)
{
    const struct sw_api_object_meta *meta = sw_object_meta_of(object);

    enum sw_rc rc = read_current(plan, kind, object, ret_current, err);
    if (rc != SW_OK)
        return rc;
    if (ret_current->item == NULL)
        return sw_err_set(err, SW_E_NOT_FOUND, "%s \"%s\" does not exist", kind->name,
                          sw_object_name(object));
    const struct sw_api_object_meta *now = sw_object_meta_of(ret_current->object);
    if (meta->uid != NULL && meta->uid[0] != '\0' && strcmp(meta->uid, now->uid) != 0) {
        sw_err_set(err, SW_E_CONFLICT,
                   "%s \"%s\" was deleted and made again: its uid is %s, the change was made from "
                   "%s",
                   kind->name, now->name, now->uid, meta->uid);
        sw_err_field(err, "metadata.uid");
        return SW_E_CONFLICT;
    }
    if (meta->resource_version != 0 && meta->resource_version != now->resource_version) {
        sw_err_set(err, SW_E_CONFLICT,
                   "%s \"%s\" is at resourceVersion %" PRIu64
                   ", but the change was made from %" PRIu64,
                   kind->name, now->name, now->resource_version, meta->resource_version);
        sw_err_field(err, "metadata.resourceVersion");
        sw_err_hint(err, "read it again and repeat the change");
        return SW_E_CONFLICT;
    }
    return SW_OK;
}

static enum sw_rc add_replacement(struct sw_plan *plan, const struct sw_kind *kind, void *object,
                                  const struct current *current, struct sw_err *err)
{
    struct sw_store_op op = {.condition = SW_STORE_AT_REVISION,
                             .revision = current->item->revision,
                             .key = current->key};

    enum sw_rc rc = encode(plan, kind, object, &op.value, err);
    if (rc != SW_OK)
        return rc;
    bool is_same = op.value.size == current->item->value.size &&
                   memcmp(op.value.data, current->item->value.data, op.value.size) == 0;
    op.action = is_same ? SW_STORE_CHECK : SW_STORE_PUT;
    sw_object_meta(object)->resource_version = current->item->revision;
    return add_step(plan, &op, object, err);
}

static enum sw_rc add_removal(struct sw_plan *plan, void *object, const struct current *current,
                              struct sw_err *err)
{
    const struct sw_store_op op = {.action = SW_STORE_DELETE,
                                   .condition = SW_STORE_AT_REVISION,
                                   .revision = current->item->revision,
                                   .key = current->key};

    return add_step(plan, &op, object, err);
}

/* --- Quotas --------------------------------------------------------------------------------------
 */

struct quotas { /* Of a namespace, while an Agent of it is written. */
    struct sw_plan *plan;
    struct quota_use before, after; /* What this Agent counts. */
    enum sw_rc rc;
    struct sw_err *err;
};

/* Count all Agents of its namespace. Exact if the write of the quota is conditional on what was
 * read: whoever changes their number writes it, too. */
static enum sw_rc count_all(const struct sw_plan *plan, struct sw_api_resource_quota *quota,
                            struct sw_err *err)
{
    struct quota_use use;
    enum sw_rc rc = sw_quota_count(plan->objects, quota->metadata.namespace, &use, err);

    if (rc != SW_OK)
        return rc;
    quota->status.used.agents = use.agents;
    quota->status.used.replicas = use.replicas;
    return SW_OK;
}

/* The same for any object: those of other kinds have nothing to count. */
static enum sw_rc count_if_quota(const struct sw_plan *plan, const struct sw_kind *kind,
                                 void *object, struct sw_err *err)
{
    return kind->message == &sw_api_resource_quota_message ? count_all(plan, object, err) : SW_OK;
}

static uint64_t moved(uint64_t now, uint64_t before, uint64_t after)
{
    return now + after < before ? 0 : now + after - before;
}

/* What is written of a quota follows what the plan wrote of it before. When it was made, Agents may
 * have been under way that were made before it: whoever sees it first sees those. */
static enum sw_rc put_quota(struct quotas *quotas, struct sw_api_resource_quota *quota,
                            const struct sw_store_item *item)
{
    struct sw_plan *plan = quotas->plan;
    const struct sw_kind *kind = sw_kind_find("ResourceQuota");
    struct current current = {.item = item, .object = quota};
    struct quota_use now, next;
    struct step *step;
    bool is_written;
    enum sw_rc rc = SW_OK;

    sw_object_key(kind, quota->metadata.namespace, quota->metadata.name, current.key);
    step = find_step(plan, current.key);
    is_written = step != NULL && step->op.action == SW_STORE_PUT;
    if (is_written)
        quota = step->object;
    else if (item->revision == item->created_revision)
        rc = count_all(plan, quota, quotas->err);
    if (rc != SW_OK)
        return rc;
    now = (struct quota_use){quota->status.used.agents, quota->status.used.replicas};
    next =
        (struct quota_use){(uint32_t)moved(now.agents, quotas->before.agents, quotas->after.agents),
                           moved(now.replicas, quotas->before.replicas, quotas->after.replicas)};
    rc = sw_quota_check(quota, &now, &next, quotas->err);
    if (rc != SW_OK)
        return rc;
    quota->status.used.agents = next.agents;
    quota->status.used.replicas = next.replicas;
    if (is_written)
        return encode(plan, kind, quota, &step->op.value, quotas->err);
    return add_replacement(plan, kind, quota, &current, quotas->err);
}

static bool visit_quota(void *ctx, const struct sw_store_item *item)
{
    struct quotas *quotas = ctx;
    void *object = NULL;

    quotas->rc = sw_object_of_item(sw_kind_find("ResourceQuota"), item, quotas->plan->options.arena,
                                   &object, quotas->err);
    if (quotas->rc == SW_OK)
        quotas->rc = put_quota(quotas, object, item);
    return quotas->rc == SW_OK;
}

/* Have the plan go through only if the Namespace is as it was, or, is_write, if so have it written
 * as it is: then whoever was under way with the former begins anew. */
static enum sw_rc add_namespace(struct sw_plan *plan, const char *name_space, bool is_write,
                                struct sw_err *err)
{
    struct sw_store_op op = {.action = is_write ? SW_STORE_PUT : SW_STORE_CHECK,
                             .condition = SW_STORE_AT_REVISION};
    const struct sw_store_item *item;
    char key[SW_OBJECT_KEY_MAX];

    sw_object_key(sw_kind_find("Namespace"), "", name_space, key);
    item = sw_store_find(plan->objects->store, key);
    if (item == NULL)
        return sw_err_set(err, SW_E_NOT_FOUND, "Namespace \"%s\" does not exist", name_space);
    op.key = key;
    op.revision = item->revision;
    if (is_write)
        op.value = (struct sw_bytes){
            sw_arena_copy(plan->options.arena, item->value.data, item->value.size),
            item->value.size};
    if (is_write && op.value.data == NULL)
        return arena_full(err);
    return add_step(plan, &op, NULL, err);
}

/* An Agent becomes another one, or begins (old NULL), or is gone (next NULL). */
static enum sw_rc check_quotas(struct sw_plan *plan, const struct sw_kind *kind, const void *old,
                               const void *next, struct sw_err *err)
{
    const char *name_space = sw_object_namespace(next != NULL ? next : old);
    struct quotas quotas = {.plan = plan, .err = err};
    char prefix[SW_OBJECT_KEY_MAX];
    struct sw_store_list_request request = {.prefix = prefix};
    struct sw_store_list_end end;
    enum sw_rc rc;

    if (kind->message != &sw_api_agent_message)
        return SW_OK;
    sw_quota_add_agent(&quotas.before, old);
    sw_quota_add_agent(&quotas.after, next);
    if (quotas.before.agents == quotas.after.agents &&
        quotas.before.replicas == quotas.after.replicas)
        return SW_OK;
    rc = add_namespace(plan, name_space, false, err); /* A quota that is being made touches it. */
    if (rc != SW_OK)
        return rc;
    sw_object_key(sw_kind_find("ResourceQuota"), name_space, NULL, prefix);
    rc = sw_store_list(plan->objects->store, &request, visit_quota, &quotas, &end, err);
    return rc == SW_OK ? quotas.rc : rc;
}

/* A new quota: whoever is under way with an Agent and has not seen it begins anew. */
static enum sw_rc begin_quota(struct sw_plan *plan, const struct sw_kind *kind, void *object,
                              struct sw_err *err)
{
    enum sw_rc rc = count_if_quota(plan, kind, object, err);

    return rc == SW_OK && kind->message == &sw_api_resource_quota_message
               ? add_namespace(plan, sw_object_namespace(object), true, err)
               : rc;
}

/* --- Create -------------------------------------------------------------------------------------
 */

static enum sw_rc give_identity(const struct sw_plan *plan, void *object, struct sw_err *err)
{
    const struct sw_system *system = plan->objects->system;
    struct sw_api_object_meta *meta = sw_object_meta(object);
    uint8_t random[10];
    char uid[SW_UUID_TEXT_SIZE];

    meta->creation_timestamp = system->utc_ns(system->ctx);
    system->random(system->ctx, random, sizeof(random));
    sw_uuid_print(meta->creation_timestamp, random, uid);
    meta->uid = sw_arena_copy(plan->options.arena, uid, strlen(uid));
    meta->generation = 1;
    meta->resource_version = 0;
    meta->deletion_timestamp = 0;
    return meta->uid == NULL ? arena_full(err) : SW_OK;
}

static void begin_status(const struct sw_kind *kind, void *object)
{
    const struct sw_api_message *message = NULL;
    void *status = sw_object_part(kind, object, "status", &message);
    int *phase = NULL;

    if (status == NULL)
        return;
    sw_api_init(message, status);
    const struct sw_api_enum *machine = sw_object_phase(kind, object, &phase);
    for (unsigned i = 0; machine != NULL && i < machine->value_count; i++)
        if (machine->values[i].is_initial)
            *phase = machine->values[i].number;
}

static const char *finalizer_of(const struct sw_kind *kind)
{
    if (kind->message == &sw_api_namespace_message)
        return SW_OBJECT_FINALIZER_NAMESPACE;
    return kind->message == &sw_api_agent_message ? SW_OBJECT_FINALIZER_AGENT : NULL;
}

static struct admission admission_of(const struct sw_plan *plan, const struct sw_kind *kind)
{
    return (struct admission){.objects = plan->objects, .options = &plan->options, .kind = kind};
}

static enum sw_rc check_home(struct sw_plan *plan, const struct sw_kind *kind, const void *object,
                             struct sw_err *err)
{
    struct admission admission = admission_of(plan, kind);
    struct sw_store_op op = {.action = SW_STORE_CHECK, .condition = SW_STORE_AT_REVISION};
    char key[SW_OBJECT_KEY_MAX];

    if (!kind->is_namespaced)
        return SW_OK;
    enum sw_rc rc = sw_admit_namespace(&admission, sw_object_namespace(object), &op.revision, err);
    if (rc != SW_OK)
        return rc;
    sw_object_key(sw_kind_find("Namespace"), "", sw_object_namespace(object), key);
    op.key = key;
    return add_step(plan, &op, NULL, err);
}

enum sw_rc sw_plan_create(struct sw_plan *plan, const struct sw_kind *kind, void *object,
                          struct sw_err *err)
{
    struct admission admission = admission_of(plan, kind);
    struct sw_store_op op = {.action = SW_STORE_PUT, .condition = SW_STORE_ABSENT};
    char key[SW_OBJECT_KEY_MAX];

    enum sw_rc rc = sw_admit_names(&admission, object, err);
    if (rc == SW_OK)
        rc = give_identity(plan, object, err);
    if (rc != SW_OK)
        return rc;
    begin_status(kind, object);
    if (finalizer_of(kind) != NULL &&
        sw_object_add_finalizer(object, finalizer_of(kind), plan->options.arena) != SW_OK)
        return arena_full(err);
    rc = sw_admit_object(&admission, NULL, object, err);
    if (rc == SW_OK)
        rc = check_home(plan, kind, object, err);
    if (rc == SW_OK)
        rc = check_quotas(plan, kind, NULL, object, err);
    if (rc == SW_OK)
        rc = begin_quota(plan, kind, object, err);
    if (rc == SW_OK)
        rc = encode(plan, kind, object, &op.value, err);
    if (rc != SW_OK)
        return rc;
    sw_object_key(kind, sw_object_namespace(object), sw_object_name(object), key);
    op.key = key;
    return add_step(plan, &op, object, err);
}

/* --- Update -------------------------------------------------------------------------------------
 */

static enum sw_rc check_finalizers(const void *old, const void *object, struct sw_err *err)
{
    const struct sw_api_object_meta *meta = sw_object_meta_of(object);

    for (size_t i = 0; i < meta->finalizers_count; i++)
        if (!sw_object_has_finalizer(old, meta->finalizers[i])) {
            sw_err_set(err, SW_E_PRECONDITION,
                       "\"%s\" is being deleted; finalizer %s cannot be added any more", meta->name,
                       meta->finalizers[i]);
            sw_err_field(err, "metadata.finalizers");
            return SW_E_PRECONDITION;
        }
    return SW_OK;
}

/* What an update does not change. */
static void keep_ours(const struct sw_kind *kind, void *object, const void *old)
{
    struct sw_api_object_meta *meta = sw_object_meta(object);
    const struct sw_api_object_meta *was = sw_object_meta_of(old);

    meta->uid = was->uid;
    meta->creation_timestamp = was->creation_timestamp;
    meta->deletion_timestamp = was->deletion_timestamp;
    meta->generation = was->generation;
    sw_object_take_part(kind, object, old, "status");
}

static enum sw_rc remove_it(struct sw_plan *plan, const struct sw_kind *kind, void *object,
                            const struct current *current, struct sw_err *err)
{
    enum sw_rc rc = check_quotas(plan, kind, current->object, NULL, err);

    if (rc == SW_OK)
        rc = sw_plan_note_raise(plan, kind, current->object, NULL, err);
    return rc == SW_OK ? add_removal(plan, object, current, err) : rc;
}

static enum sw_rc replace(struct sw_plan *plan, const struct sw_kind *kind, void *object,
                          const struct current *current, struct sw_err *err)
{
    struct admission admission = admission_of(plan, kind);
    struct sw_api_object_meta *meta = sw_object_meta(object);

    keep_ours(kind, object, current->object);
    enum sw_rc rc = sw_admit_object(&admission, current->object, object, err);
    if (rc != SW_OK)
        return rc;
    if (!sw_object_has_same_spec(kind, object, current->object))
        meta->generation++;
    if (meta->deletion_timestamp != 0) {
        rc = check_finalizers(current->object, object, err);
        if (rc != SW_OK)
            return rc;
        if (meta->finalizers_count == 0)
            return remove_it(plan, kind, object, current, err);
    }
    rc = check_quotas(plan, kind, current->object, object, err);
    if (rc == SW_OK)
        rc = count_if_quota(plan, kind, object, err);
    if (rc == SW_OK)
        rc = sw_plan_note_raise(plan, kind, current->object, object, err);
    return rc == SW_OK ? add_replacement(plan, kind, object, current, err) : rc;
}

enum sw_rc sw_plan_update(struct sw_plan *plan, const struct sw_kind *kind, void *object,
                          struct sw_err *err)
{
    struct admission admission = admission_of(plan, kind);
    struct current current;

    enum sw_rc rc = sw_admit_names(&admission, object, err);
    if (rc == SW_OK)
        rc = read_expected(plan, kind, object, &current, err);
    return rc == SW_OK ? replace(plan, kind, object, &current, err) : rc;
}

enum sw_rc sw_plan_update_status(struct sw_plan *plan, const struct sw_kind *kind, void *object,
                                 struct sw_err *err)
{
    struct admission admission = admission_of(plan, kind);
    const struct sw_validate_options validate = {
        .problems = plan->options.problems, .tree = plan->options.tree, .file = ""};
    struct sw_problems own = sw_problems_of(plan->options.arena);
    struct sw_validate_options checked = validate;
    struct current current;

    if (!kind->has_status)
        return sw_err_set(err, SW_E_UNSUPPORTED, "a %s has no status", kind->name);
    enum sw_rc rc = sw_admit_ours(&admission, err);
    if (rc == SW_OK)
        rc = sw_admit_names(&admission, object, err);
    if (rc == SW_OK)
        rc = read_expected(plan, kind, object, &current, err);
    if (rc != SW_OK)
        return rc;
    void *next = sw_object_copy(kind, current.object, plan->options.arena);
    if (next == NULL)
        return arena_full(err);
    sw_object_take_part(kind, next, object, "status");
    memcpy(object, next, kind->message->size_bytes);

    if (checked.problems == NULL)
        checked.problems = &own;
    if (sw_object_validate(kind, object, &checked) != SW_OK)
        return sw_problems_check(checked.problems, err);
    rc = sw_object_check_moves(kind, current.object, object, err);
    if (rc == SW_OK && kind->message == &sw_api_secret_message)
        rc = sw_secret_fill_status(object, plan->options.arena, err);
    if (rc == SW_OK)
        rc = count_if_quota(plan, kind, object, err);
    return rc == SW_OK ? add_replacement(plan, kind, object, &current, err) : rc;
}

/* --- Apply --------------------------------------------------------------------------------------
 */

static enum sw_rc add_pairs(struct sw_api_pair **pairs, size_t *count,
                            const struct sw_api_pair *more, size_t more_count,
                            struct sw_arena *arena)
{
    for (size_t i = 0; i < more_count; i++) {
        if (sw_api_pair_find(*pairs, *count, more[i].key) != NULL)
            continue;
        enum sw_rc rc = sw_api_pair_put(pairs, count, more[i].key, more[i].value, arena);
        if (rc != SW_OK)
            return rc;
    }
    return SW_OK;
}

static enum sw_rc merge_metadata(struct sw_plan *plan, void *object, const void *old,
                                 struct sw_err *err)
{
    struct sw_api_object_meta *meta = sw_object_meta(object);
    const struct sw_api_object_meta *was = sw_object_meta_of(old);

    if (meta->finalizers_count == 0) {
        meta->finalizers = was->finalizers;
        meta->finalizers_count = was->finalizers_count;
    }
    if (meta->owner_references_count == 0) {
        meta->owner_references = was->owner_references;
        meta->owner_references_count = was->owner_references_count;
    }
    if (add_pairs(&meta->labels, &meta->labels_count, was->labels, was->labels_count,
                  plan->options.arena) != SW_OK ||
        add_pairs(&meta->annotations, &meta->annotations_count, was->annotations,
                  was->annotations_count, plan->options.arena) != SW_OK)
        return arena_full(err);
    return SW_OK;
}

enum sw_rc sw_plan_apply(struct sw_plan *plan, const struct sw_kind *kind, void *object,
                         struct sw_err *err)
{
    struct admission admission = admission_of(plan, kind);
    struct current current;

    enum sw_rc rc = sw_admit_names(&admission, object, err);
    if (rc == SW_OK)
        rc = read_current(plan, kind, object, &current, err);
    if (rc != SW_OK)
        return rc;
    if (current.item == NULL && sw_object_meta(object)->resource_version == 0)
        return sw_plan_create(plan, kind, object, err);
    rc = read_expected(plan, kind, object, &current, err);
    if (rc == SW_OK)
        rc = merge_metadata(plan, object, current.object, err);
    return rc == SW_OK ? replace(plan, kind, object, &current, err) : rc;
}

/* --- Delete and check ---------------------------------------------------------------------------
 */

enum sw_rc sw_plan_delete(struct sw_plan *plan, const struct sw_kind *kind, void *object,
                          struct sw_err *err)
{
    struct admission admission = admission_of(plan, kind);
    struct current current;

    enum sw_rc rc = sw_admit_names(&admission, object, err);
    if (rc == SW_OK)
        rc = read_expected(plan, kind, object, &current, err);
    if (rc != SW_OK)
        return rc;
    if (kind->message == &sw_api_namespace_message &&
        strcmp(sw_object_name(object), SW_OBJECT_NAME_DEFAULT) == 0)
        return sw_err_set(err, SW_E_PRECONDITION, "the default namespace cannot be deleted");
    if (kind->message == &sw_api_cluster_message)
        return sw_err_set(err, SW_E_PRECONDITION, "the Cluster cannot be deleted");
    memcpy(object, current.object, kind->message->size_bytes);

    struct sw_api_object_meta *meta = sw_object_meta(object);
    if (meta->finalizers_count == 0)
        return remove_it(plan, kind, object, &current, err);
    if (meta->deletion_timestamp == 0)
        meta->deletion_timestamp = sw_objects_utc_ns(plan->objects);
    if (kind->message == &sw_api_namespace_message)
        ((struct sw_api_namespace *)object)->status.phase = SW_API_NAMESPACE_PHASE_TERMINATING;
    return add_replacement(plan, kind, object, &current, err);
}

enum sw_rc sw_plan_check(struct sw_plan *plan, const struct sw_kind *kind, const void *object,
                         struct sw_err *err)
{
    char key[SW_OBJECT_KEY_MAX];

    sw_object_key(kind, sw_object_namespace(object), sw_object_name(object), key);
    const struct sw_store_op op = {.action = SW_STORE_CHECK,
                                   .condition = SW_STORE_AT_REVISION,
                                   .revision = sw_object_meta_of(object)->resource_version,
                                   .key = key};
    return add_step(plan, &op, NULL, err);
}

/* --- Commit -------------------------------------------------------------------------------------
 */

bool sw_plan_is_empty(const struct sw_plan *plan)
{
    return plan->writes == 0;
}

size_t sw_plan_writes(const struct sw_plan *plan)
{
    return plan->writes;
}

bool sw_plan_creates(const struct sw_plan *plan, const void *object)
{
    for (const struct step *step = plan->first; step != NULL; step = step->next)
        if (step->object == object && step->op.condition == SW_STORE_ABSENT)
            return true;
    return false;
}

bool sw_plan_removes(const struct sw_plan *plan, const void *object)
{
    for (const struct step *step = plan->first; step != NULL; step = step->next)
        if (step->object == object && step->op.action == SW_STORE_DELETE)
            return true;
    return false;
}

static void on_committed(void *ctx, const struct sw_store_result *result)
{
    struct sw_plan *plan = ctx;
    struct sw_err err = {0};

    if (result->rc != SW_OK)
        sw_store_result_explain(result, &plan->txn, &err);
    for (struct step *step = plan->first; step != NULL && result->rc == SW_OK; step = step->next)
        if (step->object != NULL && step->op.action == SW_STORE_PUT && !plan->is_dry_run)
            sw_object_meta(step->object)->resource_version = result->revision;
    plan->done(plan->ctx, result->rc, &err);
}

enum sw_rc sw_plan_commit(struct sw_plan *plan, bool is_dry_run, sw_plan_done *done, void *ctx,
                          struct sw_err *err)
{
    struct sw_store_op *ops = sw_arena_array(plan->options.arena, plan->count, sizeof(ops[0]));
    size_t count = 0;

    if (ops == NULL)
        return arena_full(err);
    for (const struct step *step = plan->first; step != NULL; step = step->next) {
        ops[count] = step->op;
        if (is_dry_run)
            ops[count].action = SW_STORE_CHECK;
        count++;
    }
    plan->txn = (struct sw_store_txn){.ops = ops, .count = count};
    plan->is_dry_run = is_dry_run;
    plan->done = done;
    plan->ctx = ctx;
    return sw_store_commit(plan->objects->store, &plan->txn, on_committed, plan, err);
}
