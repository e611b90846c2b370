#include "pkg/client/clientset/client.h"
#include "pkg/client/clientset/events.h"
#include "pkg/client/clientset/problem.h"
#include "pkg/utils/base/list.h"
#include "pkg/utils/base/text.h"
#include "pkg/utils/version/version.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 5000
#define SILENCE_MS 90000u
#define LOOK_MS 1000u /* How often a stream is looked after. */
#define PATH_MAX_BYTES 8192
#define IDLE_EASY_MAX 128

struct call { /* One request under way. */
    struct sw_list list;
    struct sw_client *client;
    CURL *easy;
    struct curl_slist *headers;
    struct sw_answer answer;
    struct sw_event_stream *stream; /* NULL: the body is collected. */
    enum sw_rc stream_rc;
    sw_client_bytes *on_bytes; /* Takes the body; NULL: as `stream` says. */
    void *bytes_ctx;
    struct sw_err bytes_err;
    uint64_t taken_bytes;
    uint64_t heard_ms; /* When the last bytes of the stream came. */
    sw_client_done *done;
    void *ctx;
    char failure[CURL_ERROR_SIZE];
};

struct sw_client {
    CURLM *multi;
    const struct sw_system *system;
    struct sw_list calls;
    size_t in_flight;
    CURL *idle[IDLE_EASY_MAX]; /* Handles to use again: making one costs more than a request. */
    size_t idle_count;
    uint64_t connect_timeout_ms, timeout_ms, silence_ms;
    bool (*is_wanted)(void *ctx);
    void *is_wanted_ctx;
    bool is_unreachable;
    char *server, *user_agent, *authority_pem, *certificate_pem, *key_pem;
    void (*trace)(void *ctx, const char *line);
    void *trace_ctx;
};

void sw_answer_init(struct sw_answer *answer)
{
    memset(answer, 0, sizeof *answer);
    sw_buffer_init(&answer->body, SW_CLIENT_ANSWER_BYTES_MAX);
}

void sw_answer_done(struct sw_answer *answer)
{
    sw_buffer_done(&answer->body);
}

static enum sw_rc check_server(const char *server, struct sw_err *err)
{
    size_t size = strlen(server);

    if ((strncmp(server, "https://", 8) == 0 || strncmp(server, "http://", 7) == 0) && size < 512 &&
        strpbrk(server, " \t\r\n\"<>") == NULL)
        return SW_OK;
    (void)sw_err_set(err, SW_E_INVALID, "\"%.200s\" is no address of a server", server);
    sw_err_hint(err, "it looks like https://127.0.0.1:7420");
    return SW_E_INVALID;
}

static char *copy_text(const char *text)
{
    return strdup(text == NULL ? "" : text);
}

enum sw_rc sw_client_new(const struct sw_client_options *options, struct sw_client **ret_client,
                         struct sw_err *err)
{
    SW_CLEANUP(sw_client_freep) struct sw_client *client = NULL;
    const struct sw_context *context = options->context;
    char agent[64];

