#include "pkg/broker/outbound/outbound.h"

#include "pkg/broker/outbound/public.h"
#include "pkg/utils/base/heap.h"
#include "pkg/utils/base/list.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CONNECTIONS_MAX 1024u
#define IDLE_EASY_MAX 256u
#define LINE_BYTES_MAX 16384u /* Of a header that is sent. */

struct sw_outbound {
    struct sw_loop *loop;
    CURLM *multi;
    struct sw_timer *timer;  /* libcurl's. */
    struct sw_timer *silent; /* Of `silences`. */
    struct sw_heap silences; /* Transfers, by when to look at them. */
    uint64_t armed_ms;       /* When `silent` fires; UINT64_MAX: it does not. */
    struct sw_list transfers;
    struct sw_list cancelled;  /* Transfers, while libcurl is at work. */
    CURL *idle[IDLE_EASY_MAX]; /* To use again: making one costs more than a request. */
    uint32_t idle_count, in_flight;
    char *authorities_file;
    bool is_inside; /* libcurl is at work: what is cancelled goes after it. */
    bool is_public_only;
};

struct sw_transfer {
    struct sw_heap_entry entry; /* First: an entry is its transfer. */
    struct sw_list node;
    struct sw_outbound *outbound;
    CURL *easy;
    struct curl_slist *headers;
    struct sw_outbound_handler handler;
    uint64_t heard_ms, silence_ms;
    bool is_headed, is_cancelled, is_paused;
    bool is_silent; /* It was broken off for that. */
    bool is_held;   /* A connection to what is not public was not made. */
    char failure[CURL_ERROR_SIZE];
};

static void transfer_free(struct sw_transfer *transfer)
{
    struct sw_outbound *outbound = transfer->outbound;

    sw_heap_remove(&outbound->silences, &transfer->entry);
    sw_list_remove(&transfer->node);
    if (transfer->easy != NULL) {
        (void)curl_multi_remove_handle(outbound->multi, transfer->easy);
        curl_easy_reset(transfer->easy);
        if (outbound->idle_count < IDLE_EASY_MAX)
            outbound->idle[outbound->idle_count++] = transfer->easy;
        else
            curl_easy_cleanup(transfer->easy);
        outbound->in_flight--;
    }
    for (struct curl_slist *line = transfer->headers; line != NULL; line = line->next)
        explicit_bzero(line->data, strlen(line->data)); /* There are keys among them. */
    curl_slist_free_all(transfer->headers);
    free(transfer);
}

static enum sw_rc code_rc(CURLcode code)
{
    if (code == CURLE_OPERATION_TIMEDOUT)
        return SW_E_TIMEOUT;
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR ||
        code == CURLE_SSL_CACERT_BADFILE)
        return SW_E_UNAUTHENTICATED;
    if (code == CURLE_OUT_OF_MEMORY)
        return SW_E_EXHAUSTED;
    return code == CURLE_OK ? SW_OK : SW_E_UNAVAILABLE;
}

/* The transfer has ended, by itself or since it was silent: tell it. */
static void transfer_end(struct sw_transfer *transfer, CURLcode code)
{
    struct sw_outbound_end end = {.rc = transfer->is_silent ? SW_E_TIMEOUT : code_rc(code)};
    long sent = 0;

    (void)curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &sent);
    end.may_be_sent = sent > 0;
    if (transfer->is_held && code == CURLE_COULDNT_CONNECT)
        end.rc = SW_E_DENIED;
    end.why = end.rc == SW_E_DENIED          ? "its address is not one of the internet"
              : transfer->is_silent          ? "nothing came in time"
              : code == CURLE_OK             ? ""
              : transfer->failure[0] == '\0' ? curl_easy_strerror(code)
                                             : transfer->failure;
    transfer->handler.on_end(transfer->handler.ctx, transfer, &end);
    transfer_free(transfer);
}

