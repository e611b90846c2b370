/* swarmctl secrets: which keys seal Secrets, new ones, and the ring's way to another machine. A
 * daemon that runs is asked over its API; the data of one that does not is worked on here. */
#include "pkg/cli/commands/members.h"
#include "pkg/cli/operator/operator.h"
#include "pkg/controller/secrets/rotation.h"
#include "pkg/store/sqlite/sqlite.h"
#include "pkg/utils/loop/loop.h"

#include <inttypes.h>
#include <string.h>

#define ACTOR "swarmctl, while the daemon was stopped"
#define JSON_BYTES_MAX ((size_t)64 << 10)
#define PASSPHRASE_FILE_MAX (SW_RING_PASSPHRASE_MAX + 2u) /* With the end of its line. */

/* --- The data of a daemon that does not run --------------------------------------------------- */

struct stopped {
    struct sw_loop *loop;
    struct sw_store *store;
    struct sw_objects *objects;
    struct sw_keyring *ring;
    struct sw_buffer *json; /* What came of a rotation. */
    enum sw_rc rc;
    struct sw_err *err;
};

static enum sw_rc post(void *ctx, void (*call)(void *argument), void *argument)
{
    return sw_loop_post(ctx, call, argument);
}

static void on_fatal(void *ctx, const struct sw_err *err)
{
    struct stopped *stopped = ctx;

    *stopped->err = *err;
    stopped->rc = err->rc;
    sw_loop_stop(stopped->loop);
}

static enum sw_rc ring_open(struct sw_cli *cli, struct sw_keyring **ret_ring, struct sw_err *err)
{
    const struct sw_keyring_options options = {cli->system, sw_operator_data_folder(cli)};

    return sw_keyring_open(&options, ret_ring, NULL, err);
}

static enum sw_rc check_data(struct sw_cli *cli, const char *path, struct sw_err *err)
{
    struct sw_file_view view;
    enum sw_rc rc = cli->system->path_view(cli->system->ctx, path, &view, err);

    if (rc == SW_E_NOT_FOUND)
        sw_err_hint(err, "name the daemon's folder with --data");
    return rc;
}

static enum sw_rc stopped_open(struct sw_cli *cli, struct stopped *stopped, struct sw_err *err)
{
    struct sw_sqlite_options options = {.system = cli->system,
                                        .path = sw_operator_store_path(cli),
                                        .on_fatal = on_fatal,
                                        .ctx = stopped};
    enum sw_rc rc = check_data(cli, options.path, err);

    if (rc == SW_OK)
        rc = sw_loop_new(&stopped->loop, err);
    options.post = (struct sw_store_post){.ctx = stopped->loop, .post = post};
    if (rc == SW_OK)
        rc = sw_sqlite_open(&options, &stopped->store, err);
    if (rc == SW_OK)
        rc = ring_open(cli, &stopped->ring, err);
    if (rc != SW_OK)
        return rc;
    stopped->objects = sw_objects_new(stopped->store, cli->system);
    if (stopped->objects == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the objects");
    sw_objects_set_ring(stopped->objects, stopped->ring);
    return SW_OK;
}

static void stopped_close(struct stopped *stopped)
{
    if (stopped->store != NULL)
        sw_store_free(stopped->store);
    sw_objects_free(stopped->objects);
    sw_keyring_free(stopped->ring);
    if (stopped->loop != NULL)
        sw_loop_free(stopped->loop);
}

static void on_rotated(void *ctx, enum sw_rc rc, const struct sw_rotation_report *report,
                       const struct sw_err *err)
{
    struct stopped *stopped = ctx;

    stopped->rc = rc;
    if (rc == SW_OK)
        sw_rotation_print_report(report, stopped->json);
    else
        *stopped->err = *err;
    sw_loop_stop(stopped->loop);
}

static enum sw_rc rotate_stopped(struct sw_cli *cli, struct stopped *stopped, struct sw_err *err)
{
    const struct sw_rotation_options options = {
        .objects = stopped->objects,
        .ring = stopped->ring,
        .actor = ACTOR,
        .is_resumed = sw_arguments_is(cli->arguments, "resume", false),
        .keeps_unused = sw_arguments_is(cli->arguments, "keep-unused", false)};
    struct sw_rotation *rotation = NULL;
    enum sw_rc rc = sw_rotation_start(&options, on_rotated, stopped, &rotation, err);

