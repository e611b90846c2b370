#include "pkg/cli/commands/wait.h"
#include "pkg/cli/commands/commands.h"
#include "pkg/cli/commands/resources.h"
#include "pkg/apis/swarm/v1/path.h"

#include <stdio.h>
#include <string.h>

#define WAIT_TIMEOUT_MS 60000
#define VALUE_BYTES_MAX ((size_t)1024 * 1024)
#define SERVER_POLL_MS 100

enum sw_rc sw_wait_parse(struct sw_cli *cli, const char *text, struct sw_wait *ret_wait,
                         struct sw_err *err)
{
    const char *rest = strchr(text, '=');
    const char *value = rest == NULL ? NULL : strrchr(rest + 1, '=');

    *ret_wait = (struct sw_wait){.value = "True"};
    if (strcmp(text, "delete") == 0 || strcmp(text, "server") == 0) {
        ret_wait->type = text[0] == 'd' ? SW_WAIT_DELETE : SW_WAIT_SERVER;
        return SW_OK;
    }
    if (strncmp(text, "condition=", 10) == 0 && rest != NULL && rest[1] != '\0') {
        ret_wait->type = SW_WAIT_CONDITION;
        ret_wait->name = value == NULL
                             ? rest + 1
                             : sw_cli_format(cli, "%.*s", (int)(value - rest - 1), rest + 1);
        ret_wait->value = value == NULL ? "True" : value + 1;
        return SW_OK;
    }
    if (strncmp(text, "jsonpath=", 9) == 0 && rest != NULL && value != NULL && value > rest + 1) {
        ret_wait->type = SW_WAIT_JSONPATH;
        ret_wait->name = sw_cli_format(cli, "%.*s", (int)(value - rest - 1), rest + 1);
        ret_wait->value = value + 1;
        return SW_OK;
    }
    (void)sw_cli_usage(cli, err, "--for cannot be \"%s\"", text);
    sw_err_hint(err, "write condition=Ready, delete, jsonpath={.status.phase}=Ready or server");
    return SW_E_INVALID;
}

/* The condition of that name, or NULL. */
static const struct sw_api_condition *find_condition(const struct sw_wait *wait,
                                                     const struct sw_kind *kind, void *object)
{
    const struct sw_api_message *message = NULL;
    const char *status = sw_object_part(kind, object, "status", &message);
    const struct sw_api_field *field =
        status == NULL ? NULL : sw_api_field_find(message, "conditions");
    size_t count = 0;

    if (field == NULL)
        return NULL;
    memcpy(&count, status + field->count_offset, sizeof count);
    return sw_condition_find(
        *(const struct sw_api_condition *const *)(const void *)(status + field->offset), count,
        wait->name);
}

/* A status from before the last change of the spec says nothing about it. */
static bool is_current(const struct sw_kind *kind, void *object)
{
    const struct sw_api_message *message = NULL;
    const char *status = sw_object_part(kind, object, "status", &message);
    const struct sw_api_field *observed =
        status == NULL ? NULL : sw_api_field_find(message, "observedGeneration");
    uint64_t generation = 0;

    if (observed == NULL)
        return true;
    memcpy(&generation, status + observed->offset, sizeof generation);
    return generation >= sw_object_meta_of(object)->generation;
}

static bool has_condition(const struct sw_wait *wait, const struct sw_kind *kind, void *object)
{
    const struct sw_api_condition *condition = find_condition(wait, kind, object);

    return condition != NULL && is_current(kind, object) &&
           strcmp(sw_api_enum_text(&sw_api_condition_status_enum, (int)condition->status),
                  wait->value) == 0;
}

enum sw_rc sw_wait_check(const struct sw_wait *wait, const struct sw_kind *kind, void *object,
                         bool *ret_is_so, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    enum sw_rc rc;

    sw_buffer_init(&text, VALUE_BYTES_MAX);
    *ret_is_so = wait->type == SW_WAIT_DELETE && object == NULL;
    if (object == NULL || wait->type == SW_WAIT_DELETE)
        return SW_OK;
    if (wait->type == SW_WAIT_CONDITION) {
        *ret_is_so = has_condition(wait, kind, object);
        return SW_OK;
    }
    rc = sw_path_print(kind->message, object, wait->name, &text, err);
    *ret_is_so = rc == SW_OK && text.size == strlen(wait->value) &&
                 (text.size == 0 || memcmp(text.data, wait->value, text.size) == 0);
    return rc;
}

/* A wait under way. */
struct waiting {
    struct sw_cli *cli;
    const struct sw_object_key *key;
    const struct sw_wait *wait;
    char uid[64]; /* Of the object that is to go. */
    bool is_seen; /* The watch has told of it. */
    bool is_so;
    enum sw_rc rc;
    struct sw_err *err;
};

