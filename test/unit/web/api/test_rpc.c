/* labels: threaded */
/* uses: pkg/store/sqlite pkg/security/certs */
/* The gRPC services of the API. */
#include "test/unit/web/api/fixture.h"

static struct sw_arena *arena; /* Of the test that runs. */

static int arena_set_up(void **state)
{
    arena = sw_arena_new(16u << 20);
    return set_up(state);
}

static int arena_tear_down(void **state)
{
    sw_arena_free(arena);
    return tear_down(state);
}

/* Begin a call with one message. */
static struct sw_http_call *rpc_begin(struct fixture *f, enum who who, const char *path,
                                      const struct sw_api_message *message, const void *value,
                                      bool is_stream)
{
    struct sw_buffer bytes, frame;
    struct ask ask = {.who = who,
                      .method = SW_HTTP_POST,
                      .path = path,
                      .content_type = "application/grpc",
                      .is_stream = is_stream};
    struct sw_http_call *call;

    sw_buffer_init(&bytes, 1u << 20);
    sw_buffer_init(&frame, 1u << 20);
    if (message != NULL)
        sw_protobuf_encode(message, value, &bytes);
    sw_grpc_put_frame(&frame, (struct sw_bytes){bytes.data, bytes.size});
    ask.body = (struct sw_bytes){frame.data, frame.size};
    call = begin(f, &ask);
    sw_buffer_done(&bytes);
    sw_buffer_done(&frame);
    return call;
}

/* The gRPC status of the reply. */
static int grpc_status(struct fixture *f)
{
    const char *at = strstr(f->trailers, "grpc-status: ");

    if (at == NULL)
        at = strstr(f->headers, "grpc-status: ");
    assert_non_null(at);
    return -atoi(at + 13);
}

static int rpc(struct fixture *f, const char *path, const struct sw_api_message *message,
               const void *value)
{
    (void)rpc_begin(f, ADMIN, path, message, value, false);
    run_until(f, has_reply);
    assert_int_equal(f->rc, SW_OK);
    assert_int_equal(f->status, 200);
    return grpc_status(f);
}

/* Decode the one message of the reply. */
static void read_reply(struct fixture *f, const struct sw_api_message *message, void *ret_value)
{
    struct sw_bytes rest = {f->body, f->body_size}, bytes;

    assert_int_equal(sw_grpc_take_frame(&rest, 1u << 20, &bytes), SW_OK);
    assert_int_equal(rest.size, 0);
    assert_int_equal(sw_protobuf_decode(message, bytes, arena, ret_value, NULL), SW_OK);
}

static struct sw_bytes agent_bytes(const char *name, struct sw_buffer *out)
{
    const struct sw_kind *kind = sw_kind_find("Agent");
    struct sw_api_agent *agent = sw_object_new(kind, arena);

    agent->metadata.name = name;
    agent->metadata.namespace = "default";
    agent->spec.module = DIGEST;
    sw_buffer_init(out, 65536);
    sw_protobuf_encode(kind->message, agent, out);
    return (struct sw_bytes){out->data, out->size};
}

static int create(struct fixture *f, const char *name)
{
    struct sw_buffer bytes;
    struct sw_api_write_request write = {.object = agent_bytes(name, &bytes)};
    int status = rpc(f, "/swarm.v1.Agents/Create", &sw_api_write_request_message, &write);

    sw_buffer_done(&bytes);
    return status;
}

static void an_object_is_created_read_and_listed(void **state)
{
    struct fixture *f = *state;
    struct sw_api_get_request get_request = {.namespace = "default", .name = "reader"};
    struct sw_api_list_request list_request = {.namespace = "default"};
    struct sw_api_agent agent;
    struct sw_api_object_list list;

    assert_int_equal(create(f, "reader"), SW_OK);
    read_reply(f, &sw_api_agent_message, &agent);
    assert_string_equal(agent.metadata.name, "reader");
    assert_true(agent.metadata.resource_version > 0);
    assert_int_equal(rpc(f, "/swarm.v1.Agents/Get", &sw_api_get_request_message, &get_request),
                     SW_OK);
    read_reply(f, &sw_api_agent_message, &agent);
    assert_string_equal(agent.spec.module, DIGEST);
    assert_int_equal(rpc(f, "/swarm.v1.Agents/List", &sw_api_list_request_message, &list_request),
                     SW_OK);
    read_reply(f, &sw_api_object_list_message, &list);
    assert_int_equal(list.items_count, 1);
}

