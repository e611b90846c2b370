#include "pkg/agent/compiler/compiler.h"

#include "pkg/agent/abi/class.h"
#include "pkg/agent/compiler/frame.h"
#include "pkg/agent/compiler/seal.h"
#include "pkg/utils/base/list.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_MS 60000u
#define CACHE_BYTES_MAX ((uint64_t)4 << 30)
#define QUEUE_BYTES_MAX ((size_t)256 << 20)
#define ANSWER_BYTES_MAX (SW_COMPILER_CODE_BYTES_MAX + (size_t)SW_COMPILER_FRAME_SIZE)
#define ENTRY_BYTES_MAX ((size_t)SW_COMPILER_CODE_BYTES_MAX + 4096)

struct waiter {
    struct sw_list node;
    sw_compiler_done *done;
    void *ctx;
};

/* One module on its way: waiting in `queue`, being compiled (`current`), or answered (`answered`).
 */
struct job {
    struct sw_list node;
    struct sw_list waiters;
    uint8_t digest[SW_SHA256_SIZE];
    enum sw_abi_class class;
    struct sw_buffer module;
    struct sw_buffer code;  /* A whole cache entry, or what the child sent. */
    struct sw_bytes result; /* Borrowed from code. */
    struct sw_err err;
    enum sw_rc rc;
};

struct sw_compiler {
    struct sw_loop *loop;
    const struct sw_system *system;
    char program[SW_PATH_MAX], folder[SW_PATH_MAX];
    uint8_t key[SW_COMPILER_KEY_SIZE];
    char fingerprints[SW_ABI_CLASSES][SW_ABI_FINGERPRINT_SIZE]; /* Of the engine's code. */
    uint64_t timeout_ms, cache_bytes_max;
    bool is_read_only;
    struct sw_compiler_view view;
    size_t queue_bytes;
    struct sw_list queue, answered;
    struct job *current;
    struct sw_child *child;
    struct sw_stream *stream;
    struct sw_timer *deadline; /* Of the current job. */
    struct sw_timer *answer;   /* Fires at once: answers come from the loop, not from a call. */
    bool is_freed;             /* Only the stream's last callback is waited for. */
};

static void start_next(struct sw_compiler *compiler);

/* --- Jobs ------------------------------------------------------------------------------------ */

static void job_free(struct job *job)
{
    SW_LIST_EACH(&job->waiters, node)
    free(SW_LIST_ITEM(node, struct waiter, node));
    sw_buffer_done(&job->module);
    sw_buffer_done(&job->code);
    free(job);
}

static struct job *job_new(const uint8_t digest[SW_SHA256_SIZE], enum sw_abi_class class)
{
    struct job *job = calloc(1, sizeof *job);

    if (job == NULL)
        return NULL;
    memcpy(job->digest, digest, SW_SHA256_SIZE);
    job->class = class;
    sw_list_init(&job->node);
    sw_list_init(&job->waiters);
    sw_buffer_init(&job->module, SW_ABI_MODULE_BYTES_MAX);
    sw_buffer_init(&job->code, ENTRY_BYTES_MAX);
    return job;
}

static enum sw_rc job_add_waiter(struct job *job, sw_compiler_done *done, void *ctx)
{
    struct waiter *waiter = calloc(1, sizeof *waiter);

    if (waiter == NULL)
        return SW_E_EXHAUSTED;
    waiter->done = done;
    waiter->ctx = ctx;
    sw_list_add(&job->waiters, &waiter->node);
    return SW_OK;
}

/* The job is decided; its waiters hear of it in the loop's next round. */
static void job_answer(struct sw_compiler *compiler, struct job *job, enum sw_rc rc)
{
    job->rc = rc;
    sw_list_remove(&job->node);
    sw_list_add(&compiler->answered, &job->node);
    sw_timer_start(compiler->answer, 0);
}

