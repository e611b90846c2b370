/* Requests: what is seen of them, the way through, and into the other protocols. */
#include "pkg/broker/model/wire/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct sw_bytes bytes_of(const char *text)
{
    return (struct sw_bytes){text, strlen(text)};
}

static struct sw_wire_request *read_ok(enum sw_wire_protocol protocol, const char *body)
{
    struct sw_wire_request *request = NULL;
    struct sw_err err = {0};

    if (sw_wire_request_read(protocol, bytes_of(body), &request, &err) != SW_OK)
        fail_msg("%s: %s: %s", body, err.field, err.message);
    return request;
}

/* `'` stands for `"` in what is expected, and in nothing else. */
static void assert_body(const struct sw_buffer *out, const char *expected)
{
    char *text = strdup(expected);

    for (char *c = text; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    if (out->size != strlen(text) || memcmp(out->data, text, out->size) != 0)
        fail_msg("\n     got %.*s\nexpected %s", (int)out->size, (const char *)out->data, text);
    free(text);
}

static char *quoted(const char *text)
{
    char *copy = strdup(text);

    for (char *c = copy; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    return copy;
}

struct written {
    enum sw_wire_protocol from, to;
    const char *body, *expected;
    uint64_t limit;
    bool uses_max_tokens, lacks_usage;
};

static void check_written(const struct written *row)
{
    const struct sw_wire_target target = {.protocol = row->to,
                                          .model = "up\"m",
                                          .max_output_tokens = row->limit,
                                          .uses_max_tokens = row->uses_max_tokens,
                                          .lacks_usage = row->lacks_usage};
    char *body = quoted(row->body);
    SW_CLEANUP(sw_wire_request_freep) struct sw_wire_request *request = read_ok(row->from, body);
    struct sw_wire_request *again = NULL;
    struct sw_buffer out;
    struct sw_err err = {0};

    sw_buffer_init(&out, 1u << 20);
    if (sw_wire_request_write(request, &target, &out, &err) != SW_OK)
        fail_msg("%s: %s: %s", body, err.field, err.message);
    assert_body(&out, row->expected);
    /* What goes to an upstream is a request of its protocol. */
    if (sw_wire_request_read(row->to, (struct sw_bytes){out.data, out.size}, &again, &err) != SW_OK)
        fail_msg("%s: %s: %s", row->expected, err.field, err.message);
    assert_string_equal(sw_wire_request_view(again)->model, "up\"m");
    sw_wire_request_free(again);
    sw_buffer_done(&out);
    free(body);
}

#define UP "'model':'up\\'m'"
#define M "'model':'m'"
#define HI "'messages':[{'role':'user','content':'Hi'}]"

static void test_same_protocol_keeps_its_bytes(void **state)
{
    static const struct written rows[] = {
        {SW_WIRE_CHAT, SW_WIRE_CHAT, "{" M ", 'new' : [1.50,  {}]," HI "}",
         "{" UP ", 'new' : [1.50,  {}]," HI "}", 0, false, false},
        {SW_WIRE_CHAT, SW_WIRE_CHAT, "{" M "," HI "}", "{" UP "," HI ",'max_completion_tokens':9}",
         9, false, false},
        {SW_WIRE_CHAT, SW_WIRE_CHAT, "{" M "," HI "}", "{" UP "," HI ",'max_tokens':9}", 9, true,
         false},
        {SW_WIRE_CHAT, SW_WIRE_CHAT, "{'max_tokens':10," M "," HI "}",
         "{'max_tokens':9," UP "," HI "}", 9, false, false},
        {SW_WIRE_CHAT, SW_WIRE_CHAT, "{'max_tokens':8," M "," HI ",'max_completion_tokens':12}",
         "{'max_tokens':8," UP "," HI ",'max_completion_tokens':9}", 9, false, false},
        {SW_WIRE_CHAT, SW_WIRE_CHAT, "{" M "," HI ",'max_completion_tokens':null}",
         "{" UP "," HI ",'max_completion_tokens':9}", 9, false, false},
        {SW_WIRE_CHAT, SW_WIRE_CHAT, "{" M "," HI ",'stream':true}",
         "{" UP "," HI ",'stream':true,'max_completion_tokens':9,'stream_options':{"
         "'include_usage':true}}",
         9, false, false},
        {SW_WIRE_CHAT, SW_WIRE_CHAT, "{" M "," HI ",'stream':true}",
         "{" UP "," HI ",'stream':true}", 0, false, true},
        {SW_WIRE_CHAT, SW_WIRE_CHAT, "{" M "," HI ",'stream':true,'stream_options':{}}",
         "{" UP "," HI ",'stream':true,'stream_options':{'include_usage':true}}", 0, false, false},
        {SW_WIRE_CHAT, SW_WIRE_CHAT, "{" M "," HI ",'stream':true,'stream_options':null}",
         "{" UP "," HI ",'stream':true,'stream_options':{'include_usage':true}}", 0, false, false},
        {SW_WIRE_CHAT, SW_WIRE_CHAT,
         "{" M "," HI ",'stream':true,'stream_options':{'include_usage':false,'x':1}}",
         "{" UP "," HI ",'stream':true,'stream_options':{'include_usage':true,'x':1}}", 0, false,
         false},
        {SW_WIRE_MESSAGES, SW_WIRE_MESSAGES, "{" M ",'max_tokens':10," HI ",'top_k':3}",
         "{" UP ",'max_tokens':9," HI ",'top_k':3}", 9, false, false},
        {SW_WIRE_RESPONSES, SW_WIRE_RESPONSES, "{" M ",'input':'Hi','previous_response_id':'r'}",
         "{" UP ",'input':'Hi','previous_response_id':'r','max_output_tokens':9}", 9, false, false},
        {SW_WIRE_EMBEDDINGS, SW_WIRE_EMBEDDINGS, "{'input':[[1,2],[3]]," M "}",
         "{'input':[[1,2],[3]]," UP "}", 9, false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct written row = rows[i];
        char *expected = strdup(row.expected), *mark;

        while ((mark = strstr(expected, "\\'")) != NULL) /* The quote in the model's name. */
            (void)memcpy(mark, "\\\"", 2);
        row.expected = expected;
        check_written(&row);
        free(expected);
    }
}

static void test_view(void **state)
{
    char *body = quoted("{'model':'\\u006d','messages':[{'role':'user','content':[{'type':'text',"
                        "'text':'\\u00e9a'},{'type':'image_url','image_url':{'url':'data:'}}]}],"
                        "'stream':true,'stream_options':{'include_usage':true},'n':2,"
                        "'max_tokens':7,'temperature':0,'tools':[{'a':1}],"
                        "'response_format':{'type':'json_schema'},'reasoning_effort':'low'}");
    SW_CLEANUP(sw_wire_request_freep) struct sw_wire_request *request = read_ok(SW_WIRE_CHAT, body);
    const struct sw_wire_view *view = sw_wire_request_view(request);

    (void)state;
    assert_string_equal(view->model, "m");
    assert_true(view->is_stream && view->wants_usage && view->is_deterministic);
    assert_int_equal(view->max_output_tokens, 7);
    assert_int_equal(view->choices, 2);
    assert_int_equal(view->messages, 1);
    assert_int_equal(view->needs, SW_WIRE_NEED_TOOLS | SW_WIRE_NEED_JSON_SCHEMA |
                                      SW_WIRE_NEED_IMAGES | SW_WIRE_NEED_REASONING);
    /* role user content + type text text é a, tools: a 1, format: type json_schema */
    assert_int_equal(view->input_bytes, 4 + 4 + 7 + 4 + 4 + 4 + 3 + 2 + 4 + 11);
    assert_int_equal(view->media_bytes, strlen("{'type':'image_url','image_url':{'url':'data:'}}"));
    free(body);
}

static void test_view_of_others(void **state)
{
    static const struct {
        enum sw_wire_protocol protocol;
        const char *body;
        uint32_t needs, messages;
        uint64_t input_bytes;
    } rows[] = {
        {SW_WIRE_EMBEDDINGS, "{'model':'m','input':'abc'}", SW_WIRE_NEED_EMBEDDINGS, 1, 3},
        {SW_WIRE_EMBEDDINGS, "{'model':'m','input':['abc','d']}", SW_WIRE_NEED_EMBEDDINGS, 2, 4},
        {SW_WIRE_EMBEDDINGS, "{'model':'m','input':[1,2,3]}", SW_WIRE_NEED_EMBEDDINGS, 1, 3},
        {SW_WIRE_EMBEDDINGS, "{'model':'m','input':[[1,2],[300]]}", SW_WIRE_NEED_EMBEDDINGS, 2, 3},
        {SW_WIRE_RESPONSES, "{'model':'m','input':'abc','instructions':'de'}", 0, 1, 5},
        {SW_WIRE_RESPONSES,
         "{'model':'m','input':[{'role':'user','content':[{'type':'input_image'}]}],"
         "'reasoning':{'effort':'high'},'tools':[{'type':'x'}],"
         "'text':{'format':{'type':'json_object'}}}",
         SW_WIRE_NEED_IMAGES | SW_WIRE_NEED_REASONING | SW_WIRE_NEED_TOOLS |
             SW_WIRE_NEED_JSON_SCHEMA,
         1, 4 + 4 + 7 + 4 + 1 + 6 + 4 + 11},
        {SW_WIRE_MESSAGES,
         "{'model':'m','max_tokens':1,'messages':[{'role':'user','content':[{'type':'tool_result',"
         "'tool_use_id':'a','content':[{'type':'image','source':{}},{'type':'text','text':'xyz'}]},"
         "{'type':'document','source':{'type':'text','data':'long'}},"
         "{'type':'document','source':{'type':'url'}}]}],'thinking':{'type':'adaptive'}}",
         SW_WIRE_NEED_IMAGES | SW_WIRE_NEED_FILES | SW_WIRE_NEED_REASONING, 1,
         4 + 4 + 7 + (4 + 11 + 11 + 1 + 7) + (4 + 4 + 4 + 3) + (4 + 8 + 6 + 4 + 4 + 4 + 4)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *body = quoted(rows[i].body);
        struct sw_wire_request *request = read_ok(rows[i].protocol, body);
        const struct sw_wire_view *view = sw_wire_request_view(request);

        if (view->needs != rows[i].needs || view->messages != rows[i].messages ||
            view->input_bytes != rows[i].input_bytes)
            fail_msg("%s: needs %u messages %u bytes %llu", body, view->needs, view->messages,
                     (unsigned long long)view->input_bytes);
        sw_wire_request_free(request);
        free(body);
    }
}

static void test_what_is_read_elsewhere(void **state)
{
    static const struct {
        enum sw_wire_protocol protocol;
        const char *more;
        bool is_elsewhere;
    } rows[] = {
        {SW_WIRE_CHAT, "'tools':[{'type':'function'},{'type':'custom'}]", false},
        {SW_WIRE_CHAT, "'web_search_options':null", false},
        {SW_WIRE_CHAT, "'web_search_options':{}", true},
        {SW_WIRE_CHAT, "'tools':[{'type':'new'}]", true},
        {SW_WIRE_MESSAGES, "'tools':[{'name':'f'},{'type':'custom'}]", false},
        {SW_WIRE_MESSAGES, "'tools':[{'type':'web_search_20260318'}]", true},
        {SW_WIRE_MESSAGES, "'container':'c'", true},
        {SW_WIRE_RESPONSES, "'tools':7,'input':[{'role':'user'},{'type':'function_call'}]", false},
        {SW_WIRE_RESPONSES, "'input':[{'type':'item_reference'}]", true},
        {SW_WIRE_RESPONSES, "'previous_response_id':'r'", true},
        {SW_WIRE_RESPONSES, "'previous_response_id':null", false},
        {SW_WIRE_RESPONSES, "'conversation':'c'", true},
        {SW_WIRE_RESPONSES, "'prompt':{}", true},
        {SW_WIRE_RESPONSES, "'tools':[{'type':'file_search'}]", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[512], *body;
        struct sw_wire_request *request;

        (void)snprintf(text, sizeof text, "{" M "%s,%s}",
                       rows[i].protocol == SW_WIRE_RESPONSES ? "" : "," HI ",'max_tokens':1",
                       rows[i].more);
        body = quoted(text);
        request = read_ok(rows[i].protocol, body);
        if (sw_wire_request_view(request)->reads_elsewhere != rows[i].is_elsewhere)
            fail_msg("%s", body);
        sw_wire_request_free(request);
        free(body);
    }
}

static void test_refused_with_the_field(void **state)
{
    static const struct {
        enum sw_wire_protocol protocol;
        const char *body, *field, *words;
    } rows[] = {
        {SW_WIRE_CHAT, "", "", "empty"},
        {SW_WIRE_CHAT, "[]", "", "object"},
        {SW_WIRE_CHAT, "{'model':'m'}", "", "`messages` is missing"},
        {SW_WIRE_CHAT, "{" HI "}", "", "`model` is missing"},
        {SW_WIRE_CHAT, "{'model':7," HI "}", "model", "string"},
        {SW_WIRE_CHAT, "{'model':''," HI "}", "model", "1 to 256"},
        {SW_WIRE_CHAT, "{'model':'a\\n'," HI "}", "model", "control"},
        {SW_WIRE_CHAT, "{" M ",'messages':[]}", "messages", "at least one"},
        {SW_WIRE_CHAT, "{" M ",'messages':[1]}", "messages[0]", "object"},
        {SW_WIRE_CHAT, "{" M ",'messages':7}", "messages", "array"},
        {SW_WIRE_CHAT, "{" M "," HI ",'n':0}", "n", "1 to 128"},
        {SW_WIRE_CHAT, "{" M "," HI ",'n':129}", "n", "1 to 128"},
        {SW_WIRE_CHAT, "{" M "," HI ",'stream':1}", "stream", "true or false"},
        {SW_WIRE_CHAT, "{" M "," HI ",'stream':true,'stream':false}", "stream", "twice"},
        {SW_WIRE_CHAT, "{" M "," HI ",'mod\\u0065l':'n'}", "mod\\u0065l", "twice"},
        {SW_WIRE_CHAT, "{" M "," HI ",'max_tokens':0}", "max_tokens", "whole number"},
        {SW_WIRE_CHAT, "{" M "," HI ",'max_tokens':1.5}", "max_tokens", "whole number"},
        {SW_WIRE_CHAT, "{" M "," HI ",'max_tokens':99999999999999999999}", "max_tokens", "whole"},
        {SW_WIRE_CHAT, "{" M "," HI ",'temperature':3}", "temperature", "0 to 2"},
        {SW_WIRE_CHAT, "{" M "," HI ",'stream_options':{'include_usage':3}}",
         "stream_options.include_usage", "true or false"},
        {SW_WIRE_CHAT, "{" M "," HI ",}", "", "name in quotes"},
        {SW_WIRE_CHAT, "{" M "," HI "} x", "", "behind its end"},
        {SW_WIRE_CHAT, "{" M "," HI ",'a':tru}", "", "no value"},
        {SW_WIRE_CHAT, "{" M "," HI ",'a':01}", "", "comma"},
        {SW_WIRE_CHAT, "{" M "," HI ",'a':1.}", "", "number"},
        {SW_WIRE_CHAT, "{" M "," HI ",'a':-}", "", "number"},
        {SW_WIRE_CHAT, "{" M "," HI ",'a':1e}", "", "number"},
        {SW_WIRE_CHAT, "{" M "," HI ",'a'1}", "", "colon"},
        {SW_WIRE_CHAT, "{" M "," HI ",'a':[1 2]}", "", "comma"},
        {SW_WIRE_CHAT, "{" M "," HI ",'a':'\\x'}", "", "escape"},
        {SW_WIRE_CHAT, "{" M "," HI ",'a':'\\u0000'}", "", "no character"},
        {SW_WIRE_CHAT, "{" M "," HI ",'a':'\\ud800'}", "", "no character"},
        {SW_WIRE_CHAT, "{" M "," HI ",'a':'\\ud800\\u0041'}", "", "no character"},
        {SW_WIRE_CHAT, "{" M "," HI ",'a':'\\udc00'}", "", "no character"},
        {SW_WIRE_CHAT, "{" M "," HI ",'a':'\\u00g0'}", "", "no character"},
        {SW_WIRE_CHAT, "{" M "," HI ",'a':'\x01'}", "", "control"},
        {SW_WIRE_CHAT, "{" M "," HI ",'a':'\xc0\x80'}", "", "UTF-8"},
        {SW_WIRE_CHAT, "{" M "," HI ",'a':'", "", "no end"},
        {SW_WIRE_MESSAGES, "{" M "," HI "}", "", "`max_tokens` is missing"},
        {SW_WIRE_RESPONSES, "{" M ",'input':7}", "input", "string or an array"},
        {SW_WIRE_RESPONSES, "{" M ",'input':[7]}", "input[0]", "object"},
        {SW_WIRE_EMBEDDINGS, "{" M "}", "", "`input`"},
        {SW_WIRE_EMBEDDINGS, "{" M ",'input':[]}", "input", "`input`"},
        {SW_WIRE_EMBEDDINGS, "{" M ",'input':[1,'a']}", "input[1]", "all texts"},
        {SW_WIRE_EMBEDDINGS, "{" M ",'input':[{}]}", "input[0]", "all texts"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *body = quoted(rows[i].body);
        struct sw_wire_request *request = NULL;
        struct sw_err err = {0};

        assert_int_equal(sw_wire_request_read(rows[i].protocol, bytes_of(body), &request, &err),
                         SW_E_INVALID);
        assert_null(request);
        if (strcmp(err.field, rows[i].field) != 0 || strstr(err.message, rows[i].words) == NULL)
            fail_msg("%s: %s: %s", body, err.field, err.message);
        free(body);
    }
}

static void test_limits(void **state)
{
    char *deep = malloc(400), *large = malloc(SW_WIRE_REQUEST_BYTES_MAX + 2);
    char *wide = malloc((size_t)SW_WIRE_VALUES_MAX * 2 + 64);
    struct sw_wire_request *request = NULL;
    struct sw_err err = {0};
    size_t at;

    (void)state;
    (void)memset(deep, '[', 200);
    deep[200] = '\0';
    assert_int_equal(sw_wire_request_read(SW_WIRE_CHAT, bytes_of(deep), &request, &err),
                     SW_E_EXHAUSTED);
    assert_non_null(strstr(err.message, "too deep"));
    (void)memset(large, ' ', SW_WIRE_REQUEST_BYTES_MAX + 1);
    large[SW_WIRE_REQUEST_BYTES_MAX + 1] = '\0';
    assert_int_equal(sw_wire_request_read(SW_WIRE_CHAT, bytes_of(large), &request, &err),
                     SW_E_EXHAUSTED);
    at = (size_t)sprintf(wide, "[");
    for (size_t i = 0; i < SW_WIRE_VALUES_MAX; i++)
        at += (size_t)sprintf(wide + at, "0,");
    (void)sprintf(wide + at, "0]");
    assert_int_equal(sw_wire_request_read(SW_WIRE_CHAT, bytes_of(wide), &request, &err),
                     SW_E_EXHAUSTED);
    assert_non_null(strstr(err.message, "more values"));
    /* Tokens of embeddings count no values beyond the second level. */
    (void)memcpy(wide, "{\"model\":\"m\",\"input\":[[", 23);
    at = 23;
    for (size_t i = 0; i + 100 < SW_WIRE_VALUES_MAX; i++)
        at += (size_t)sprintf(wide + at, "0,");
    (void)sprintf(wide + at, "0]]}");
    assert_int_equal(sw_wire_request_read(SW_WIRE_EMBEDDINGS, bytes_of(wide), &request, &err),
                     SW_OK);
    assert_int_equal(sw_wire_request_view(request)->input_bytes, SW_WIRE_VALUES_MAX - 99);
    sw_wire_request_free(request);
    free(deep);
    free(large);
    free(wide);
}

static void test_identity(void **state)
{
    static const char spaced[] = "{ 'model' : 'm', 'stream':true, 'user':'u','messages':[ {'role':"
                                 "'user', 'content':'a b'} ] , 'stream_options':{}}";
    static const char *const same[] = {
        "{'model':'m','messages':[{'role':'user','content':'a b'}]}", spaced,
        "{'model':'m','messages':[{'role':'user','content':'a  b'}]}"};
    struct sw_buffer out[3];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char *body = quoted(same[i]);
        struct sw_wire_request *request = read_ok(SW_WIRE_CHAT, body);

        sw_buffer_init(&out[i], 4096);
        sw_wire_request_identity(request, &out[i]);
        sw_wire_request_free(request);
        free(body);
    }
    assert_int_equal(out[0].size, out[1].size);
    assert_memory_equal(out[0].data, out[1].data, out[0].size);
    assert_int_not_equal(out[0].size, out[2].size);
    for (size_t i = 0; i < 3; i++)
        sw_buffer_done(&out[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_protocol_keeps_its_bytes),
        cmocka_unit_test(test_view),
        cmocka_unit_test(test_view_of_others),
        cmocka_unit_test(test_what_is_read_elsewhere),
        cmocka_unit_test(test_refused_with_the_field),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_identity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