static void show_state(const struct waiting *waiting, void *object)
{
    struct sw_cli *cli = waiting->cli;
    struct sw_buffer phase;

    if (!cli->terminal->error_is_terminal)
        return;
    sw_buffer_init(&phase, 256);
    if (sw_path_print(waiting->key->kind->message, object, "status.phase", &phase, NULL) == SW_OK)
        sw_cli_progress(cli, "waiting for %s/%s: %.*s", waiting->key->kind->plural,
                        waiting->key->name, (int)phase.size, (const char *)phase.data);
    sw_buffer_done(&phase);
}

static bool on_change(void *ctx, enum sw_api_watch_event_type type, void *object, uint64_t revision)
{
    struct waiting *waiting = ctx;
    bool is_gone = type == SW_API_WATCH_EVENT_TYPE_DELETED;

    (void)revision;
    /* The first bookmark follows all that there is: what is not told of until then is gone. */
    if (object == NULL && waiting->is_seen)
        return true;
    is_gone = is_gone || object == NULL;
    waiting->is_seen = true;
    if (waiting->wait->type == SW_WAIT_DELETE) {
        waiting->is_so = is_gone || strcmp(sw_object_meta_of(object)->uid, waiting->uid) != 0;
        return !waiting->is_so;
    }
    if (is_gone) {
        waiting->rc = sw_err_set(waiting->err, SW_E_NOT_FOUND, "%s/%s was deleted",
                                 waiting->key->kind->plural, waiting->key->name);
        return false;
    }
    show_state(waiting, object);
    waiting->rc =
        sw_wait_check(waiting->wait, waiting->key->kind, object, &waiting->is_so, waiting->err);
    return waiting->rc == SW_OK && !waiting->is_so;
}

/* What is waited for, in words. */
static const char *wish_of(struct sw_cli *cli, const struct sw_wait *wait)
{
    if (wait->type == SW_WAIT_DELETE)
        return "its deletion";
    return sw_cli_format(cli, "%s%s to be %s", wait->type == SW_WAIT_CONDITION ? "condition " : "",
                         wait->name, wait->value);
}

/* What stands in the way, from what the object says about itself. */
static void put_state(const struct waiting *waiting, void *object, struct sw_buffer *text)
{
    const struct sw_api_message *message = waiting->key->kind->message;
    const struct sw_api_object_meta *meta = sw_object_meta_of(object);
    bool is_going = waiting->wait->type == SW_WAIT_DELETE;
    struct sw_err ignored = {0};

    if (is_going && meta->finalizers_count > 0) {
        sw_buffer_put_text(text, "it waits for the finalizers ");
        (void)!sw_path_print(message, object, "metadata.finalizers", text, &ignored);
        return;
    }
    if (!is_going && waiting->wait->type == SW_WAIT_CONDITION &&
        find_condition(waiting->wait, waiting->key->kind, object) == NULL) {
        sw_buffer_put_text(text, "it has no such condition but ");
        (void)!sw_path_print(message, object, "status.conditions[*].type", text, &ignored);
        return;
    }
    (void)!sw_path_print(message, object, "status.conditions[0].message", text, &ignored);
}

/* Why it is not so yet. */
static void explain_timeout(struct waiting *waiting, uint64_t timeout_ms, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    struct sw_cli *cli = waiting->cli;
    const char *name = sw_resources_name(cli, waiting->key->kind, waiting->key->name);
    struct sw_err ignored = {0};
    void *object = NULL;

    sw_buffer_init(&text, VALUE_BYTES_MAX);
    if (sw_client_get(cli->client, waiting->key, cli->arena, &object, &ignored) == SW_OK)
        put_state(waiting, object, &text);
    (void)sw_err_set(err, SW_E_TIMEOUT, "%s: waited %llu ms for %s%s%.*s", name,
                     (unsigned long long)timeout_ms, wish_of(cli, waiting->wait),
                     text.size == 0 ? "" : "; ", (int)text.size, (const char *)text.data);
    sw_err_hint(err, "see why with: %s describe %s", cli->program->name, name);
}

static enum sw_rc wait_for_server(struct sw_cli *cli, uint64_t timeout_ms, struct sw_err *err)
{
    const struct sw_request request = {
        .method = "GET", .path = "/readyz", .accept = "*/*", .timeout_ms = 2000};
    uint64_t begin_ms = sw_client_now_ms(cli->client);
    struct sw_answer answer;
    enum sw_rc rc;

    for (;;) {
        sw_answer_init(&answer);
        rc = sw_client_call(cli->client, &request, &answer, err);
        sw_answer_done(&answer);
        if (rc == SW_OK || sw_client_now_ms(cli->client) - begin_ms >= timeout_ms)
            break;
        (void)!sw_client_run(cli->client, SERVER_POLL_MS, err);
    }
    if (rc != SW_OK) {
        (void)sw_err_context(err, "the server is not ready");
        err->rc = SW_E_TIMEOUT;
        return SW_E_TIMEOUT;
    }
    return SW_OK;
}

