#include "pkg/cli/commands/commands.h"
#include "pkg/cli/commands/target.h"
#include "pkg/cli/documents/documents.h"
#include "pkg/utils/base/list.h"
#include "pkg/utils/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IN_FLIGHT_DEFAULT 128
#define IN_FLIGHT_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define FILES_MAX 1000000
#define DEPTH_MAX 64
#define ATTEMPTS_MAX 40
#define BACKOFF_FIRST_MS 20
#define BACKOFF_MAX_MS 2000
#define PROGRESS_EVERY_MS 100
#define FAILURES_SHOWN_MAX 5

struct part { /* One message: a document or a part of one. */
    struct sw_list list;
    struct sending *sending;
    char *body;
    size_t size;
    char key[SW_DOCUMENT_NAME_MAX + 1];
    unsigned attempts;
    uint64_t due_ms; /* When it is tried again. */
};

struct sending {
    struct sw_cli *cli;
    struct sw_target target;
    const char *root;
    const char *request_id; /* Of every message: a key gets one, so a new try is no new message. */
    const char **files;     /* Relative paths. */
    size_t files_count, capacity, next_file;
    const char *folder; /* That is being listed, relative. */
    const char **folders;
    size_t folders_count, folders_capacity, next_folder;
    struct sw_list waiting; /* Parts to be tried again. */
    size_t waiting_count, in_flight_max, bytes_held;
    uint64_t begin_ms, shown_ms, bytes_sent;
    size_t sent, skipped, unreadable, failed, retried;
    bool is_stopped;
    enum sw_rc rc; /* What ended it. */
    struct sw_err err;
};

static bool push_text(struct sw_cli *cli, const char ***items, size_t *count, size_t *capacity,
                      const char *text)
{
    if (*count == *capacity) {
        size_t wanted = *capacity == 0 ? 1024 : *capacity * 2;
        const char **longer = sw_arena_array(cli->arena, wanted, sizeof *longer);

        if (longer == NULL)
            return false;
        if (*count > 0)
            memcpy(longer, *items, *count * sizeof *longer);
        *items = longer;
        *capacity = wanted;
    }
    (*items)[(*count)++] = text;
    return text[0] != '\0';
}

/* Sort into files and folders. What is neither (sockets, devices), hidden names and symbolic links
 * are left out: what a link leads to would be sent twice, or without end. */
static bool visit(void *ctx, const char *name)
{
    struct sending *sending = ctx;
    struct sw_cli *cli = sending->cli;
    struct sw_file_view view;
    struct sw_err ignored = {0};
    const char *relative, *path;

    if (name[0] == '.')
        return true;
    relative = sending->folder[0] == '\0' ? sw_cli_format(cli, "%s", name)
                                          : sw_cli_format(cli, "%s/%s", sending->folder, name);
    path = sw_cli_format(cli, "%s/%s", sending->root, relative);
    if (cli->system->path_view(cli->system->ctx, path, &view, &ignored) != SW_OK) {
        sending->unreadable++;
        return true;
    }
    if (view.is_link)
        return true;
    if (view.is_folder)
        return push_text(cli, &sending->folders, &sending->folders_count,
                         &sending->folders_capacity, relative);
    if (!view.is_regular)
        return true;
    return sending->files_count < FILES_MAX &&
           push_text(cli, &sending->files, &sending->files_count, &sending->capacity, relative);
}

static size_t depth_of(const char *path)
{
    size_t depth = 0;

    for (; *path != '\0'; path++)
        depth += *path == '/';
    return depth;
}