    if (rc != SW_OK)
        return rc;
    sw_loop_run(stopped->loop);
    return stopped->rc;
}

static enum sw_rc look_stopped(struct stopped *stopped, struct sw_err *err)
{
    struct sw_rotation_keys keys;
    enum sw_rc rc = sw_rotation_look(stopped->objects, stopped->ring, &keys, err);

    if (rc == SW_OK)
        sw_rotation_print_keys(&keys, stopped->json);
    return rc;
}

static enum sw_rc work_stopped(struct sw_cli *cli, bool rotates, struct sw_buffer *json,
                               struct sw_err *err)
{
    struct stopped stopped = {.json = json, .err = err};
    enum sw_rc rc = stopped_open(cli, &stopped, err);

    if (rc == SW_OK)
        rc = rotates ? rotate_stopped(cli, &stopped, err) : look_stopped(&stopped, err);
    if (rc == SW_E_PRECONDITION)
        sw_err_hint(err, "stop the daemon first, or ask it without --stopped");
    stopped_close(&stopped);
    return rc;
}

/* --- What is shown ---------------------------------------------------------------------------- */

static enum sw_rc ask(struct sw_cli *cli, bool rotates, struct sw_answer *answer,
                      struct sw_err *err)
{
    const char *const flags[] = {
        sw_arguments_is(cli->arguments, "resume", false) ? "resume=true&" : "",
        sw_arguments_is(cli->arguments, "keep-unused", false) ? "keepUnused=true" : ""};
    const struct sw_request request = {
        .method = rotates ? "POST" : "GET",
        .path = rotates ? sw_cli_format(cli, "/keys?%s%s", flags[0], flags[1]) : "/keys",
        .timeout_ms = cli->timeout_ms == 0 ? UINT64_MAX : cli->timeout_ms};
    enum sw_rc rc = sw_cli_connect(cli, err);

    if (rc == SW_OK)
        rc = sw_client_call(cli->client, &request, answer, err);
    if (rc == SW_E_UNAVAILABLE && sw_client_is_unreachable(cli->client))
        sw_err_hint(err, "if the daemon does not run, say so with --stopped");
    return rc;
}

static enum sw_rc print_keys(struct sw_cli *cli, const struct sw_tree *tree, struct sw_err *err)
{
    SW_CLEANUP(sw_table_freep) struct sw_table *table = sw_table_new(4);
    const struct sw_tree *keys = tree == NULL ? NULL : sw_tree_find(tree, "keys");
    const char *const titles[] = {"KEY", "MADE", "VALUES", "USE"};
    const char *use = "seals what is written";
    struct sw_buffer text;
    enum sw_rc rc;

    if (table == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a table");
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
        sw_table_add(table, titles[i]);
    for (const struct sw_tree *key = keys == NULL ? NULL : keys->first; key != NULL;
         key = key->next) {
        sw_table_add(table, sw_member_text(key, "id"));
        sw_table_add(table, sw_member_text(key, "made"));
        sw_table_print(table, "%" PRIu64, sw_member_number(key, "values"));
        sw_table_add(table, use);
        use = "opens what it sealed";
    }
    sw_buffer_init(&text, SW_CLI_OUTPUT_BYTES_MAX);
    rc = sw_table_put(table, &text);
    sw_cli_put(cli, &text);
    sw_buffer_done(&text);
    if (rc == SW_OK && sw_member_number(tree, "lost") > 0)
        sw_cli_print(cli,
                     "%" PRIu64 " values have no key here, and nobody can open them: import their "
                     "keys, or write them anew\n",
                     sw_member_number(tree, "lost"));
    return rc;
}

static void print_report(struct sw_cli *cli, const struct sw_tree *tree)
{
    const struct sw_tree *dropped = tree == NULL ? NULL : sw_tree_find(tree, "dropped");
    struct sw_buffer text;

    sw_buffer_init(&text, SW_CLI_OUTPUT_BYTES_MAX);
    sw_buffer_print(&text, "sealed %" PRIu64 " of %" PRIu64 " Secrets again\n",
                    sw_member_number(tree, "resealed"), sw_member_number(tree, "secrets"));
    for (const struct sw_tree *key = dropped == NULL ? NULL : dropped->first; key != NULL;
         key = key->next) {
        sw_buffer_put_text(&text, "dropped ");
        sw_output_put_safe(&text, key->text, strlen(key->text), false);
        sw_buffer_put_text(&text, "\n");
    }
    sw_cli_put(cli, &text);
    sw_buffer_done(&text);
}

static enum sw_rc run(struct sw_cli *cli, bool rotates, struct sw_err *err)
{
    SW_CLEANUP(sw_answer_done) struct sw_answer answer = {0};
    const struct sw_tree *tree = NULL;
    enum sw_rc rc;

