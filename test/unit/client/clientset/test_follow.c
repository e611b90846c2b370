/* Following a stream: comments keep it alive, silence ends it, and so does a reader who left. */
/* labels: threaded */
/* uses: pkg/communication/protocol pkg/utils/loop pkg/utils/system */
#include "pkg/client/clientset/objects.h"
#include "pkg/communication/protocol/server.h"
#include "pkg/utils/loop/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#define BEAT_MS 20u
#define BEATS 30u /* Twice as long as the client bears silence. */
#define SILENCE_MS 300u

/* A server in a thread of its own: comments at each beat, then an event, then silence. */
struct hive {
    struct sw_loop *loop;
    struct sw_http_server *server;
    struct sw_timer *timer;
    struct sw_http_request *request;
    unsigned beats;
    pthread_t thread;
};

static void beat(void *ctx)
{
    static const char comment[] = ":\n\n", event[] = "data: there\n\n";
    struct hive *hive = ctx;

    if (hive->request == NULL)
        return;
    if (++hive->beats > BEATS) {
        (void)!sw_http_write(hive->request, event, sizeof event - 1);
        return;
    }
    (void)!sw_http_write(hive->request, comment, sizeof comment - 1);
    sw_timer_start(hive->timer, BEAT_MS);
}

static void on_gone(void *ctx, struct sw_http_request *request)
{
    struct hive *hive = ctx;

    hive->request = NULL;
    sw_http_end(request, NULL, 0);
}

static void handle(void *ctx, struct sw_http_request *request)
{
    const struct sw_http_header type = SW_HTTP_HEADER("content-type", "text/event-stream");
    struct hive *hive = ctx;

    hive->request = request;
    sw_http_start(request, 200, &type, 1);
    sw_http_on_cancel(request, on_gone, hive);
    beat(hive);
}

static void *serve(void *ctx)
{
    struct hive *hive = ctx;

    sw_loop_run(hive->loop);
    return NULL;
}

static void end(void *ctx)
{
    struct hive *hive = ctx;

    sw_http_server_free(hive->server);
    sw_timer_free(hive->timer);
    sw_loop_stop(hive->loop);
}

static int set_up(void **state)
{
    struct hive *hive = calloc(1, sizeof *hive);
    struct sw_http_server_options options = {.system = sw_system_real(),
                                             .address = "127.0.0.1:0",
                                             .handler = {.ctx = hive, .handle = handle}};

    assert_non_null(hive);
    assert_int_equal(sw_loop_new(&hive->loop, NULL), SW_OK);
    hive->timer = sw_timer_new(hive->loop, beat, hive);
    options.loop = hive->loop;
    assert_int_equal(sw_http_server_new(&options, &hive->server, NULL), SW_OK);
    *state = hive;
    return 0;
}

static int tear_down(void **state)
{
    struct hive *hive = *state;

    assert_int_equal(sw_loop_post(hive->loop, end, hive), SW_OK);
    (void)pthread_join(hive->thread, NULL);
    sw_loop_free(hive->loop);
    free(hive);
    return 0;
}

struct follower {
    struct sw_client *client;
    unsigned events, asked;
    bool stays;     /* After the first event. */
    unsigned wants; /* How often it says that it wants the stream; 0: always. */
};

static bool is_wanted(void *ctx)
{
    struct follower *follower = ctx;

    follower->asked++;
    return follower->wants == 0 || follower->asked < follower->wants;
}

static bool on_event(void *ctx, const char *name, const char *id, struct sw_bytes data)
{
    struct follower *follower = ctx;

    (void)id;
    assert_string_equal(name, "message");
    assert_string_equal((const char *)data.data, "there");
    follower->events++;
    return follower->stays;
}

static struct sw_client *client_of(struct hive *hive, struct follower *follower)
{
    char server[64];
    const struct sw_context context = {.name = "x",
                                       .server = server,
                                       .namespace = "default",
                                       .authority_pem = "",
                                       .certificate_pem = "",
                                       .key_pem = ""};
    const struct sw_client_options options = {.context = &context,
                                              .system = sw_system_real(),
                                              .silence_ms = SILENCE_MS,
                                              .is_wanted = is_wanted,
                                              .is_wanted_ctx = follower};
    struct sw_client *client = NULL;

    (void)snprintf(server, sizeof server, "http://127.0.0.1:%u", sw_http_server_port(hive->server));
    assert_int_equal(pthread_create(&hive->thread, NULL, serve, hive), 0);
    assert_int_equal(sw_client_new(&options, &client, NULL), SW_OK);
    return client;
}

static enum sw_rc follow(struct hive *hive, struct follower *follower, struct sw_err *err)
{
    const struct sw_request request = {.method = "GET", .path = "/", .timeout_ms = UINT64_MAX};
    enum sw_rc rc;

    follower->client = client_of(hive, follower);
    rc = sw_client_follow(follower->client, &request, on_event, follower, err);
    sw_client_free(follower->client);
    return rc;
}

static void comments_keep_a_quiet_stream_alive(void **state)
{
    struct follower follower = {0};
    struct sw_err err = {0};

    assert_int_equal(follow(*state, &follower, &err), SW_OK);
    assert_int_equal(follower.events, 1);
}

static void silence_ends_a_stream_with_words(void **state)
{
    struct follower follower = {.stays = true};
    struct sw_err err = {0};

    assert_int_equal(follow(*state, &follower, &err), SW_E_UNAVAILABLE);
    assert_int_equal(follower.events, 1);
    assert_non_null(strstr(err.message, "has been silent"));
}

static void a_stream_that_nobody_wants_ends(void **state)
{
    struct follower follower = {.wants = 2};
    struct sw_err err = {0};

    assert_int_equal(follow(*state, &follower, &err), SW_OK);
    assert_int_equal(follower.events, 0);
    assert_int_equal(follower.asked, 2);
}

static bool on_change(void *ctx, enum sw_api_watch_event_type type, void *object, uint64_t revision)
{
    (void)ctx, (void)type, (void)object, (void)revision;
    return true;
}

static void a_watch_that_nobody_wants_is_not_opened_again(void **state)
{
    struct follower follower = {.wants = 2};
    struct sw_client_watch watch = {
        .key = {.kind = sw_kind_find("Agent"), .namespace = "default", .name = ""},
        .selector = "",
        .timeout_ms = UINT64_MAX,
        .on_change = on_change};
    struct sw_err err = {0};

    follower.client = client_of(*state, &follower);
    assert_int_equal(sw_client_watch(follower.client, &watch, &err), SW_OK);
    sw_client_free(follower.client);
    assert_int_equal(follower.asked, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(comments_keep_a_quiet_stream_alive),
        TEST(silence_ends_a_stream_with_words),
        TEST(a_stream_that_nobody_wants_ends),
        TEST(a_watch_that_nobody_wants_is_not_opened_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