static int compare_texts(const void *one, const void *other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

/* All files below the root, in order. */
static enum sw_rc find_files(struct sending *sending, struct sw_err *err)
{
    struct sw_cli *cli = sending->cli;
    enum sw_rc rc;

    sending->folder = "";
    rc = cli->system->folder_list(cli->system->ctx, sending->root, visit, sending, err);
    while (rc == SW_OK && sending->next_folder < sending->folders_count) {
        struct sw_err ignored = {0};

        sending->folder = sending->folders[sending->next_folder++];
        if (depth_of(sending->folder) >= DEPTH_MAX ||
            cli->system->folder_list(cli->system->ctx,
                                     sw_cli_format(cli, "%s/%s", sending->root, sending->folder),
                                     visit, sending, &ignored) != SW_OK)
            sending->unreadable++;
    }
    if (rc == SW_OK && sending->files_count == FILES_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED, "%s has more than %d files", sending->root,
                          FILES_MAX - 1);
    if (rc == SW_OK && sending->files_count > 0)
        qsort(sending->files, sending->files_count, sizeof *sending->files, compare_texts);
    return rc;
}

static void part_free(struct part *part)
{
    part->sending->bytes_held -= part->size;
    free(part->body);
    free(part);
}

static uint64_t backoff_ms(unsigned attempts)
{
    uint64_t wait_ms = BACKOFF_FIRST_MS;

    for (unsigned i = 1; i < attempts && wait_ms < BACKOFF_MAX_MS; i++)
        wait_ms *= 2;
    return wait_ms < BACKOFF_MAX_MS ? wait_ms : BACKOFF_MAX_MS;
}

static void stop(struct sending *sending, enum sw_rc rc, const struct sw_err *err)
{
    if (sending->is_stopped)
        return;
    sending->is_stopped = true;
    sending->rc = rc;
    sending->err = *err;
}

static void note_failure(struct sending *sending, const struct part *part, enum sw_rc rc,
                         const struct sw_err *err)
{
    sending->failed++;
    if (sending->failed <= FAILURES_SHOWN_MAX) {
        sw_cli_progress(sending->cli, "%s", "");
        sw_cli_warn(sending->cli, "%s/%s: %s\n", sending->target.agent, part->key, err->message);
    }
    sending->rc = rc;
    sending->err = *err;
    /* What is wrong for one message in this way is wrong for all. */
    if (rc == SW_E_DENIED || rc == SW_E_UNAUTHENTICATED || rc == SW_E_NOT_FOUND)
        stop(sending, rc, err);
}

static void start_part(struct sending *sending, struct part *part);

static void on_done(void *ctx, enum sw_rc rc, const struct sw_answer *answer,
                    const struct sw_err *err)
{
    struct part *part = ctx;
    struct sending *sending = part->sending;
    bool is_passing = rc == SW_E_EXHAUSTED || rc == SW_E_UNAVAILABLE || rc == SW_E_TIMEOUT;

    (void)answer;
    if (rc == SW_OK) {
        sending->sent++;
        sending->bytes_sent += part->size;
        part_free(part);
        return;
    }
    if (is_passing && part->attempts < ATTEMPTS_MAX && !sending->is_stopped) {
        sending->retried++;
        part->due_ms = sw_client_now_ms(sending->cli->client) + backoff_ms(part->attempts);
        sw_list_add(&sending->waiting, &part->list);
        sending->waiting_count++;
        return;
    }
    if (rc == SW_E_UNAVAILABLE)
        stop(sending, rc, err);
    note_failure(sending, part, rc, err);
    part_free(part);
}

static void start_part(struct sending *sending, struct part *part)
{
    const struct sw_client_message message = {
        .namespace = sending->cli->namespace,
        .agent = sending->target.agent,
        .key = part->key,
        .content_type = "text/plain",
        .body = {part->body, part->size},
        .priority = sw_arguments_text(sending->cli->arguments, "priority"),
        .request_id = sending->request_id,
        .timeout_ms = sending->cli->timeout_ms};
    struct sw_err err = {0};
    enum sw_rc rc;

    part->attempts++;
    rc = sw_client_send_start(sending->cli->client, &message, on_done, part, &err);
    if (rc != SW_OK) {
        stop(sending, rc, &err);
        part_free(part);
    }
}

static struct part *part_new(struct sending *sending, const char *text, size_t size)
{
    struct part *part = calloc(1, sizeof *part);

    if (part == NULL)
        return NULL;
    part->body = malloc(size == 0 ? 1 : size);
    if (part->body == NULL) {
        free(part);
        return NULL;
    }
    memcpy(part->body, text, size);
    part->size = size;
    part->sending = sending;
    sending->bytes_held += size;
    return part;
}

static void send_text(struct sending *sending, const char *path, const char *text, size_t size)
{
    bool is_whole = size <= SW_DOCUMENT_PART_BYTES;
    unsigned number = 0;

    while (size > 0 && !sending->is_stopped) {
        size_t part_size = sw_document_part_size(text, size, SW_DOCUMENT_PART_BYTES);
        struct part *part = part_new(sending, text, part_size);
        struct sw_err err = {0};
        struct sw_buffer key;

        if (part == NULL) {
            stop(sending, sw_cli_no_memory(&err), &err);
            return;
        }
        sw_buffer_init(&key, sizeof part->key);
        sw_document_key(sending->target.agent, path, is_whole ? 0 : ++number, &key);
        (void)snprintf(part->key, sizeof part->key, "%.*s", (int)key.size, (const char *)key.data);
        sw_buffer_done(&key);
        start_part(sending, part);
        text += part_size;
        size -= part_size;
    }
}

static void send_file(struct sending *sending, const char *path)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer file = {0};
    SW_CLEANUP(sw_buffer_done) struct sw_buffer opened = {0};
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    struct sw_cli *cli = sending->cli;
    struct sw_err err = {0};
    char full[SW_PATH_MAX];
    enum sw_rc rc;

    sw_buffer_init(&file, SW_DOCUMENT_BYTES_MAX);
    sw_buffer_init(&opened, SW_DOCUMENT_BYTES_MAX + (1 << 20));
    sw_buffer_init(&text, 2 * SW_DOCUMENT_BYTES_MAX);
    if ((size_t)snprintf(full, sizeof full, "%s/%s", sending->root, path) >= sizeof full ||
        sw_file_load(cli->system, full, SW_DOCUMENT_BYTES_MAX, &file, &err) != SW_OK) {
        sending->unreadable++;
        return;
    }
    rc = sw_document_open((struct sw_bytes){file.data, file.size}, &opened);
    if (rc == SW_OK)
        rc = sw_document_read_text((struct sw_bytes){opened.data, opened.size}, &text);
    if (rc != SW_OK || text.size == 0) {
        sending->skipped++;
        return;
    }
    send_text(sending, path, (const char *)text.data, text.size);
}