    if (check_server(context->server, err) != SW_OK)
        return SW_E_INVALID;
    (void)snprintf(agent, sizeof agent, "swarm/%s", sw_version());
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return sw_err_set(err, SW_E_INTERNAL, "libcurl cannot start");
    client = calloc(1, sizeof *client);
    if (client == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a connection");
    sw_list_init(&client->calls);
    client->system = options->system;
    client->connect_timeout_ms =
        options->connect_timeout_ms == 0 ? CONNECT_TIMEOUT_MS : options->connect_timeout_ms;
    client->timeout_ms = options->timeout_ms == 0 ? SW_CLIENT_TIMEOUT_MS : options->timeout_ms;
    client->silence_ms = options->silence_ms == 0 ? SILENCE_MS : options->silence_ms;
    client->is_wanted = options->is_wanted;
    client->is_wanted_ctx = options->is_wanted_ctx;
    client->server = copy_text(context->server);
    client->user_agent = copy_text(options->user_agent == NULL ? agent : options->user_agent);
    client->authority_pem = copy_text(context->authority_pem);
    client->certificate_pem = copy_text(context->certificate_pem);
    client->key_pem = copy_text(context->key_pem);
    client->trace = options->trace;
    client->trace_ctx = options->trace_ctx;
    client->multi = curl_multi_init();
    if (client->server == NULL || client->user_agent == NULL || client->authority_pem == NULL ||
        client->certificate_pem == NULL || client->key_pem == NULL || client->multi == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a connection");
    while (client->server[0] != '\0' && client->server[strlen(client->server) - 1] == '/')
        client->server[strlen(client->server) - 1] = '\0';
    (void)curl_multi_setopt(client->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    (void)curl_multi_setopt(client->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, 256L);
    *ret_client = SW_TAKE(client);
    return SW_OK;
}

static void call_free(struct call *call)
{
    sw_list_remove(&call->list);
    call->client->in_flight--;
    if (call->easy != NULL) {
        (void)curl_multi_remove_handle(call->client->multi, call->easy);
        curl_easy_reset(call->easy);
        if (call->client->idle_count < IDLE_EASY_MAX)
            call->client->idle[call->client->idle_count++] = call->easy;
        else
            curl_easy_cleanup(call->easy);
    }
    curl_slist_free_all(call->headers);
    sw_answer_done(&call->answer);
    free(call);
}

void sw_client_free(struct sw_client *client)
{
    if (client == NULL)
        return;
    SW_LIST_EACH(&client->calls, node)
    call_free(SW_LIST_ITEM(node, struct call, list));
    for (size_t i = 0; i < client->idle_count; i++)
        curl_easy_cleanup(client->idle[i]);
    if (client->multi != NULL)
        (void)curl_multi_cleanup(client->multi);
    free(client->server);
    free(client->user_agent);
    free(client->authority_pem);
    free(client->certificate_pem);
    free(client->key_pem);
    free(client);
}

const char *sw_client_server(const struct sw_client *client)
{
    return client->server;
}

uint64_t sw_client_now_ms(const struct sw_client *client)
{
    return client->system->monotonic_ns(client->system->ctx) / 1000000;
}

bool sw_client_is_unreachable(const struct sw_client *client)
{
    return client->is_unreachable;
}

size_t sw_client_in_flight(const struct sw_client *client)
{
    return client->in_flight;
}

/* What the server says that a body will be. */
static uint64_t said_size(const struct call *call)
{
    struct curl_header *header = NULL;
    uint64_t size = 0;

    if (curl_easy_header(call->easy, "swarm-size", 0, CURLH_HEADER, -1, &header) != CURLHE_OK ||
        sw_text_to_u64(header->value, &size) != SW_OK)
        return 0;
    return size;
}

static enum sw_rc pass_on(struct call *call, struct sw_bytes bytes)
{
    call->heard_ms = sw_client_now_ms(call->client);
    call->taken_bytes += bytes.size;
    return call->on_bytes(call->bytes_ctx, bytes, said_size(call), &call->bytes_err);
}

/* libcurl hands over a piece of the body; anything but `size` ends the transfer. */
static size_t take_body(char *bytes, size_t unit, size_t count, void *ctx)
{
    struct call *call = ctx;
    size_t size = unit * count;
    long status = 0;

    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    if (call->on_bytes != NULL && status >= 200 && status < 300) {
        call->stream_rc = pass_on(call, (struct sw_bytes){bytes, size});
        return call->stream_rc == SW_OK ? size : 0;
    }
    if (call->stream != NULL && status >= 200 && status < 300) {
        call->heard_ms = sw_client_now_ms(call->client);
        call->stream_rc = sw_event_stream_feed(call->stream, bytes, size);
        return call->stream_rc == SW_OK ? size : 0;
    }
    sw_buffer_put(&call->answer.body, bytes, size);
    return call->answer.body.failed ? 0 : size;
}

static struct curl_slist *add_header(struct curl_slist *headers, const char *name,
                                     const char *value, bool *failed)
{
    char line[256];
    struct curl_slist *longer;

    (void)snprintf(line, sizeof line, "%s: %s", name, value);
    longer = curl_slist_append(headers, line);
    *failed = *failed || longer == NULL;
    return longer == NULL ? headers : longer;
}

static void set_blob(CURL *easy, CURLoption option, const char *pem)
{
    struct curl_blob blob;

    if (pem[0] == '\0')
        return;
    blob.data =
        (void *)(uintptr_t)pem; /* Not copied, not written: the client outlives its calls. */
    blob.len = strlen(pem);
    blob.flags = CURL_BLOB_NOCOPY;
    (void)curl_easy_setopt(easy, option, &blob);
}

static void set_identity(const struct sw_client *client, CURL *easy)
{
    set_blob(easy, CURLOPT_CAINFO_BLOB, client->authority_pem);
    if (client->certificate_pem[0] != '\0') {
        (void)curl_easy_setopt(easy, CURLOPT_SSLCERTTYPE, "PEM");
        (void)curl_easy_setopt(easy, CURLOPT_SSLKEYTYPE, "PEM");
        set_blob(easy, CURLOPT_SSLCERT_BLOB, client->certificate_pem);
        set_blob(easy, CURLOPT_SSLKEY_BLOB, client->key_pem);
    }
    (void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
}

static void set_transfer(struct call *call, const struct sw_request *request)
{
    const struct sw_client *client = call->client;
    CURL *easy = call->easy;
    uint64_t timeout_ms = request->timeout_ms == 0 ? client->timeout_ms : request->timeout_ms;

    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->failure);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https,http");
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                           strncmp(client->server, "https:", 6) == 0
                               ? (long)CURL_HTTP_VERSION_2TLS
                               : (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
    (void)curl_easy_setopt(easy, CURLOPT_PIPEWAIT,
                           1L); /* Rather share a connection than open one. */
    (void)curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, client->user_agent);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)client->connect_timeout_ms);
    if (timeout_ms != UINT64_MAX)
        (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    set_identity(client, easy);
}

static enum sw_rc set_request(struct call *call, const struct sw_request *request)
{
    char url[PATH_MAX_BYTES];
    bool failed = false;
    CURL *easy = call->easy;

    if ((size_t)snprintf(url, sizeof url, "%s%s", call->client->server, request->path) >=
        sizeof url)
        return SW_E_INVALID;
    call->headers =
        add_header(call->headers, "Accept",
                   request->accept == NULL ? "application/json" : request->accept, &failed);
    call->headers = add_header(call->headers, "Expect", "", &failed); /* No 100-continue. */
    if (request->body.data != NULL) {
        call->headers = add_header(
            call->headers, "Content-Type",
            request->content_type == NULL ? "application/json" : request->content_type, &failed);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.data);
    }
    if (strcmp(request->method, "HEAD") == 0)
        (void)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
    return failed || curl_easy_setopt(easy, CURLOPT_URL, url) != CURLE_OK ? SW_E_EXHAUSTED : SW_OK;
}

static enum sw_rc call_begin(struct sw_client *client, const struct sw_request *request,
                             struct sw_event_stream *stream, struct call **ret_call,
                             struct sw_err *err)
{
    struct call *call;
    enum sw_rc rc;

