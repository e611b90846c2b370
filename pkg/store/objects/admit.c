#include <string.h>

#include "pkg/apis/swarm/v1/validate.h"
#include "pkg/store/objects/state.h"

enum sw_rc sw_admit_names(const struct admission *admission, void *object, struct sw_err *err)
{
    struct sw_api_object_meta *meta = sw_object_meta(object);
    const struct sw_kind *kind = admission->kind;
    const struct sw_kind *said = sw_object_kind(object);

    if (said != NULL && said != kind)
        return sw_err_set(err, SW_E_INVALID, "the object is of kind %s, not %s", said->name,
                          kind->name);
    /* All kinds begin with apiVersion, kind and metadata. */
    struct sw_api_agent *any = object;
    any->api_version = SW_API_VERSION;
    any->kind = kind->name;
    if (kind->is_namespaced) {
        if (sw_object_namespace(object)[0] == '\0')
            meta->namespace = SW_OBJECT_NAME_DEFAULT;
        return SW_OK;
    }
    if (sw_object_namespace(object)[0] == '\0')
        return SW_OK;
    sw_err_set(err, SW_E_INVALID, "a %s lives outside of namespaces", kind->name);
    sw_err_field(err, "metadata.namespace");
    return SW_E_INVALID;
}

/* A mistake that pkg/apis cannot see, because it needs other objects. */
static enum sw_rc add_mistake(struct sw_problems *problems, const char *field, const char *message,
                              const char *hint)
{
    sw_problems_add(problems, &(struct sw_problem){
                                  .file = "", .field = field, .message = message, .hint = hint});
    return SW_E_INVALID;
}

static enum sw_rc fill_from_template(const struct admission *admission, struct sw_api_agent *agent,
                                     struct sw_problems *problems, struct sw_err *err)
{
    void *object = NULL;

    if (agent->spec.template == NULL || agent->spec.template[0] == '\0')
        return SW_OK;
    enum sw_rc rc = sw_objects_get(admission->objects,
                                   &(const struct sw_object_ref){sw_kind_find("AgentTemplate"),
                                                                 agent->metadata.namespace,
                                                                 agent->spec.template},
                                   admission->options->arena, &object, err);
    if (rc == SW_E_NOT_FOUND)
        return add_mistake(
            problems, "spec.template", "there is no AgentTemplate of this name in the namespace",
            "apply the template first; swarm get agenttemplates lists what there is");
    if (rc != SW_OK)
        return rc;
    const struct sw_api_agent_template *template = object;
    sw_api_fill_missing(&sw_api_agent_spec_message, &agent->spec, &template->spec.agent);
    return SW_OK;
}

static enum sw_rc check_rules(const struct admission *admission, const void *old,
                              const void *object, struct sw_problems *problems)
{
    const struct sw_validate_options options = {
        .flags = SW_VALIDATE_COMPLETE,
        .problems = problems,
        .tree = admission->options->tree,
        .file = admission->options->file == NULL ? "" : admission->options->file,
    };

    enum sw_rc rc = sw_object_validate(admission->kind, object, &options);
    if (old != NULL) {
        enum sw_rc change = sw_object_check_update(admission->kind, old, object, &options);
        rc = rc == SW_OK ? change : rc;
    }
    return rc;
}

/* A spec that stays as it is was filled when it was first admitted, and stays good when the
 * template has gone since: its object can still be labelled, finalized and deleted. */
static bool needs_template(const struct admission *admission, const void *old, const void *object)
{
    return admission->kind->message == &sw_api_agent_message &&
           (old == NULL || !sw_object_has_same_spec(admission->kind, old, object));
}

enum sw_rc sw_admit_object(const struct admission *admission, const void *old, void *object,
                           struct sw_err *err)
{
    struct sw_problems own = sw_problems_of(admission->options->arena);
    struct sw_problems *problems =
        admission->options->problems == NULL ? &own : admission->options->problems;
    enum sw_rc rc = SW_OK;

    if (needs_template(admission, old, object))
        rc = fill_from_template(admission, object, problems, err);
    if (rc == SW_OK) {
        sw_object_apply_defaults(admission->kind, object);
        rc = check_rules(admission, old, object, problems);
    }
    if (rc == SW_OK && admission->kind->message == &sw_api_secret_message)
        rc = sw_admit_secret(admission, old, object, problems, err);
    if (rc == SW_E_INVALID)
        return sw_problems_check(problems, err);
    if (rc == SW_OK && old == NULL && admission->kind->message == &sw_api_effect_message)
        rc = sw_admit_ours(admission, err);
    if (rc == SW_OK && admission->kind->message == &sw_api_approval_message)
        rc = sw_admit_approval(admission, old, object, err);
    return rc;
}

enum sw_rc sw_admit_namespace(const struct admission *admission, const char *name,
                              uint64_t *ret_revision, struct sw_err *err)
{
    void *object = NULL;

    enum sw_rc rc = sw_objects_get(
        admission->objects, &(const struct sw_object_ref){sw_kind_find("Namespace"), "", name},
        admission->options->arena, &object, err);
    if (rc != SW_OK) {
        if (rc == SW_E_NOT_FOUND)
            sw_err_hint(err, "apply a Namespace of this name first");
        return rc;
    }
    const struct sw_api_namespace *found = object;
    if (found->metadata.deletion_timestamp != 0)
        return sw_err_set(err, SW_E_PRECONDITION,
                          "namespace \"%s\" is being deleted; nothing new can be made in it", name);
    *ret_revision = found->metadata.resource_version;
    return SW_OK;
}