static void job_tell(struct sw_compiler *compiler, struct job *job)
{
    while (!sw_list_is_empty(&job->waiters)) {
        struct waiter *waiter = SW_LIST_ITEM(sw_list_first(&job->waiters), struct waiter, node);
        sw_list_remove(&waiter->node);
        compiler->view.waiting--;
        waiter->done(waiter->ctx, job->rc, job->result, &job->err);
        free(waiter);
    }
    job_free(job);
}

static void on_answer(void *ctx)
{
    struct sw_compiler *compiler = ctx;

    while (!sw_list_is_empty(&compiler->answered)) {
        struct job *job = SW_LIST_ITEM(sw_list_first(&compiler->answered), struct job, node);
        sw_list_remove(&job->node);
        job_tell(compiler, job);
    }
}

/* --- The cache ------------------------------------------------------------------------------- */

static struct sw_seal seal_of(const struct sw_compiler *compiler, const struct job *job)
{
    return (struct sw_seal){compiler->key, compiler->fingerprints[job->class]};
}

static enum sw_rc entry_path(const struct sw_compiler *compiler, const struct job *job,
                             char ret_path[SW_PATH_MAX])
{
    struct sw_seal seal = seal_of(compiler, job);
    char name[SW_DIGEST_TEXT_SIZE];

    sw_seal_name(&seal, job->digest, name);
    int size = snprintf(ret_path, SW_PATH_MAX, "%s/%s.cwasm", compiler->folder, name);
    return size > 0 && size < SW_PATH_MAX ? SW_OK : SW_E_INVALID;
}

/* True when the cache had it. An entry that does not verify is as good as none, but counted. */
static bool read_cache(struct sw_compiler *compiler, struct job *job)
{
    struct sw_seal seal = seal_of(compiler, job);
    char path[SW_PATH_MAX];

    if (entry_path(compiler, job, path) != SW_OK ||
        sw_file_load(compiler->system, path, ENTRY_BYTES_MAX, &job->code, NULL) != SW_OK)
        return false;
    if (sw_seal_get(&seal, job->digest, (struct sw_bytes){job->code.data, job->code.size},
                    &job->result) == SW_OK)
        return true;
    compiler->view.rejected++;
    sw_buffer_reset(&job->code);
    return false;
}

/* What the cache holds, and which of its files is the oldest. */
struct census {
    struct sw_compiler *compiler;
    const char *kept; /* Not to be removed: it was written now. */
    uint64_t bytes, oldest_ns;
    char oldest[SW_PATH_MAX]; /* "": none. */
};

static bool count_file(void *ctx, const char *name)
{
    struct census *census = ctx;
    const struct sw_system *system = census->compiler->system;
    size_t size = strlen(name), suffix = strlen(".cwasm");
    struct sw_file_view view;
    char path[SW_PATH_MAX];

    if (size < suffix || strcmp(name + size - suffix, ".cwasm") != 0 ||
        snprintf(path, sizeof path, "%s/%s", census->compiler->folder, name) >= (int)sizeof path ||
        system->path_view(system->ctx, path, &view, NULL) != SW_OK)
        return true;
    census->bytes += view.size_bytes;
    if (strcmp(path, census->kept) == 0 ||
        (census->oldest[0] != '\0' && view.modified_ns >= census->oldest_ns))
        return true;
    census->oldest_ns = view.modified_ns;
    memcpy(census->oldest, path, sizeof census->oldest);
    return true;
}

/* Modules come and go, fingerprints and keys change: the oldest files make room for new ones. */
static void shrink_cache(struct sw_compiler *compiler, const char *kept)
{
    const struct sw_system *system = compiler->system;

    for (;;) {
        struct census census = {.compiler = compiler, .kept = kept};

        if (system->folder_list(system->ctx, compiler->folder, count_file, &census, NULL) !=
                SW_OK ||
            census.bytes <= compiler->cache_bytes_max || census.oldest[0] == '\0' ||
            system->path_remove(system->ctx, census.oldest, NULL) != SW_OK)
            return;
    }
}