static void errors_carry_their_code_words_and_details(void **state)
{
    struct fixture *f = *state;
    struct sw_api_get_request request = {.namespace = "default", .name = "nobody"};

    assert_int_equal(rpc(f, "/swarm.v1.Agents/Get", &sw_api_get_request_message, &request),
                     SW_E_NOT_FOUND);
    assert_non_null(strstr(f->headers, "grpc-message: "));
    assert_non_null(strstr(f->headers, "grpc-status-details-bin: "));
    request.name = "Not A Label";
    assert_int_equal(rpc(f, "/swarm.v1.Agents/Get", &sw_api_get_request_message, &request),
                     SW_E_INVALID);
    assert_int_equal(create(f, "twice"), SW_OK);
    assert_int_equal(create(f, "twice"), SW_E_EXISTS);
}

static void an_object_is_applied_and_deleted(void **state)
{
    struct fixture *f = *state;
    struct sw_buffer bytes;
    struct sw_api_write_request write = {.object = agent_bytes("reader", &bytes)};
    struct sw_api_delete_request erase = {.namespace = "default", .name = "reader"};

    assert_int_equal(rpc(f, "/swarm.v1.Agents/Apply", &sw_api_write_request_message, &write),
                     SW_OK);
    assert_int_equal(rpc(f, "/swarm.v1.Agents/Update", &sw_api_write_request_message, &write),
                     SW_OK);
    assert_int_equal(rpc(f, "/swarm.v1.Agents/Delete", &sw_api_delete_request_message, &erase),
                     SW_OK);
    erase.name = "nobody";
    assert_int_equal(rpc(f, "/swarm.v1.Agents/Delete", &sw_api_delete_request_message, &erase),
                     SW_E_NOT_FOUND);
    write.object = (struct sw_bytes){"\xff", 1};
    assert_int_equal(rpc(f, "/swarm.v1.Agents/Update", &sw_api_write_request_message, &write),
                     SW_E_INVALID);
    sw_buffer_done(&bytes);
}

static bool has_two_frames(struct fixture *f)
{
    struct sw_bytes rest = {f->events, f->events_size}, bytes;

    return sw_grpc_take_frame(&rest, 1u << 20, &bytes) == SW_OK &&
           sw_grpc_take_frame(&rest, 1u << 20, &bytes) == SW_OK;
}

static void a_watch_streams_events(void **state)
{
    struct fixture *f = *state;
    struct sw_api_watch_request watch = {.namespace = "default"};
    struct sw_api_watch_event event;
    struct sw_bytes rest, bytes;

    assert_int_equal(create(f, "reader"), SW_OK);
    (void)rpc_begin(f, ADMIN, "/swarm.v1.Agents/Watch", &sw_api_watch_request_message, &watch,
                    true);
    run_until(f, has_two_frames);
    rest = (struct sw_bytes){f->events, f->events_size};
    assert_int_equal(sw_grpc_take_frame(&rest, 1u << 20, &bytes), SW_OK);
    assert_int_equal(sw_protobuf_decode(&sw_api_watch_event_message, bytes, arena, &event, NULL),
                     SW_OK);
    assert_int_equal(event.type, SW_API_WATCH_EVENT_TYPE_ADDED);
    assert_true(event.object.size > 0);
    assert_int_equal(sw_grpc_take_frame(&rest, 1u << 20, &bytes), SW_OK);
    assert_int_equal(sw_protobuf_decode(&sw_api_watch_event_message, bytes, arena, &event, NULL),
                     SW_OK);
    assert_int_equal(event.type, SW_API_WATCH_EVENT_TYPE_BOOKMARK);
    assert_true(event.resource_version > 0);
}