    sw_answer_init(&answer);
    if (sw_arguments_is(cli->arguments, "stopped", false))
        rc = work_stopped(cli, rotates, &answer.body, err);
    else
        rc = ask(cli, rotates, &answer, err);
    if (rc == SW_OK)
        rc = sw_members_take(&answer, cli->arena, &tree, err);
    if (rc != SW_OK)
        return rc;
    if (rotates)
        print_report(cli, tree);
    return print_keys(cli, tree, err);
}

enum sw_rc sw_operator_secrets_status(struct sw_cli *cli, struct sw_err *err)
{
    return run(cli, false, err);
}

enum sw_rc sw_operator_secrets_rotate(struct sw_cli *cli, struct sw_err *err)
{
    return run(cli, true, err);
}

/* --- To another machine, and from one --------------------------------------------------------- */

/* The first line of a file, or of standard input ("-"). */
static enum sw_rc read_passphrase(struct sw_cli *cli, const char *path, struct sw_buffer *out,
                                  struct sw_err *err)
{
    const struct sw_terminal *terminal = cli->terminal;
    const char *end;
    enum sw_rc rc;

    if (sw_buffer_reserve(out, PASSPHRASE_FILE_MAX) == NULL) /* At once: no copies are left. */
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a passphrase");
    rc = strcmp(path, "-") == 0 ? terminal->read(terminal->ctx, PASSPHRASE_FILE_MAX, out, err)
                                : sw_file_load(cli->system, path, PASSPHRASE_FILE_MAX, out, err);
    if (rc != SW_OK)
        return rc;
    end = out->size == 0 ? NULL : memchr(out->data, '\n', out->size);
    if (end != NULL)
        out->size = (size_t)(end - (const char *)out->data);
    return SW_OK;
}

static enum sw_rc load_ring(struct sw_cli *cli, struct sw_keyring **ret_ring, struct sw_err *err)
{
    const struct sw_keyring_options options = {.system = cli->system};
    const char *path = sw_cli_format(cli, "%s/%s", sw_operator_data_folder(cli), SW_RING_FILE);
    struct sw_buffer text;
    enum sw_rc rc;

    sw_buffer_init(&text, SW_RING_BYTES_MAX);
    rc = sw_file_load(cli->system, path, SW_RING_BYTES_MAX, &text, err);
    if (rc == SW_E_NOT_FOUND)
        sw_err_hint(err, "name the daemon's folder with --data");
    if (rc == SW_OK)
        rc = sw_keyring_parse(&options, (struct sw_bytes){text.data, text.size}, ret_ring, err);
    sw_secrets_buffer_done(&text);
    return rc;
}

/* The text of the file, under a passphrase if one is named. */
static enum sw_rc print_ring(struct sw_cli *cli, const struct sw_keyring *ring,
                             struct sw_buffer *out, struct sw_err *err)
{
    const char *path = sw_arguments_text(cli->arguments, "passphrase-file");
    struct sw_buffer passphrase;
    enum sw_rc rc;

    if (path == NULL) {
        sw_keyring_print(ring, out);
        return sw_buffer_check(out);
    }
    sw_buffer_init(&passphrase, PASSPHRASE_FILE_MAX);
    rc = read_passphrase(cli, path, &passphrase, err);
    if (rc == SW_OK)
        rc = sw_keyring_export(ring, (struct sw_bytes){passphrase.data, passphrase.size}, out, err);
    sw_secrets_buffer_done(&passphrase);
    return rc;
}

static enum sw_rc check_export(struct sw_cli *cli, const char *target, struct sw_err *err)
{
    bool is_plain = sw_arguments_is(cli->arguments, "plain", false);
    struct sw_file_view view;

