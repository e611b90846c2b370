/* labels: interop */
/* Other people's clients against the server: curl, nghttp and h2load. */
#include "pkg/security/certs/certs.h"
#include "test/unit/communication/protocol/fixture.h"

#include <fcntl.h>
#include <unistd.h>

#define OUTPUT_MAX 1048576u

struct program {
    struct fixture *f;
    struct sw_child *child;
    char folder[64], output[OUTPUT_MAX];
    size_t output_size;
    bool has_exited;
    int status;
};

static struct program program;

static int program_set_up(void **state)
{
    (void)set_up(state);
    (void)memset(&program, 0, sizeof program);
    program.f = *state;
    (void)snprintf(program.folder, sizeof program.folder, "/tmp/swarm-interop-XXXXXX");
    assert_non_null(mkdtemp(program.folder));
    return 0;
}

static int program_tear_down(void **state)
{
    char command[128];

    (void)snprintf(command, sizeof command, "rm -rf '%s'", program.folder);
    assert_int_equal(system(command), 0);
    return tear_down(state);
}

static void on_exit_note(void *ctx, struct sw_child *child, int status, int signal)
{
    struct fixture *f = ctx;

    (void)child;
    program.has_exited = true;
    program.status = signal == 0 ? status : -signal;
    check(f);
}

static bool has_exited(struct fixture *f)
{
    (void)f;
    return program.has_exited;
}

/* Run a shell command beside the loop; its standard output is then in program.output. */
static void shell(const char *format, ...) SW_PRINTF(1, 2);
static void shell(const char *format, ...)
{
    char command[2048], path[96];
    const char *arguments[] = {"/bin/sh", "-c", command, NULL};
    const char *environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", NULL};
    int files[3] = {-1, -1, -1};
    struct sw_child_options options = {.arguments = arguments,
                                       .environment = environment,
                                       .files = files,
                                       .files_count = 3,
                                       .on_exit = on_exit_note,
                                       .ctx = program.f};
    va_list words;
    ssize_t size;

    va_start(words, format);
    (void)vsnprintf(command, sizeof command, format, words);
    va_end(words);
    (void)snprintf(path, sizeof path, "%s/output", program.folder);
    files[1] = open(path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
    files[2] = files[1];
    assert_true(files[1] >= 0);
    program.has_exited = false;
    assert_int_equal(sw_child_start(program.f->loop, &options, &program.child, NULL), SW_OK);
    run_until(program.f, has_exited);
    sw_child_free(program.child);
    size = pread(files[1], program.output, sizeof program.output - 1, 0);
    (void)close(files[1]);
    assert_true(size >= 0);
    program.output_size = (size_t)size;
    program.output[size] = '\0';
    if (program.status != 0)
        fail_msg("%s\n-> %d: %.500s", command, program.status, program.output);
}

static void save(const char *name, struct sw_bytes bytes)
{
    char path[96];

    (void)snprintf(path, sizeof path, "%s/%s", program.folder, name);
    assert_int_equal(sw_file_save(sw_system_real(), path, bytes.data, bytes.size, NULL), SW_OK);
}

static bool output_has(const char *text)
{
    if (strstr(program.output, text) != NULL)
        return true;
    print_message("not in the output: %s\n%.2000s\n", text, program.output);
    return false;
}

static void curl_speaks_http_11_and_http_2_in_clear_text(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    shell("curl -sS -i http://%s/a?b=c", f->address);
    assert_true(output_has("HTTP/1.1 200 OK\r\n"));
    assert_true(output_has("\r\n\r\nhello"));
    shell("curl -sS -i --http2-prior-knowledge -d body http://%s/a", f->address);
    assert_true(output_has("HTTP/2 200"));
    assert_true(output_has("\r\n\r\nbody"));
    shell("curl -sS -i --http2 http://%s/a", f->address); /* Asks for an upgrade, gets none. */
    assert_true(output_has("HTTP/1.1 200 OK\r\n"));
}

static void curl_keeps_a_connection(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    shell("curl -sS --http1.1 http://%s/one http://%s/two -I http://%s/three", f->address,
          f->address, f->address);
    assert_int_equal(f->handled, 3);
    assert_int_equal(server_view(f).connections_total, 1);
}

static void curl_sends_large_bodies_in_each_way(void **state)
{
    static const char *const ways[] = {"--http1.1", "--http1.1 -H 'Transfer-Encoding: chunked'",
                                       "--http2-prior-knowledge"};
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        shell("head -c 3000000 /dev/urandom > %s/in; curl -sS %s --data-binary @%s/in http://%s/ "
              "> %s/back && cmp %s/in %s/back && echo same",
              program.folder, ways[i], program.folder, f->address, program.folder, program.folder,
              program.folder);
        assert_true(output_has("same"));
    }
}

static void curl_sees_the_refusal_of_a_large_body(void **state)
{
    static const char *const ways[] = {"--http1.1",
                                       "--http1.1 -H Expect:", "--http2-prior-knowledge"};
    struct fixture *f = *state;
    struct sw_http_limits limits = {.body_bytes_max = 100000};

    fixture_start(f, &limits, NULL);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        shell("head -c 1000000 /dev/zero | curl -sS %s -w '%%{http_code}' --data-binary @- "
              "http://%s/",
              ways[i], f->address);
        assert_true(output_has("413"));
        assert_true(output_has("RESOURCE_EXHAUSTED"));
    }
    assert_int_equal(f->handled, 0);
}