/* Start again what has waited long enough. Returns how long to sleep for the next one. */
static uint64_t retry_due(struct sending *sending)
{
    uint64_t now_ms = sw_client_now_ms(sending->cli->client), wait_ms = PROGRESS_EVERY_MS;

    SW_LIST_EACH(&sending->waiting, node)
    {
        struct part *part = SW_LIST_ITEM(node, struct part, list);

        if (sending->is_stopped || part->due_ms <= now_ms) {
            sw_list_remove(node);
            sending->waiting_count--;
            if (sending->is_stopped)
                part_free(part);
            else
                start_part(sending, part);
        } else if (part->due_ms - now_ms < wait_ms) {
            wait_ms = part->due_ms - now_ms;
        }
    }
    return wait_ms;
}

static void show_progress(struct sending *sending)
{
    uint64_t now_ms = sw_client_now_ms(sending->cli->client);

    if (now_ms - sending->shown_ms < PROGRESS_EVERY_MS)
        return;
    sending->shown_ms = now_ms;
    sw_cli_progress(sending->cli, "%zu of %zu files, %zu messages sent%s", sending->next_file,
                    sending->files_count, sending->sent,
                    sending->waiting_count > 0 ? ", waiting for the server" : "");
}

static enum sw_rc send_all(struct sending *sending, struct sw_err *err)
{
    struct sw_client *client = sending->cli->client;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK) {
        uint64_t wait_ms = retry_due(sending);

        /* What waits for a retry counts too: a full server is not given more. */
        while (!sending->is_stopped && sending->next_file < sending->files_count &&
               sw_client_in_flight(client) + sending->waiting_count < sending->in_flight_max &&
               sending->bytes_held < IN_FLIGHT_BYTES_MAX)
            send_file(sending, sending->files[sending->next_file++]);
        show_progress(sending);
        if (sw_client_in_flight(client) == 0 && sending->waiting_count == 0 &&
            (sending->is_stopped || sending->next_file == sending->files_count))
            break;
        rc = sw_client_run(client, wait_ms, err);
    }
    sw_cli_progress(sending->cli, "%s", "");
    return rc;
}