/* A cache that cannot be written costs time, not correctness: the answer is good without it. */
static void write_cache(struct sw_compiler *compiler, const struct job *job)
{
    struct sw_seal seal = seal_of(compiler, job);
    char path[SW_PATH_MAX];
    struct sw_buffer entry;

    if (compiler->is_read_only)
        return;
    sw_buffer_init(&entry, ENTRY_BYTES_MAX);
    sw_seal_put(&seal, job->digest, job->result, &entry);
    if (!entry.failed && entry_path(compiler, job, path) == SW_OK &&
        sw_file_save(compiler->system, path, entry.data, entry.size, NULL) == SW_OK)
        shrink_cache(compiler, path);
    sw_buffer_done(&entry);
}

/* --- The child ------------------------------------------------------------------------------- */

/* The current job is over, one way or another: let go of the child, answer, go on. */
static void finish_current(struct sw_compiler *compiler, enum sw_rc rc)
{
    struct job *job = compiler->current;

    compiler->current = NULL;
    compiler->queue_bytes -= job->module.size;
    sw_timer_stop(compiler->deadline);
    sw_child_free(compiler->child);
    compiler->child = NULL;
    if (compiler->stream != NULL)
        sw_stream_close(compiler->stream);
    if (rc == SW_OK) {
        compiler->view.compiled++;
        write_cache(compiler, job);
    } else {
        compiler->view.failed++;
    }
    job_answer(compiler, job, rc);
    if (compiler->stream == NULL)
        start_next(compiler);
}

static void on_data(void *ctx, struct sw_stream *stream, struct sw_bytes bytes)
{
    struct sw_compiler *compiler = ctx;
    struct job *job = compiler->current;
    struct sw_compiler_frame frame;

    (void)stream;
    if (job == NULL)
        return;
    sw_buffer_put(&job->code, bytes.data, bytes.size);
    struct sw_bytes all = {job->code.data, job->code.size};
    enum sw_rc rc = sw_compiler_frame_get(all, SW_COMPILER_CODE_BYTES_MAX, &frame);
    if (rc == SW_E_UNAVAILABLE && !job->code.failed)
        return;
    if (rc != SW_OK || job->code.failed) {
        finish_current(
            compiler, sw_err_set(&job->err, SW_E_INTERNAL, "the compiler's answer makes no sense"));
        return;
    }
    if (all.size < SW_COMPILER_FRAME_SIZE + (size_t)frame.size)
        return;
    job->result = (struct sw_bytes){job->code.data + SW_COMPILER_FRAME_SIZE, frame.size};
    if (frame.status == 0) {
        finish_current(compiler, SW_OK);
        return;
    }
    /* Words of the code generator, about a module that is somebody's: cut and shown as they are. */
    finish_current(compiler, sw_err_set(&job->err, SW_E_INVALID, "%.*s",
                                        frame.size < 400 ? (int)frame.size : 400,
                                        (const char *)job->result.data));
}

static void on_end(void *ctx, struct sw_stream *stream)
{
    struct sw_compiler *compiler = ctx;

    (void)stream;
    if (compiler->current == NULL)
        return;
    (void)sw_err_set(&compiler->current->err, SW_E_UNAVAILABLE,
                     "the compiler died over this module (out of memory or time, or a fault)");
    finish_current(compiler, SW_E_UNAVAILABLE);
}

static void on_close(void *ctx, struct sw_stream *stream, enum sw_rc rc)
{
    struct sw_compiler *compiler = ctx;

    (void)rc;
    compiler->stream = NULL;
    if (compiler->is_freed) {
        free(compiler);
        return;
    }
    if (compiler->current != NULL)
        on_end(compiler, stream);
    else
        start_next(compiler);
}

static void on_deadline(void *ctx)
{
    struct sw_compiler *compiler = ctx;

    if (compiler->current == NULL)
        return;
    (void)sw_err_set(&compiler->current->err, SW_E_TIMEOUT, "compiling took more than %llu ms",
                     (unsigned long long)compiler->timeout_ms);
    finish_current(compiler, SW_E_TIMEOUT);
}