    if (is_plain == (sw_arguments_text(cli->arguments, "passphrase-file") != NULL))
        return sw_cli_usage(cli, err,
                            "say --passphrase-file FILE, or --plain for a file that anybody who "
                            "reads it can use");
    if (cli->system->path_view(cli->system->ctx, target, &view, NULL) != SW_OK)
        return SW_OK;
    (void)sw_err_set(err, SW_E_EXISTS, "%s is there already", target);
    sw_err_hint(err, "choose another name, or remove it");
    return SW_E_EXISTS;
}

enum sw_rc sw_operator_secrets_export(struct sw_cli *cli, struct sw_err *err)
{
    SW_CLEANUP(sw_keyring_freep) struct sw_keyring *ring = NULL;
    const char *target = sw_arguments_at(cli->arguments, 0);
    struct sw_buffer text;
    enum sw_rc rc = check_export(cli, target, err);

    if (rc == SW_OK)
        rc = load_ring(cli, &ring, err);
    if (rc != SW_OK)
        return rc;
    sw_buffer_init(&text, SW_RING_EXPORT_BYTES_MAX);
    rc = print_ring(cli, ring, &text, err);
    if (rc == SW_OK)
        rc = sw_file_save(cli->system, target, text.data, text.size, err);
    sw_secrets_buffer_done(&text);
    if (rc != SW_OK)
        return rc;
    sw_cli_print(cli, "wrote %zu keys to %s, mode 0600%s\n", sw_keyring_count(ring), target,
                 sw_arguments_is(cli->arguments, "plain", false)
                     ? ": whoever reads it can open all Secrets that they sealed"
                     : ", under the passphrase");
    return SW_OK;
}

static enum sw_rc read_ring(struct sw_cli *cli, struct sw_bytes text, struct sw_keyring **ret_ring,
                            struct sw_err *err)
{
    const struct sw_keyring_options options = {.system = cli->system};
    const char *path = sw_arguments_text(cli->arguments, "passphrase-file");
    struct sw_buffer passphrase;
    enum sw_rc rc;

    if (!sw_keyring_is_export(text))
        return sw_keyring_parse(&options, text, ret_ring, err);
    if (path == NULL)
        return sw_cli_usage(cli, err, "the keys are under a passphrase: say --passphrase-file");
    sw_buffer_init(&passphrase, PASSPHRASE_FILE_MAX);
    rc = read_passphrase(cli, path, &passphrase, err);
    if (rc == SW_OK)
        rc = sw_keyring_import(&options, text, (struct sw_bytes){passphrase.data, passphrase.size},
                               ret_ring, err);
    sw_secrets_buffer_done(&passphrase);
    return rc;
}

/* Into the ring of a daemon that does not run: one that does has its own in memory. */
static enum sw_rc merge(struct sw_cli *cli, const struct sw_keyring *taken, struct sw_err *err)
{
    SW_CLEANUP(sw_sqlite_hold_putp) struct sw_sqlite_hold *hold = NULL;
    SW_CLEANUP(sw_keyring_freep) struct sw_keyring *ring = NULL;
    size_t count = 0;
    enum sw_rc rc = check_data(cli, sw_operator_data_folder(cli), err);

    if (rc == SW_OK)
        rc = sw_sqlite_hold_get(cli->system, sw_operator_store_path(cli), &hold, err);
    if (rc == SW_OK)
        rc = ring_open(cli, &ring, err);
    if (rc == SW_OK)
        rc = sw_keyring_merge(ring, taken, &count, err);
    if (rc == SW_OK)
        sw_cli_print(cli, "took %zu keys as older ones, had %zu of them; the ring has %zu\n", count,
                     sw_keyring_count(taken) - count, sw_keyring_count(ring));
    return rc;
}

enum sw_rc sw_operator_secrets_import(struct sw_cli *cli, struct sw_err *err)
{
    SW_CLEANUP(sw_keyring_freep) struct sw_keyring *taken = NULL;
    const char *source = sw_arguments_at(cli->arguments, 0);
    struct sw_buffer text;
    enum sw_rc rc;

    sw_buffer_init(&text, SW_RING_EXPORT_BYTES_MAX);
    rc = sw_file_load(cli->system, source, SW_RING_EXPORT_BYTES_MAX, &text, err);
    if (rc == SW_OK)
        rc = read_ring(cli, (struct sw_bytes){text.data, text.size}, &taken, err);
    sw_secrets_buffer_done(&text);
    return rc == SW_OK ? merge(cli, taken, err) : rc;
}