static void a_message_is_sent_and_published(void **state)
{
    struct fixture *f = *state;
    struct sw_api_send_request request = {.namespace = "default",
                                          .to = "reader/a",
                                          .content_type = "text/plain",
                                          .body = {"ping", 4},
                                          .priority = SW_API_PRIORITY_URGENT,
                                          .want_reply = true};
    struct sw_api_publish_request publish = {.namespace = "default", .subject = "a.b"};
    struct sw_api_send_response response;
    struct sw_api_publish_response published;

    assert_int_equal(rpc(f, "/swarm.v1.Messages/Send", &sw_api_send_request_message, &request),
                     SW_OK);
    read_reply(f, &sw_api_send_response_message, &response);
    assert_string_equal(response.from, "reader/a");
    assert_memory_equal(response.body.data, "pong", 4);
    assert_string_equal(f->told, "default|reader/a|text/plain|ping|3|30000||1|"
                                 "spiffe://test/user/admin");
    assert_int_equal(
        rpc(f, "/swarm.v1.Messages/Publish", &sw_api_publish_request_message, &publish), SW_OK);
    read_reply(f, &sw_api_publish_response_message, &published);
    assert_int_equal(published.subscribers, 7);
    assert_non_null(strstr(f->told, "application/octet-stream||255"));
}

static void strangers_may_ask_for_health_only(void **state)
{
    struct fixture *f = *state;
    struct sw_api_get_request request = {.namespace = "default", .name = "a"};

    (void)rpc_begin(f, NOBODY, "/swarm.v1.Agents/Get", &sw_api_get_request_message, &request,
                    false);
    run_until(f, has_reply);
    assert_int_equal(grpc_status(f), SW_E_UNAUTHENTICATED);
    (void)rpc_begin(f, NOBODY, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", NULL,
                    NULL, false);
    run_until(f, has_reply);
    assert_int_equal(grpc_status(f), SW_E_UNAUTHENTICATED);
    (void)rpc_begin(f, NOBODY, "/grpc.health.v1.Health/Check", NULL, NULL, false);
    run_until(f, has_reply);
    assert_int_equal(grpc_status(f), SW_OK);
    assert_memory_equal(f->body, "\0\0\0\0\2\x08\x01", 7);
}

static void others_are_denied_what_they_may_not(void **state)
{
    struct fixture *f = *state;
    struct sw_buffer bytes;
    struct sw_api_write_request write = {.object = agent_bytes("reader", &bytes)};

    (void)rpc_begin(f, NODE, "/swarm.v1.Agents/Create", &sw_api_write_request_message, &write,
                    false);
    run_until(f, has_reply);
    assert_int_equal(grpc_status(f), SW_E_DENIED);
    sw_buffer_done(&bytes);
}

static void unknown_methods_are_unimplemented(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(rpc(f, "/swarm.v1.Agents/Paint", NULL, NULL), SW_E_UNSUPPORTED);
}

static bool has_answer(struct fixture *f)
{
    return f->body_size > 0 && f->replies > 0;
}

static void reflection_describes_the_services(void **state)
{
    static const char question[] = "\0\0\0\0\2\x3a\0"
                                   "\0\0\0\0\x11\x22\x0fswarm.v1.Agents";
    struct fixture *f = *state;
    struct ask ask = {.method = SW_HTTP_POST,
                      .path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                      .content_type = "application/grpc",
                      .body = {question, sizeof question - 1}};
    struct sw_bytes rest, bytes;

    (void)begin(f, &ask);
    run_until(f, has_answer);
    assert_int_equal(grpc_status(f), SW_OK);
    rest = (struct sw_bytes){f->body, f->body_size};
    assert_int_equal(sw_grpc_take_frame(&rest, 1u << 20, &bytes), SW_OK);
    assert_non_null(memmem(bytes.data, bytes.size, "swarm.v1.Messages", 17));
    assert_int_equal(sw_grpc_take_frame(&rest, 1u << 20, &bytes), SW_OK);
    assert_non_null(memmem(bytes.data, bytes.size, "api/v1/agent.proto", 18));
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, arena_set_up, arena_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_object_is_created_read_and_listed), TEST(errors_carry_their_code_words_and_details),
        TEST(an_object_is_applied_and_deleted),     TEST(a_watch_streams_events),
        TEST(a_message_is_sent_and_published),      TEST(strangers_may_ask_for_health_only),
        TEST(others_are_denied_what_they_may_not),  TEST(unknown_methods_are_unimplemented),
        TEST(reflection_describes_the_services),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