/* The child's exit shows as the end of its stream; this is only here because a child has one. */
static void on_exit_child(void *ctx, struct sw_child *child, int status, int signal)
{
    (void)ctx;
    (void)child;
    (void)status;
    (void)signal;
}

static enum sw_rc start_child(struct sw_compiler *compiler, int far_end, struct sw_err *err)
{
    const char *arguments[] = {compiler->program, NULL};
    const int files[] = {far_end, far_end, STDERR_FILENO};
    struct sw_child_options options = {.arguments = arguments,
                                       .files = files,
                                       .files_count = 3,
                                       .on_exit = on_exit_child,
                                       .ctx = compiler};

    return sw_child_start(compiler->loop, &options, &compiler->child, err);
}

static enum sw_rc send_module(struct sw_compiler *compiler, const struct job *job,
                              struct sw_err *err)
{
    struct sw_buffer head;
    enum sw_rc rc;

    sw_buffer_init(&head, SW_COMPILER_FRAME_SIZE);
    sw_compiler_frame_put(&head, (int32_t)job->class, (uint32_t)job->module.size);
    rc = head.failed ? SW_E_EXHAUSTED : sw_stream_write(compiler->stream, head.data, head.size);
    sw_buffer_done(&head);
    if (rc == SW_OK)
        rc = sw_stream_write(compiler->stream, job->module.data, job->module.size);
    return rc == SW_OK ? SW_OK : sw_err_set(err, rc, "cannot send the module to the compiler");
}

static enum sw_rc start_job(struct sw_compiler *compiler, struct job *job, struct sw_err *err)
{
    static const struct sw_stream_handler handler = {
        .on_data = on_data, .on_end = on_end, .on_close = on_close};
    struct sw_stream_handler own = handler;
    int ends[2];
    enum sw_rc rc = sw_socket_pair(ends, err);

    if (rc != SW_OK)
        return rc;
    rc = start_child(compiler, ends[1], err);
    (void)close(ends[1]);
    if (rc == SW_OK)
        rc = sw_stream_adopt(compiler->loop, ends[0], &compiler->stream, err);
    if (rc != SW_OK) {
        (void)close(ends[0]);
        return rc;
    }
    own.ctx = compiler;
    sw_stream_start(compiler->stream, &own, SW_ABI_MODULE_BYTES_MAX + 1024);
    sw_timer_start(compiler->deadline, compiler->timeout_ms);
    return send_module(compiler, job, err);
}

static void start_next(struct sw_compiler *compiler)
{
    struct job *job;
    enum sw_rc rc;

    if (compiler->current != NULL || compiler->stream != NULL || sw_list_is_empty(&compiler->queue))
        return;
    job = SW_LIST_ITEM(sw_list_first(&compiler->queue), struct job, node);
    sw_list_remove(&job->node);
    compiler->current = job;
    rc = start_job(compiler, job, &job->err);
    if (rc != SW_OK)
        finish_current(compiler, rc);
}

/* --- The interface --------------------------------------------------------------------------- */

static enum sw_rc copy_path(char *ret_path, const char *path, struct sw_err *err)
{
    size_t size = strlen(path);

    if (size >= SW_PATH_MAX)
        return sw_err_set(err, SW_E_INVALID, "compiler: a path is too long");
    memcpy(ret_path, path, size + 1);
    return SW_OK;
}

enum sw_rc sw_compiler_new(const struct sw_compiler_options *options,
                           struct sw_compiler **ret_compiler, struct sw_err *err)
{
    SW_CLEANUP(sw_compiler_freep) struct sw_compiler *compiler = calloc(1, sizeof *compiler);
    enum sw_rc rc;