static void summarize(struct sending *sending)
{
    uint64_t ms = sw_client_now_ms(sending->cli->client) - sending->begin_ms;
    struct sw_cli *cli = sending->cli;

    if (cli->is_quiet)
        return;
    sw_cli_print(cli, "sent %zu messages (%.1f MiB) from %zu files in %.1f s", sending->sent,
                 (double)sending->bytes_sent / 1048576.0,
                 sending->next_file - sending->skipped - sending->unreadable, (double)ms / 1000.0);
    if (sending->skipped > 0)
        sw_cli_print(cli, "; %zu skipped (no text)", sending->skipped);
    if (sending->unreadable > 0)
        sw_cli_print(cli, "; %zu unreadable", sending->unreadable);
    if (sending->retried > 0)
        sw_cli_print(cli, "; %zu tried again", sending->retried);
    if (sending->failed > 0)
        sw_cli_print(cli, "; %zu failed", sending->failed);
    sw_cli_print(cli, "\n");
}

static enum sw_rc read_options(struct sending *sending, struct sw_err *err)
{
    struct sw_cli *cli = sending->cli;
    const char *parallel = sw_arguments_text(cli->arguments, "parallel");
    uint64_t number = IN_FLIGHT_DEFAULT;
    enum sw_rc rc = sw_target_parse(cli, sw_arguments_at(cli->arguments, 0), &sending->target, err);

    if (rc != SW_OK)
        return rc;
    if (sending->target.key != NULL)
        return sw_cli_usage(cli, err, "--each makes the keys: name the Agent alone");
    if (sw_arguments_count(cli->arguments) > 1 ||
        sw_arguments_text(cli->arguments, "filename") != NULL)
        return sw_cli_usage(cli, err, "--each takes its bodies from the folder");
    if (!sw_text_is_label(sending->target.agent, 63))
        return sw_cli_usage(cli, err, "\"%s\" cannot be the name of an Agent",
                            sending->target.agent);
    if (parallel != NULL && (sw_text_to_u64(parallel, &number) != SW_OK || number < 1 ||
                             number > SW_CLIENT_IN_FLIGHT_MAX / 2))
        return sw_cli_usage(cli, err, "--parallel is a number from 1 to %d",
                            SW_CLIENT_IN_FLIGHT_MAX / 2);
    sending->in_flight_max = (size_t)number;
    sending->request_id = sw_arguments_text(cli->arguments, "request-id");
    if (sending->request_id == NULL) {
        cli->system->random(cli->system->ctx, &number, sizeof number);
        sending->request_id = sw_cli_format(cli, "each-%016" PRIx64, number);
    }
    return SW_OK;
}

enum sw_rc sw_command_send_each(struct sw_cli *cli, struct sw_err *err)
{
    struct sending sending = {.cli = cli};
    size_t size;
    enum sw_rc rc = read_options(&sending, err);

    sw_list_init(&sending.waiting);
    if (rc == SW_OK)
        rc = sw_cli_connect(cli, err);
    if (rc != SW_OK)
        return rc;
    sending.root = sw_arguments_text(cli->arguments, "each");
    size = strlen(sending.root);
    while (size > 1 && sending.root[size - 1] == '/')
        size--;
    sending.root = sw_cli_format(cli, "%.*s", (int)size, sending.root);
    sending.begin_ms = sw_client_now_ms(cli->client);
    rc = find_files(&sending, err);
    if (rc == SW_OK && sending.files_count == 0)
        return sw_err_set(err, SW_E_NOT_FOUND, "%s has no files", sending.root);
    if (rc == SW_OK)
        rc = send_all(&sending, err);
    if (rc != SW_OK)
        return rc;
    summarize(&sending);
    if (sending.failed == 0 && !sending.is_stopped)
        return SW_OK;
    *err = sending.err;
    return sending.rc;
}