/* What libcurl is done with. */
static void take_ended(struct sw_outbound *outbound)
{
    struct CURLMsg *message;
    struct sw_transfer *transfer;
    int left;

    while ((message = curl_multi_info_read(outbound->multi, &left)) != NULL) {
        CURLcode code = message->data.result;

        if (message->msg != CURLMSG_DONE)
            continue;
        transfer = NULL;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        if (transfer != NULL)
            transfer_end(transfer, code);
    }
}

/* libcurl has come back: what was cancelled meanwhile can go. */
static void come_out(struct sw_outbound *outbound)
{
    outbound->is_inside = false;
    SW_LIST_EACH(&outbound->cancelled, node)
    transfer_free(SW_LIST_ITEM(node, struct sw_transfer, node));
}

static void act(struct sw_outbound *outbound, curl_socket_t file, int events)
{
    int running;

    outbound->is_inside = true;
    (void)curl_multi_socket_action(outbound->multi, file, events, &running);
    come_out(outbound);
    take_ended(outbound);
}

static void on_ready(void *ctx, int file, unsigned events)
{
    act(ctx, file,
        ((events & SW_POLL_READ) != 0 ? CURL_CSELECT_IN : 0) |
            ((events & SW_POLL_WRITE) != 0 ? CURL_CSELECT_OUT : 0));
}

static void on_timer(void *ctx)
{
    act(ctx, CURL_SOCKET_TIMEOUT, 0);
}

/* CURLMOPT_TIMERFUNCTION */
static int set_timer(CURLM *multi, long delay_ms, void *ctx)
{
    struct sw_outbound *outbound = ctx;

    (void)multi;
    if (delay_ms < 0)
        sw_timer_stop(outbound->timer);
    else
        sw_timer_start(outbound->timer, (uint64_t)delay_ms);
    return 0;
}

/* CURLMOPT_SOCKETFUNCTION */
static int set_socket(CURL *easy, curl_socket_t file, int what, void *ctx, void *socket_ctx)
{
    struct sw_outbound *outbound = ctx;
    struct sw_poll *poll = socket_ctx;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        sw_poll_free(poll);
        (void)curl_multi_assign(outbound->multi, file, NULL);
        return 0;
    }
    if (poll == NULL) {
        if (sw_poll_new(outbound->loop, file, on_ready, outbound, &poll, NULL) != SW_OK)
            return -1;
        (void)curl_multi_assign(outbound->multi, file, poll);
    }
    sw_poll_set(poll, ((what & CURL_POLL_IN) != 0 ? SW_POLL_READ : 0) |
                          ((what & CURL_POLL_OUT) != 0 ? SW_POLL_WRITE : 0));
    return 0;
}

static void look_later(struct sw_outbound *outbound)
{
    const struct sw_heap_entry *first = sw_heap_first(&outbound->silences);
    uint64_t now = sw_loop_now_ms(outbound->loop);

    if (first == NULL || first->rank >= outbound->armed_ms)
        return;
    outbound->armed_ms = first->rank;
    sw_timer_start(outbound->silent, first->rank > now ? first->rank - now : 0);
}

/* End those of whom nothing was heard for too long; look at the others when that may be so. */
static void on_silent(void *ctx)
{
    struct sw_outbound *outbound = ctx;
    uint64_t now = sw_loop_now_ms(outbound->loop);
    struct sw_heap_entry *first;

    outbound->armed_ms = UINT64_MAX;
    while ((first = sw_heap_first(&outbound->silences)) != NULL && first->rank <= now) {
        struct sw_transfer *transfer = (struct sw_transfer *)(void *)first;
        uint64_t due = (transfer->is_paused ? now : transfer->heard_ms) + transfer->silence_ms;

        sw_heap_remove(&outbound->silences, first);
        if (due > now && sw_heap_put(&outbound->silences, first, due) == SW_OK)
            continue;
        transfer->is_silent = true;
        transfer_end(transfer, CURLE_OPERATION_TIMEDOUT);
    }
    look_later(outbound);
}