    if (client->in_flight >= SW_CLIENT_IN_FLIGHT_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED, "%d requests are under way",
                          SW_CLIENT_IN_FLIGHT_MAX);
    call = calloc(1, sizeof *call);
    if (call == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a request");
    call->client = client;
    call->stream = stream;
    sw_answer_init(&call->answer);
    sw_list_add(&client->calls, &call->list);
    client->in_flight++;
    call->easy = client->idle_count > 0 ? client->idle[--client->idle_count] : curl_easy_init();
    if (call->easy == NULL) {
        call_free(call);
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a request");
    }
    set_transfer(call, request);
    rc = set_request(call, request);
    if (rc == SW_OK && curl_multi_add_handle(client->multi, call->easy) != CURLM_OK)
        rc = SW_E_EXHAUSTED;
    if (rc != SW_OK) {
        call_free(call);
        return sw_err_set(err, rc,
                          rc == SW_E_INVALID ? "the request's path is longer than %d bytes"
                                             : "no memory for a request (%d)",
                          PATH_MAX_BYTES);
    }
    *ret_call = call;
    return SW_OK;
}

static enum sw_rc unreachable(struct sw_client *client, const char *why, struct sw_err *err)
{
    bool is_local = strstr(client->server, "//127.") != NULL ||
                    strstr(client->server, "//localhost") != NULL ||
                    strstr(client->server, "//[::1]") != NULL;