    if (compiler == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the compiler");
    compiler->loop = options->loop;
    compiler->system = options->system;
    compiler->timeout_ms = options->timeout_ms == 0 ? TIMEOUT_MS : options->timeout_ms;
    compiler->cache_bytes_max =
        options->cache_bytes_max == 0 ? CACHE_BYTES_MAX : options->cache_bytes_max;
    compiler->is_read_only = options->is_read_only;
    memcpy(compiler->key, options->key, sizeof compiler->key);
    for (unsigned i = 0; i < SW_ABI_CLASSES; i++)
        sw_abi_code_fingerprint(options->fingerprint == NULL ? SW_ABI_FINGERPRINT
                                                             : options->fingerprint,
                                (enum sw_abi_class)i, compiler->fingerprints[i]);
    sw_list_init(&compiler->queue);
    sw_list_init(&compiler->answered);
    rc = copy_path(compiler->program, options->program, err);
    if (rc == SW_OK)
        rc = copy_path(compiler->folder, options->folder, err);
    if (rc == SW_OK && !options->is_read_only)
        rc = options->system->folder_make(options->system->ctx, options->folder, err);
    if (rc != SW_OK)
        return rc;
    compiler->deadline = sw_timer_new(options->loop, on_deadline, compiler);
    compiler->answer = sw_timer_new(options->loop, on_answer, compiler);
    if (compiler->deadline == NULL || compiler->answer == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the compiler");
    *ret_compiler = SW_TAKE(compiler);
    return SW_OK;
}

static void cancel_all(struct sw_compiler *compiler, struct sw_list *jobs)
{
    while (!sw_list_is_empty(jobs)) {
        struct job *job = SW_LIST_ITEM(sw_list_first(jobs), struct job, node);
        sw_list_remove(&job->node);
        job->result = (struct sw_bytes){0};
        job->rc = sw_err_set(&job->err, SW_E_CANCELLED, "the compiler is stopping");
        job_tell(compiler, job);
    }
}

void sw_compiler_free(struct sw_compiler *compiler)
{
    if (compiler == NULL)
        return;
    if (compiler->current != NULL)
        sw_list_add(&compiler->queue, &compiler->current->node);
    compiler->current = NULL;
    cancel_all(compiler, &compiler->answered);
    cancel_all(compiler, &compiler->queue);
    sw_timer_free(compiler->deadline);
    sw_timer_free(compiler->answer);
    sw_child_free(compiler->child);
    sw_bytes_wipe(compiler->key, sizeof compiler->key);
    compiler->is_freed = true;
    if (compiler->stream != NULL)
        sw_stream_close(compiler->stream);
    else
        free(compiler);
}

static bool is_for(const struct job *job, const uint8_t digest[SW_SHA256_SIZE],
                   enum sw_abi_class class)
{
    return job->class == class && memcmp(job->digest, digest, SW_SHA256_SIZE) == 0;
}

static struct job *find_job(struct sw_compiler *compiler, const uint8_t digest[SW_SHA256_SIZE],
                            enum sw_abi_class class)
{
    if (compiler->current != NULL && is_for(compiler->current, digest, class))
        return compiler->current;
    SW_LIST_EACH(&compiler->queue, node)
    {
        struct job *job = SW_LIST_ITEM(node, struct job, node);
        if (is_for(job, digest, class))
            return job;
    }
    return NULL;
}

/* A job of its own for a module that nobody has asked for: from the cache, or into the queue. */
static enum sw_rc add_job(struct sw_compiler *compiler, struct job *job, struct sw_bytes module,
                          struct sw_err *err)
{
    if (read_cache(compiler, job)) {
        compiler->view.cached++;
        job_answer(compiler, job, SW_OK);
        return SW_OK;
    }
    if (module.size > QUEUE_BYTES_MAX - compiler->queue_bytes)
        return sw_err_set(err, SW_E_EXHAUSTED, "too many modules wait to be compiled");
    sw_buffer_put(&job->module, module.data, module.size);
    if (job->module.failed)
        return sw_err_set(err, SW_E_EXHAUSTED, "the module is too large to be compiled");
    compiler->queue_bytes += job->module.size;
    sw_list_add(&compiler->queue, &job->node);
    start_next(compiler);
    return SW_OK;
}

/* The name of a program, taken apart. */
static bool parse_program(const char *program, uint8_t ret_digest[SW_SHA256_SIZE],
                          enum sw_abi_class *ret_class)
{
    char text[SW_DIGEST_TEXT_SIZE];
    struct sw_bytes digest;

    return sw_abi_program_parse((struct sw_bytes){program, strlen(program)}, &digest, ret_class) ==
               SW_OK &&
           snprintf(text, sizeof text, "%.*s", (int)digest.size, (const char *)digest.data) <
               (int)sizeof text &&
           sw_digest_parse(text, ret_digest) == SW_OK;
}

enum sw_rc sw_compiler_get(struct sw_compiler *compiler, const char *program,
                           struct sw_bytes module, sw_compiler_done *done, void *ctx,
                           struct sw_err *err)
{
    uint8_t bytes[SW_SHA256_SIZE];
    enum sw_abi_class class;
    struct job *job;
    enum sw_rc rc;

    if (!parse_program(program, bytes, &class))
        return sw_err_set(err, SW_E_INVALID, "compile: %s is no digest", program);
    if (compiler->view.waiting >= SW_COMPILER_QUEUE_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED, "too many modules wait to be compiled");
    job = find_job(compiler, bytes, class);
    if (job != NULL) {
        rc = job_add_waiter(job, done, ctx);
        compiler->view.waiting += rc == SW_OK;
        return rc == SW_OK ? rc : sw_err_set(err, rc, "no memory for a request");
    }
    job = job_new(bytes, class);
    if (job == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a request");
    rc = job_add_waiter(job, done, ctx);
    if (rc != SW_OK)
        (void)sw_err_set(err, rc, "no memory for a request");
    else
        rc = add_job(compiler, job, module, err);
    if (rc != SW_OK) {
        job_free(job);
        return rc;
    }
    compiler->view.waiting++;
    return SW_OK;
}

struct hunt { /* For an entry of a module, of whatever engine. */
    const struct sw_compiler *compiler;
    uint8_t digest[SW_SHA256_SIZE];
    char path[SW_PATH_MAX]; /* "": none was found. */
};

static bool look_at_file(void *ctx, const char *name)
{
    struct hunt *hunt = ctx;
    const struct sw_system *system = hunt->compiler->system;
    uint8_t head[SW_SEAL_HEAD_BYTES], digest[SW_SHA256_SIZE];
    char path[SW_PATH_MAX];
    size_t size = 0;
    int file;

    if (snprintf(path, sizeof path, "%s/%s", hunt->compiler->folder, name) >= (int)sizeof path ||
        system->file_open(system->ctx, path, SW_FILE_READ, &file, NULL) != SW_OK)
        return true;
    if (system->file_read(system->ctx, file, 0, head, sizeof head, &size, NULL) == SW_OK &&
        sw_seal_peek((struct sw_bytes){head, size}, digest) &&
        memcmp(digest, hunt->digest, sizeof digest) == 0)
        memcpy(hunt->path, path, sizeof path);
    system->file_close(system->ctx, file);
    return hunt->path[0] == '\0';
}

void sw_compiler_forget(struct sw_compiler *compiler, const char *digest)
{
    const struct sw_system *system = compiler->system;
    struct hunt hunt = {.compiler = compiler};
    enum sw_rc rc = SW_OK;

    if (compiler->is_read_only || sw_digest_parse(digest, hunt.digest) != SW_OK)
        return;
    do {
        hunt.path[0] = '\0';
        if (system->folder_list(system->ctx, compiler->folder, look_at_file, &hunt, NULL) !=
                SW_OK ||
            hunt.path[0] == '\0')
            return;
        rc = system->path_remove(system->ctx, hunt.path, NULL);
    } while (rc == SW_OK);
}

void sw_compiler_view(const struct sw_compiler *compiler, struct sw_compiler_view *ret_view)
{
    *ret_view = compiler->view;
}