static void stream_events(struct fixture *f, struct sw_http_request *request)
{
    struct sw_http_header header = SW_HTTP_HEADER("content-type", "text/event-stream");

    (void)f;
    sw_http_start(request, 200, &header, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(sw_http_write(request, "data: x\n\n", 9), SW_OK);
    sw_http_end(request, NULL, 0);
}

static void curl_reads_streams(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    f->answer = stream_events;
    shell("curl -sSN --http1.1 http://%s/; curl -sSN --http1.0 http://%s/; "
          "curl -sSN --http2-prior-knowledge http://%s/",
          f->address, f->address, f->address);
    assert_int_equal(program.output_size, 3 * 27);
}

static struct sw_tls_context *start_tls(struct fixture *f)
{
    static const char *const hosts[] = {"127.0.0.1"};
    struct sw_certificate_request server = {
        .identity = {.kind = SW_SPIFFE_NODE, .cluster = "test", .name = "one"},
        .is_server = true,
        .hosts = hosts,
        .hosts_count = 1,
        .lifetime_ns = 3600000000000u};
    struct sw_certificate_request client = {
        .identity = {.kind = SW_SPIFFE_USER, .cluster = "test", .name = "ada"},
        .lifetime_ns = 3600000000000u};
    uint64_t now_ns = sw_system_real()->utc_ns(NULL);
    struct sw_authority *authority = NULL;
    struct sw_credentials *ours = NULL, *theirs = NULL;
    struct sw_tls_context *tls = NULL;

    assert_int_equal(sw_authority_new("test", now_ns, &authority, NULL), SW_OK);
    assert_int_equal(sw_authority_issue(authority, &server, now_ns, &ours, NULL), SW_OK);
    assert_int_equal(sw_authority_issue(authority, &client, now_ns, &theirs, NULL), SW_OK);
    const struct sw_tls_options options = {.is_server = true,
                                           .roots_pem = sw_authority_pem(authority),
                                           .certificate_pem = sw_credentials_certificate_pem(ours),
                                           .key_pem = sw_credentials_key_pem(ours)};
    assert_int_equal(sw_tls_context_new(&options, &tls, NULL), SW_OK);
    save("ca.pem", sw_authority_pem(authority));
    save("cert.pem", sw_credentials_certificate_pem(theirs));
    save("key.pem", sw_credentials_key_pem(theirs));
    sw_credentials_free(ours);
    sw_credentials_free(theirs);
    sw_authority_free(authority);
    fixture_start(f, NULL, tls);
    return tls;
}

static void tell_peer(struct fixture *f, struct sw_http_request *request)
{
    (void)f;
    sw_http_respond_text(
        request, 200, "text/plain",
        sw_bytes_of_text(request->peer->is_known ? request->peer->identity.spiffe : "stranger"));
}

static void curl_speaks_tls_with_and_without_a_certificate(void **state)
{
    struct fixture *f = *state;
    struct sw_tls_context *tls = start_tls(f);

    f->answer = tell_peer;
    shell("cd %s && curl -sS -i --cacert ca.pem --cert cert.pem --key key.pem https://%s/",
          program.folder, f->address);
    assert_true(output_has("HTTP/2 200"));
    assert_true(output_has("spiffe://test/user/ada"));
    shell("cd %s && curl -sS -i --http1.1 --cacert ca.pem https://%s/", program.folder, f->address);
    assert_true(output_has("HTTP/1.1 200 OK"));
    assert_true(output_has("stranger"));
    shell("curl -sS https://%s/ || echo refused", f->address); /* An authority it does not know. */
    assert_true(output_has("refused"));
    shell("cd %s && curl -sS --tls-max 1.2 --cacert ca.pem https://%s/ || echo refused",
          program.folder, f->address);
    assert_true(output_has("refused"));
    sw_http_server_free(f->server);
    f->server = NULL;
    sw_tls_context_free(tls);
}

static void nghttp_asks_many_things_at_once(void **state)
{
    struct fixture *f = *state;
    struct sw_tls_context *tls = start_tls(f);

    shell("nghttp -nv -m 50 https://%s/a 2>&1", f->address);
    assert_true(output_has("The negotiated protocol: h2"));
    assert_int_equal(f->handled, 50);
    shell("nghttp --no-dep -u http://%s/ 2>&1 || echo refused", f->address);
    sw_http_server_free(f->server);
    f->server = NULL;
    sw_tls_context_free(tls);
}

static void h2load_gets_every_answer(void **state)
{
    struct fixture *f = *state;
    struct sw_tls_context *tls = start_tls(f);

    shell("h2load -n 5000 -c 8 -m 50 https://%s/a", f->address);
    assert_true(output_has("5000 succeeded, 0 failed, 0 errored, 0 timeout"));
    shell("h2load --h1 -n 1000 -c 8 https://%s/a", f->address);
    assert_true(output_has("1000 succeeded, 0 failed, 0 errored, 0 timeout"));
    for (int i = 0; i < 100 && server_view(f).connections > 0; i++)
        run_for(f, 10);
    assert_int_equal(server_view(f).requests, 0);
    assert_int_equal(server_view(f).protocol_errors, 0);
    sw_http_server_free(f->server);
    f->server = NULL;
    sw_tls_context_free(tls);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, program_set_up, program_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(curl_speaks_http_11_and_http_2_in_clear_text),
        TEST(curl_keeps_a_connection),
        TEST(curl_sends_large_bodies_in_each_way),
        TEST(curl_sees_the_refusal_of_a_large_body),
        TEST(curl_reads_streams),
        TEST(curl_speaks_tls_with_and_without_a_certificate),
        TEST(nghttp_asks_many_things_at_once),
        TEST(h2load_gets_every_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