    client->is_unreachable = true;
    (void)sw_err_set(err, SW_E_UNAVAILABLE, "cannot reach %s: %s", client->server, why);
    sw_err_hint(err, is_local ? "is swarmd running? start it with: swarmd --dev"
                              : "is swarmd running there, and is the address right?");
    return SW_E_UNAVAILABLE;
}

/* What libcurl says of a transfer that gave no whole answer. */
static enum sw_rc transfer_failed(struct call *call, CURLcode code, struct sw_err *err)
{
    struct sw_client *client = call->client;
    const char *why = call->failure[0] == '\0' ? curl_easy_strerror(code) : call->failure;
    curl_off_t connected = 0;
    long connects = 0;

    if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST)
        return unreachable(client, why, err);
    if (code == CURLE_PEER_FAILED_VERIFICATION) {
        (void)sw_err_set(err, SW_E_UNAUTHENTICATED,
                         "%s is not who the context says: its certificate is not trusted",
                         client->server);
        sw_err_hint(err, "was the daemon set up anew? renew the context: swarmd --dev writes one");
        return SW_E_UNAUTHENTICATED;
    }
    if (code == CURLE_OPERATION_TIMEDOUT) {
        (void)curl_easy_getinfo(call->easy, CURLINFO_APPCONNECT_TIME_T, &connected);
        (void)curl_easy_getinfo(call->easy, CURLINFO_NUM_CONNECTS, &connects);
        if (connected == 0 && connects > 0) /* None: it went over one that was there. */
            return unreachable(client, "no connection in time", err);
        (void)sw_err_set(err, SW_E_TIMEOUT, "no answer from %s in time", client->server);
        sw_err_hint(err, "wait longer with --timeout");
        return SW_E_TIMEOUT;
    }
    if (code == CURLE_WRITE_ERROR && call->answer.body.failed)
        return sw_err_set(err, SW_E_EXHAUSTED, "the answer of %s is larger than %zu MiB",
                          client->server, SW_CLIENT_ANSWER_BYTES_MAX >> 20);
    if (code == CURLE_SSL_CERTPROBLEM)
        return sw_err_set(err, SW_E_INVALID, "the context's certificate or key cannot be used: %s",
                          why);
    return unreachable(client, why, err);
}

static void trace_call(const struct call *call, CURLcode code)
{
    char line[PATH_MAX_BYTES + 128];
    const char *url = "", *method = "";
    curl_off_t us = 0;

    if (call->client->trace == NULL)
        return;
    (void)curl_easy_getinfo(call->easy, CURLINFO_EFFECTIVE_URL, &url);
    (void)curl_easy_getinfo(call->easy, CURLINFO_EFFECTIVE_METHOD, &method);
    (void)curl_easy_getinfo(call->easy, CURLINFO_TOTAL_TIME_T, &us);
    (void)snprintf(line, sizeof line, "%s %s: %d, %zu bytes, %.1f ms%s%s", method, url,
                   call->answer.status, call->answer.body.size, (double)us / 1000,
                   code == CURLE_OK ? "" : ", ", code == CURLE_OK ? "" : curl_easy_strerror(code));
    call->client->trace(call->client->trace_ctx, line);
}

static void read_headers(struct call *call)
{
    struct curl_header *from = NULL;
    const char *type = NULL;

    if (curl_easy_header(call->easy, "swarm-from", 0, CURLH_HEADER, -1, &from) == CURLHE_OK)
        (void)snprintf(call->answer.from, sizeof call->answer.from, "%s", from->value);

    (void)curl_easy_getinfo(call->easy, CURLINFO_CONTENT_TYPE, &type);
    if (type != NULL)
        (void)snprintf(call->answer.content_type, sizeof call->answer.content_type, "%.*s",
                       (int)strcspn(type, "; "), type);
}

static enum sw_rc call_outcome(struct call *call, CURLcode code, struct sw_err *err)
{
    long status = 0;
    bool is_success;

    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    call->answer.status = (int)status;
    is_success = status >= 200 && status < 300;
    read_headers(call);
    trace_call(call, code);
    call->client->is_unreachable = false;
    if (call->on_bytes != NULL && call->stream_rc != SW_OK) {
        if (err != NULL)
            *err = call->bytes_err;
        return call->stream_rc;
    }
    if (code != CURLE_OK && code != CURLE_OPERATION_TIMEDOUT && call->taken_bytes > 0) {
        (void)sw_err_set(err, SW_E_UNAVAILABLE, "%s broke off after %llu bytes",
                         call->client->server, (unsigned long long)call->taken_bytes);
        sw_err_hint(err, "the log of swarmd says why; begin again");
        return SW_E_UNAVAILABLE;
    }
    if (call->stream_rc != SW_OK)
        return sw_err_set(err, call->stream_rc, "%s",
                          call->stream_rc == SW_E_CANCELLED ? "enough was read"
                                                            : "an event is too large");
    if (code != CURLE_OK &&
        !(call->stream != NULL && is_success && code != CURLE_OPERATION_TIMEDOUT))
        return transfer_failed(call, code, err);
    if (!is_success)
        return sw_problem_read(
            (int)status, (struct sw_bytes){call->answer.body.data, call->answer.body.size}, err);
    if (call->stream != NULL) {
        (void)sw_err_set(err, SW_E_UNAVAILABLE, "the server ended the stream");
        sw_err_hint(err, "ask again from the last event");
        return SW_E_UNAVAILABLE;
    }
    return SW_OK;
}

/* Let libcurl work and hand out what is done; *ret_any says whether anything was. */
static enum sw_rc pump(struct sw_client *client, bool *ret_any, struct sw_err *err)
{
    int running = 0, left = 0;
    CURLMcode code = curl_multi_perform(client->multi, &running);
    CURLMsg *message;

