/* bench-load: the load generator of our own side of `make bench`, a process of its own.
 *
 *   bench-load put|get|list|watch|request|recover|keep|chat|upstream NAME=VALUE ...
 *
 * It speaks gRPC with the server of the current context, over TLS, on one connection, and prints
 * one JSON object, as the drivers of the peers do:
 * {"seconds":..,"count":..,"p50_us":..,"p99_us":..,"max_us":..,"cpu_s":..}, "first_us" of
 * `recover` and "again" of `keep` besides. Any wrong answer fails the run. */
#include "test/bench/load/load.h"

#include "pkg/security/tls/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define CALLS_SPARE 16
#define ARENA_MAX ((size_t)64 << 20)

static const struct {
    const char *name;
    bool (*run)(struct load *load);
} workloads[] = {{"put", load_put},     {"get", load_get},         {"list", load_list},
                 {"watch", load_watch}, {"request", load_request}, {"recover", load_recover},
                 {"keep", load_keep},   {"chat", load_chat}};

/* One word of the command line; false: it is none that is known. */
static bool take_option(struct load_options *options, const char *word)
{
    const struct {
        const char *name;
        size_t *number;
        const char **text;
    } known[] = {{"space=", NULL, &options->space},       {"agent=", NULL, &options->agent},
                 {"workers=", &options->workers, NULL},   {"keys=", &options->keys, NULL},
                 {"watchers=", &options->watchers, NULL}, {"objects=", &options->objects, NULL},
                 {"count=", &options->count, NULL},       {"warm=", &options->warm, NULL},
                 {"size=", &options->size, NULL},         {"expect=", &options->expect, NULL},
                 {"near=", &options->near, NULL},         {"text=", NULL, &options->text},
                 {"direct=", NULL, &options->direct},     {"hold=", &options->hold, NULL}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t size = strlen(known[i].name);
        char *end = NULL;

        if (strncmp(word, known[i].name, size) != 0)
            continue;
        if (known[i].text != NULL)
            *known[i].text = word + size;
        else
            *known[i].number = strtoul(word + size, &end, 10);
        return end == NULL || (*end == '\0' && end != word + size);
    }
    return false;
}

static const char *environment(void *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

/* Make the client of the current context; it connects with the first call. */
static enum sw_rc connect_to(struct load *load, struct sw_err *err)
{
    const char *folder = NULL;
    struct sw_contexts *contexts = NULL;
    struct sw_context context;
    enum sw_rc rc = sw_contexts_folder(environment, NULL, load->arena, &folder, err);

    if (rc == SW_OK)
        rc = sw_contexts_load(load->system, folder, load->arena, &contexts, err);
    if (rc == SW_OK)
        rc = sw_contexts_resolve(contexts, load->system, NULL, load->arena, &context, err);
    if (rc == SW_OK && strncmp(context.server, "https://", 8) != 0)
        rc = sw_err_set(err, SW_E_INVALID, "the context's server is not https");
    if (rc != SW_OK)
        return rc;
    const struct sw_tls_options tls = {
        .roots_pem = {context.authority_pem, strlen(context.authority_pem)},
        .certificate_pem = {context.certificate_pem, strlen(context.certificate_pem)},
        .key_pem = {context.key_pem, strlen(context.key_pem)}};
    rc = sw_tls_context_new(&tls, &load->tls, err);
    if (rc == SW_OK)
        rc = sw_loop_new(&load->loop, err);
    if (rc != SW_OK)
        return rc;
    const struct sw_http_client_options options = {
        .loop = load->loop,
        .system = load->system,
        .address = context.server + 8,
        .tls = load->tls,
        .calls_max = load->options.workers + load->options.watchers + CALLS_SPARE,
        .reply_bytes_max = LOAD_MESSAGE_MAX};
    load->connecting = options;
    return sw_http_client_new(&options, &load->client, err);
}

static int compare(const void *one, const void *other)
{
    const uint64_t *a = one, *b = other;

    return (*a > *b) - (*a < *b);
}

static void report(struct load *load)
{
    size_t count = load->times_count;
    struct rusage usage;
    double cpu_s;

    qsort(load->times_ns, count, sizeof *load->times_ns, compare);
    (void)getrusage(RUSAGE_SELF, &usage);
    cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
            (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    (void)printf("{\"seconds\":%.6f,\"count\":%zu,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,"
                 "\"first_us\":%.1f,\"again\":%zu,\"cpu_s\":%.3f}\n",
                 (double)(load->ended_ns - load->started_ns) / 1e9, count,
                 (double)load->times_ns[count / 2] / 1e3,
                 (double)load->times_ns[count * 99 / 100] / 1e3,
                 (double)load->times_ns[count - 1] / 1e3, (double)load->first_ns / 1e3,
                 load->again_count, cpu_s);
}

static bool work(struct load *load, const char *name)
{
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++)
        if (strcmp(workloads[i].name, name) == 0)
            return workloads[i].run(load) && load->times_count > 0;
    load_fail(load, SW_E_INVALID, "no such workload");
    return false;
}

int main(int count, char **words)
{
    struct load load = {.options = {.space = "default",
                                    .agent = "bench-echo",
                                    .workers = 1,
                                    .watchers = 1,
                                    .count = 1000,
                                    .size = 512},
                        .system = sw_system_real(),
                        .arena = sw_arena_new(ARENA_MAX)};
    bool is_good = count >= 2 && load.arena != NULL;

    for (int i = 2; i < count; i++)
        is_good = is_good && take_option(&load.options, words[i]);
    if (!is_good || load.options.workers == 0) {
        (void)fprintf(stderr,
                      "usage: bench-load put|get|list|watch|request|recover|keep|chat|upstream "
                      "NAME=VALUE ...\n");
        return 2;
    }
    sw_buffer_init(&load.frame, LOAD_MESSAGE_MAX);
    if (strcmp(words[1], "upstream") == 0) /* It talks to nobody. */
        is_good = sw_loop_new(&load.loop, &load.failure) == SW_OK && load_upstream(&load);
    else
        is_good = connect_to(&load, &load.failure) == SW_OK && work(&load, words[1]);
    if (is_good)
        report(&load);
    else
        (void)fprintf(stderr, "bench-load: %s\n", load.failure.message);
    sw_http_client_free(load.client);
    sw_loop_free(load.loop);
    sw_tls_context_free(load.tls);
    sw_buffer_done(&load.frame);
    sw_arena_free(load.arena);
    free(load.times_ns);
    return is_good ? 0 : 1;
}