/* Watch until it is so. The watch tells first what there is: the object's own revision is no place
 * to begin from, since a restarted or busy server may keep no changes from so long ago. */
static enum sw_rc follow(struct waiting *waiting, uint64_t timeout_ms)
{
    struct sw_client *client = waiting->cli->client;
    struct sw_client_watch watch = {
        .key = *waiting->key, .selector = "", .on_change = on_change, .ctx = waiting};
    uint64_t begin_ms = sw_client_now_ms(client), passed_ms = 0;
    enum sw_rc rc;

    do {
        waiting->is_seen = false;
        watch.timeout_ms = timeout_ms - passed_ms;
        rc = sw_client_watch(client, &watch, waiting->err);
        passed_ms = sw_client_now_ms(client) - begin_ms;
    } while (rc == SW_E_RANGE && passed_ms < timeout_ms);
    return rc;
}

enum sw_rc sw_wait_for(struct sw_cli *cli, const struct sw_object_key *key,
                       const struct sw_wait *wait, uint64_t timeout_ms, struct sw_err *err)
{
    struct waiting waiting = {.cli = cli, .key = key, .wait = wait, .err = err};
    void *object = NULL;
    enum sw_rc rc = sw_client_get(cli->client, key, cli->arena, &object, err);

    if (rc == SW_E_NOT_FOUND && wait->type == SW_WAIT_DELETE)
        return SW_OK;
    if (rc != SW_OK)
        return rc;
    rc = sw_wait_check(wait, key->kind, object, &waiting.is_so, err);
    if (rc != SW_OK || waiting.is_so)
        return rc;
    (void)snprintf(waiting.uid, sizeof waiting.uid, "%s", sw_object_meta_of(object)->uid);
    show_state(&waiting, object);
    rc = follow(&waiting, timeout_ms);
    sw_cli_progress(cli, "%s", "");
    if (waiting.rc != SW_OK || waiting.is_so)
        return waiting.rc;
    if (rc == SW_E_TIMEOUT)
        explain_timeout(&waiting, timeout_ms, err);
    return rc;
}

static enum sw_rc wait_for_all(struct sw_cli *cli, const struct sw_wait *wait,
                               const struct sw_object_key *key, uint64_t timeout_ms,
                               struct sw_err *err)
{
    const char *selector = sw_arguments_text(cli->arguments, "selector");
    struct sw_objects objects;
    enum sw_rc rc = SW_OK;

    if (key->name[0] == '\0' && selector == NULL && !sw_arguments_is(cli->arguments, "all", false))
        return sw_cli_usage(cli, err, "name an object, or say --all or --selector");
    rc = sw_resources_load(cli, key, 1, selector == NULL ? "" : selector, &objects, err);
    if (rc == SW_E_NOT_FOUND && wait->type == SW_WAIT_DELETE)
        return SW_OK;
    for (size_t i = 0; rc == SW_OK && i < objects.count; i++) {
        const struct sw_api_object_meta *meta = sw_object_meta_of(objects.items[i]);
        const struct sw_object_key one = {
            .kind = key->kind, .namespace = meta->namespace, .name = meta->name};
        uint64_t begin_ms = sw_client_now_ms(cli->client), passed_ms;

        rc = sw_wait_for(cli, &one, wait, timeout_ms, err);
        if (rc == SW_OK)
            sw_cli_print(cli, "%s/%s %s\n", key->kind->plural, meta->name,
                         wait->type == SW_WAIT_DELETE ? "deleted" : "condition met");
        passed_ms = sw_client_now_ms(cli->client) - begin_ms;
        timeout_ms = passed_ms < timeout_ms ? timeout_ms - passed_ms : 1;
    }
    return rc;
}

enum sw_rc sw_command_wait(struct sw_cli *cli, struct sw_err *err)
{
    const char *text = sw_arguments_text(cli->arguments, "for");
    uint64_t timeout_ms = cli->timeout_ms == 0 ? WAIT_TIMEOUT_MS : cli->timeout_ms;
    struct sw_resources resources;
    struct sw_wait wait;
    enum sw_rc rc;

    if (text == NULL)
        return sw_cli_usage(cli, err, "say what to wait for with --for");
    rc = sw_wait_parse(cli, text, &wait, err);
    if (rc == SW_OK)
        rc = sw_cli_connect(cli, err);
    if (rc == SW_OK && wait.type == SW_WAIT_SERVER)
        return wait_for_server(cli, timeout_ms, err);
    if (rc == SW_OK && sw_arguments_count(cli->arguments) == 0)
        return sw_cli_usage(cli, err, "name an object to wait for");
    if (rc == SW_OK)
        rc = sw_resources_parse(cli, 0, &resources, err);
    for (size_t i = 0; rc == SW_OK && i < resources.count; i++)
        rc = wait_for_all(cli, &wait, &resources.keys[i], timeout_ms, err);
    return rc;
}