    *ret_any = false;
    if (code != CURLM_OK)
        return sw_err_set(err, SW_E_INTERNAL, "libcurl: %s", curl_multi_strerror(code));
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        CURLcode outcome = message->data.result;
        struct sw_err call_err = {0};
        struct call *call;
        void *private = NULL;
        enum sw_rc rc;

        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        assert(private != NULL);
        call = private;
        rc = call_outcome(call, outcome, &call_err);
        *ret_any = true;
        call->done(call->ctx, rc, &call->answer, &call_err);
        call_free(call);
    }
    return SW_OK;
}

enum sw_rc sw_client_run(struct sw_client *client, uint64_t wait_ms, struct sw_err *err)
{
    int wait = wait_ms > 60000 ? 60000 : (int)wait_ms;
    bool any = false;
    enum sw_rc rc = pump(client, &any, err);

    if (rc != SW_OK || any)
        return rc;
    (void)curl_multi_poll(client->multi, NULL, 0, wait, NULL);
    return pump(client, &any, err);
}

enum sw_rc sw_client_start(struct sw_client *client, const struct sw_request *request,
                           sw_client_done *done, void *ctx, struct sw_err *err)
{
    struct call *call = NULL;
    enum sw_rc rc = call_begin(client, request, NULL, &call, err);

    assert(done != NULL);
    if (rc != SW_OK)
        return rc;
    assert(call != NULL);
    call->done = done;
    call->ctx = ctx;
    return SW_OK;
}

/* Where the outcome of a call that somebody waits for is kept. */
struct waiter {
    bool is_done;
    enum sw_rc rc;
    struct sw_answer *answer;
    struct sw_err *err;
};

static void note_outcome(void *ctx, enum sw_rc rc, const struct sw_answer *answer,
                         const struct sw_err *err)
{
    struct waiter *waiter = ctx;

    waiter->is_done = true;
    waiter->rc = rc;
    if (rc != SW_OK && waiter->err != NULL)
        *waiter->err = *err;
    if (waiter->answer == NULL)
        return;
    waiter->answer->status = answer->status;
    memcpy(waiter->answer->content_type, answer->content_type, sizeof answer->content_type);
    memcpy(waiter->answer->from, answer->from, sizeof answer->from);
    sw_buffer_reset(&waiter->answer->body);
    if (answer->body.size > 0)
        sw_buffer_put(&waiter->answer->body, answer->body.data, answer->body.size);
    if (answer->body.failed || waiter->answer->body.failed)
        waiter->rc = rc == SW_OK ? SW_E_EXHAUSTED : rc;
}