enum sw_rc sw_outbound_new(const struct sw_outbound_options *options,
                           struct sw_outbound **ret_outbound, struct sw_err *err)
{
    SW_CLEANUP(sw_outbound_freep) struct sw_outbound *outbound = calloc(1, sizeof *outbound);

    if (outbound == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for requests to others");
    sw_list_init(&outbound->transfers);
    sw_list_init(&outbound->cancelled);
    sw_heap_init(&outbound->silences);
    outbound->loop = options->loop;
    outbound->armed_ms = UINT64_MAX;
    outbound->is_public_only = options->is_public_only;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return sw_err_set(err, SW_E_INTERNAL, "libcurl cannot start");
    if (options->authorities_file != NULL)
        outbound->authorities_file = strdup(options->authorities_file);
    outbound->multi = curl_multi_init();
    outbound->timer = sw_timer_new(options->loop, on_timer, outbound);
    outbound->silent = sw_timer_new(options->loop, on_silent, outbound);
    if (outbound->multi == NULL || outbound->timer == NULL || outbound->silent == NULL ||
        (options->authorities_file != NULL && outbound->authorities_file == NULL))
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for requests to others");
    (void)curl_multi_setopt(outbound->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
    (void)curl_multi_setopt(outbound->multi, CURLMOPT_SOCKETDATA, outbound);
    (void)curl_multi_setopt(outbound->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    (void)curl_multi_setopt(outbound->multi, CURLMOPT_TIMERDATA, outbound);
    (void)curl_multi_setopt(outbound->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    (void)curl_multi_setopt(
        outbound->multi, CURLMOPT_MAXCONNECTS,
        (long)(options->connections_max == 0 ? CONNECTIONS_MAX : options->connections_max));
    (void)curl_multi_setopt(
        outbound->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
        (long)(options->connections_max == 0 ? CONNECTIONS_MAX : options->connections_max));
    (void)curl_multi_setopt(outbound->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                            (long)options->host_max);
    *ret_outbound = SW_TAKE(outbound);
    return SW_OK;
}

void sw_outbound_free(struct sw_outbound *outbound)
{
    if (outbound == NULL)
        return;
    SW_LIST_EACH(&outbound->transfers, node)
    transfer_free(SW_LIST_ITEM(node, struct sw_transfer, node));
    for (uint32_t i = 0; i < outbound->idle_count; i++)
        curl_easy_cleanup(outbound->idle[i]);
    if (outbound->multi != NULL)
        (void)curl_multi_cleanup(outbound->multi); /* Frees the polls. */
    sw_timer_free(outbound->timer);
    sw_timer_free(outbound->silent);
    sw_heap_done(&outbound->silences);
    free(outbound->authorities_file);
    free(outbound);
}

uint32_t sw_outbound_in_flight(const struct sw_outbound *outbound)
{
    return outbound->in_flight;
}

/* CURLOPT_HEADERFUNCTION: an empty line ends the headers of an answer, of which 1xx is none yet. */
static size_t take_header(char *bytes, size_t unit, size_t count, void *ctx)
{
    struct sw_transfer *transfer = ctx;
    size_t size = unit * count;
    long status = 0;

    transfer->heard_ms = sw_loop_now_ms(transfer->outbound->loop);
    if (transfer->is_cancelled)
        return 0;
    if (size == 0 || (bytes[0] != '\r' && bytes[0] != '\n') || transfer->is_headed)
        return size;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200)
        return size;
    transfer->is_headed = true;
    transfer->handler.on_head(transfer->handler.ctx, transfer, (int)status);
    return transfer->is_cancelled ? 0 : size;
}

/* CURLOPT_WRITEFUNCTION */
static size_t take_body(char *bytes, size_t unit, size_t count, void *ctx)
{
    struct sw_transfer *transfer = ctx;
    size_t size = unit * count;

    transfer->heard_ms = sw_loop_now_ms(transfer->outbound->loop);
    if (transfer->is_cancelled)
        return 0;
    if (transfer->is_paused)
        return CURL_WRITEFUNC_PAUSE; /* It comes again. */
    transfer->handler.on_body(transfer->handler.ctx, transfer, (struct sw_bytes){bytes, size});
    return transfer->is_cancelled ? 0 : size;
}

bool sw_outbound_is_header(const char *text)
{
    return text[0] != '\0' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
               strlen(text);
}

static enum sw_rc add_header(struct sw_transfer *transfer, const char *name, struct sw_bytes value,
                             struct sw_err *err)
{
    char line[LINE_BYTES_MAX];
    struct curl_slist *longer;
    int size;

    if (!sw_outbound_is_header(name) ||
        (value.size > 0 && (memchr(value.data, '\n', value.size) != NULL ||
                            memchr(value.data, '\r', value.size) != NULL ||
                            memchr(value.data, '\0', value.size) != NULL)))
        return sw_err_set(err, SW_E_INVALID, "the header %.64s cannot be sent", name);
    size = snprintf(line, sizeof line, "%s:%s%.*s", name, value.size > 0 ? " " : "",
                    (int)value.size, value.size > 0 ? (const char *)value.data : "");
    if (size < 0 || (size_t)size >= sizeof line || value.size > LINE_BYTES_MAX)
        return sw_err_set(err, SW_E_INVALID, "the header %.64s is longer than %u bytes", name,
                          LINE_BYTES_MAX);
    longer = curl_slist_append(transfer->headers, line);
    explicit_bzero(line, (size_t)size);
    if (longer == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a request");
    transfer->headers = longer;
    return SW_OK;
}

static enum sw_rc set_headers(struct sw_transfer *transfer,
                              const struct sw_outbound_request *request, struct sw_err *err)
{
    enum sw_rc rc = SW_OK;

    if (request->headers_count > SW_OUTBOUND_HEADERS_MAX)
        return sw_err_set(err, SW_E_INVALID, "more than %u headers", SW_OUTBOUND_HEADERS_MAX);
    for (size_t i = 0; i < request->headers_count && rc == SW_OK; i++)
        rc = add_header(transfer, request->headers[i].name, request->headers[i].value, err);
    if (rc == SW_OK)
        rc = add_header(transfer, "Expect", (struct sw_bytes){NULL, 0}, err); /* Do not wait. */
    return rc;
}

static enum sw_rc set_request(struct sw_transfer *transfer,
                              const struct sw_outbound_request *request, struct sw_err *err)
{
    CURL *easy = transfer->easy;
    CURLcode code;

    if (!sw_outbound_is_header(request->method))
        return sw_err_set(err, SW_E_INVALID, "\"%.32s\" is no method", request->method);
    (void)curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    code = curl_easy_setopt(easy, CURLOPT_URL, request->url);
    if (code == CURLE_OUT_OF_MEMORY)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a request");
    if (code != CURLE_OK || strpbrk(request->url, " \t\r\n") != NULL ||
        (strncmp(request->url, "http://", 7) != 0 && strncmp(request->url, "https://", 8) != 0))
        return sw_err_set(err, SW_E_INVALID, "\"%.200s\" is no address to ask", request->url);
    if (request->body.data != NULL) {
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.data);
    } else if (strcmp(request->method, "HEAD") == 0) {
        (void)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    }
    (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    if (request->timeout_ms > 0)
        (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    if (request->connect_timeout_ms > 0)
        (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_timeout_ms);
    if (request->is_fresh) {
        (void)curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
        (void)curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    }
    return set_headers(transfer, request, err);
}

/* CURLOPT_OPENSOCKETFUNCTION, after names were looked up: what they came to is what counts. */
static curl_socket_t open_public(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct sw_transfer *transfer = ctx;

    (void)purpose;
    if (sw_address_is_public(&address->addr))
        return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    transfer->is_held = true;
    return CURL_SOCKET_BAD;
}

static void set_callbacks(struct sw_transfer *transfer)
{
    CURL *easy = transfer->easy;

    if (transfer->outbound->is_public_only) {
        (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_public);
        (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    }

    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->failure);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    (void)curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    (void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (transfer->outbound->authorities_file != NULL)
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, transfer->outbound->authorities_file);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
}

static enum sw_rc transfer_begin(struct sw_transfer *transfer, struct sw_err *err)
{
    struct sw_outbound *outbound = transfer->outbound;

    set_callbacks(transfer);
    if ((transfer->silence_ms > 0 &&
         sw_heap_put(&outbound->silences, &transfer->entry,
                     transfer->heard_ms + transfer->silence_ms) != SW_OK) ||
        curl_multi_add_handle(outbound->multi, transfer->easy) != CURLM_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a request");
    look_later(outbound);
    return SW_OK;
}

enum sw_rc sw_outbound_start(struct sw_outbound *outbound,
                             const struct sw_outbound_request *request,
                             const struct sw_outbound_handler *handler,
                             struct sw_transfer **ret_transfer, struct sw_err *err)
{
    struct sw_transfer *transfer;
    enum sw_rc rc;

    if (outbound->in_flight >= SW_OUTBOUND_TRANSFERS_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED, "%u requests to others are under way",
                          SW_OUTBOUND_TRANSFERS_MAX);
    transfer = calloc(1, sizeof *transfer);
    if (transfer == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a request");
    transfer->entry.at = SW_HEAP_ABSENT;
    transfer->outbound = outbound;
    transfer->handler = *handler;
    transfer->silence_ms = request->silence_ms;
    transfer->heard_ms = sw_loop_now_ms(outbound->loop);
    sw_list_add(&outbound->transfers, &transfer->node);
    transfer->easy =
        outbound->idle_count > 0 ? outbound->idle[--outbound->idle_count] : curl_easy_init();
    if (transfer->easy != NULL)
        outbound->in_flight++;
    rc = transfer->easy == NULL ? sw_err_set(err, SW_E_EXHAUSTED, "no memory for a request")
                                : set_request(transfer, request, err);
    if (rc == SW_OK)
        rc = transfer_begin(transfer, err);
    if (rc != SW_OK) {
        transfer_free(transfer);
        return rc;
    }
    *ret_transfer = transfer;
    return SW_OK;
}

void sw_outbound_cancel(struct sw_transfer *transfer)
{
    struct sw_outbound *outbound = transfer->outbound;

    if (!outbound->is_inside) {
        transfer_free(transfer);
        return;
    }
    transfer->is_cancelled = true;
    sw_list_remove(&transfer->node);
    sw_list_add(&outbound->cancelled, &transfer->node);
}

const char *sw_outbound_header(struct sw_transfer *transfer, const char *name)
{
    struct curl_header *header = NULL;

    if (curl_easy_header(transfer->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return "";
    return header->value;
}

bool sw_outbound_next_header(struct sw_transfer *transfer, void **cursor, const char **ret_name,
                             const char **ret_value)
{
    struct curl_header *header = curl_easy_nextheader(transfer->easy, CURLH_HEADER, -1, *cursor);

    if (header == NULL)
        return false;
    *cursor = header;
    *ret_name = header->name;
    *ret_value = header->value;
    return true;
}

void sw_outbound_pause(struct sw_transfer *transfer)
{
    transfer->is_paused = true; /* libcurl hears of it with the next bytes. */
}

void sw_outbound_resume(struct sw_transfer *transfer)
{
    struct sw_outbound *outbound = transfer->outbound;
    bool was_inside = outbound->is_inside;

    if (!transfer->is_paused)
        return;
    transfer->is_paused = false;
    transfer->heard_ms = sw_loop_now_ms(outbound->loop);
    outbound->is_inside = true;
    (void)curl_easy_pause(transfer->easy, CURLPAUSE_CONT); /* It hands over what it had kept. */
    if (!was_inside)
        come_out(outbound);
}