/* A stream is heard, and somebody wants it. SW_E_CANCELLED: nobody does. */
static enum sw_rc check_stream(const struct call *call, struct sw_err *err)
{
    const struct sw_client *client = call->client;

    if (call->stream == NULL && call->taken_bytes == 0)
        return SW_OK;
    if (client->is_wanted != NULL && !client->is_wanted(client->is_wanted_ctx))
        return sw_err_set(err, SW_E_CANCELLED, "nobody reads any more");
    if (sw_client_now_ms(client) - call->heard_ms < client->silence_ms)
        return SW_OK;
    (void)sw_err_set(err, SW_E_UNAVAILABLE, "%s has been silent for %llu s", client->server,
                     (unsigned long long)client->silence_ms / 1000);
    sw_err_hint(err, call->stream == NULL ? "begin again" : "ask again from the last event");
    return SW_E_UNAVAILABLE;
}

static enum sw_rc wait_for(struct sw_client *client, struct call *call, struct waiter *waiter,
                           struct sw_err *err)
{
    uint64_t wait_ms = client->silence_ms < LOOK_MS ? client->silence_ms : LOOK_MS;
    enum sw_rc rc = SW_OK;

    assert(call != NULL);
    call->done = note_outcome;
    call->ctx = waiter;
    call->heard_ms = sw_client_now_ms(client);
    while (rc == SW_OK && !waiter->is_done) {
        rc = sw_client_run(client, wait_ms, err);
        if (rc == SW_OK && !waiter->is_done)
            rc = check_stream(call, err);
    }
    if (rc != SW_OK && !waiter->is_done)
        call_free(call);
    return rc == SW_OK ? waiter->rc : rc;
}

enum sw_rc sw_client_call(struct sw_client *client, const struct sw_request *request,
                          struct sw_answer *ret_answer, struct sw_err *err)
{
    struct waiter waiter = {.answer = ret_answer, .err = err};
    struct call *call = NULL;
    enum sw_rc rc = call_begin(client, request, NULL, &call, err);

    return rc == SW_OK ? wait_for(client, call, &waiter, err) : rc;
}

enum sw_rc sw_client_download(struct sw_client *client, const struct sw_request *request,
                              sw_client_bytes *on_bytes, void *ctx, struct sw_err *err)
{
    struct sw_err own = {0}; /* on_bytes may have filled the caller's. */
    struct waiter waiter = {.err = &own};
    struct call *call = NULL;
    enum sw_rc rc = call_begin(client, request, NULL, &call, &own);

    if (rc == SW_OK) {
        call->on_bytes = on_bytes;
        call->bytes_ctx = ctx;
        rc = wait_for(client, call, &waiter, &own);
    }
    if (rc != SW_OK && err != NULL)
        *err = own;
    return rc;
}

enum sw_rc sw_client_follow(struct sw_client *client, const struct sw_request *request,
                            sw_client_event *on_event, void *ctx, struct sw_err *err)
{
    struct sw_request streaming = *request;
    struct sw_err own = {0}; /* on_event may have filled the caller's. */
    struct waiter waiter = {.err = &own};
    struct sw_event_stream stream;
    struct call *call = NULL;
    enum sw_rc rc;

    streaming.accept = "text/event-stream";
    sw_event_stream_init(&stream);
    stream.on_event = on_event;
    stream.ctx = ctx;
    rc = call_begin(client, &streaming, &stream, &call, &own);
    if (rc == SW_OK)
        rc = wait_for(client, call, &waiter, &own);
    sw_event_stream_done(&stream);
    if (rc == SW_OK || rc == SW_E_CANCELLED)
        return SW_OK;
    if (err != NULL)
        *err = own;
    return rc;
}

void sw_client_escape(const char *text, struct sw_buffer *out)
{
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        bool is_plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                        (byte >= '0' && byte <= '9') || strchr("-._~", byte) != NULL;

        if (is_plain)
            sw_buffer_put_u8(out, byte);
        else
            sw_buffer_print(out, "%%%02X", byte);
    }
}
