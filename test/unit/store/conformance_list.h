/* What every store promises of lists. See conformance.h. */
#pragma once
#include "test/unit/store/harness.h"

struct listing {
    char text[4096]; /* "key=value " of each item. */
    int count, count_max;
    struct sw_store_list_end end;
};

static bool note_item(void *ctx, const struct sw_store_item *item)
{
    struct listing *listing = ctx;
    size_t size = strlen(listing->text);

    snprintf(listing->text + size, sizeof(listing->text) - size, "%s=%.*s ", item->key,
             (int)item->value.size, (const char *)item->value.data);
    return ++listing->count != listing->count_max;
}

static enum sw_rc try_list(struct harness *harness, struct sw_store_list_request request,
                           struct listing *listing)
{
    struct sw_err err = {0};
    enum sw_rc rc =
        sw_store_list(harness->store, &request, note_item, listing, &listing->end, &err);

    if (rc != SW_OK)
        assert_true(err.rc == rc && err.message[0] != '\0');
    if (rc == SW_E_RANGE)
        assert_non_null(strstr(err.hint, "list again"));
    return rc;
}

static void expect_list(struct harness *harness, struct sw_store_list_request request,
                        struct listing *listing, const char *expected)
{
    listing->text[0] = '\0';
    listing->count = 0;
    assert_int_equal(try_list(harness, request, listing), SW_OK);
    assert_string_equal(listing->text, expected);
}

static void a_list_has_a_prefix_in_the_order_of_keys(void **state)
{
    struct harness *harness = *state;
    struct listing listing = {0};

    harness_put(harness, "pods/a/z", "1");
    harness_put(harness, "agents/b/x", "2");
    harness_put(harness, "agents/a/y", "3");
    harness_put(harness, "agents/a/x", "4");
    harness_put(harness, "agentsx/a/x", "5");
    harness_delete(harness, "agents/a/y");
    expect_list(harness, (struct sw_store_list_request){.prefix = "agents/"}, &listing,
                "agents/a/x=4 agents/b/x=2 ");
    assert_string_equal(listing.end.token, "");
    assert_int_equal(listing.end.revision, sw_store_revision(harness->store));
    expect_list(harness, (struct sw_store_list_request){.prefix = "agents/a/"}, &listing,
                "agents/a/x=4 ");
    expect_list(harness, (struct sw_store_list_request){.prefix = "none/"}, &listing, "");
    expect_list(harness, (struct sw_store_list_request){.prefix = ""}, &listing,
                "agents/a/x=4 agents/b/x=2 agentsx/a/x=5 pods/a/z=1 ");
}

static void pages_show_one_revision_while_writes_go_on(void **state)
{
    struct harness *harness = *state;
    struct sw_store_list_request request = {.prefix = "agents/", .items_max = 2};
    struct listing listing = {0};
    char token[SW_STORE_TOKEN_MAX];

    for (const char *name = "abcde"; *name != '\0'; name++) {
        char key[] = {'a', 'g', 'e', 'n', 't', 's', '/', 'n', '/', *name, '\0'};
        harness_put(harness, key, "1");
    }
    expect_list(harness, request, &listing, "agents/n/a=1 agents/n/b=1 ");
    harness_delete(harness, "agents/n/b"); /* Where the page ended. */
    harness_delete(harness, "agents/n/c");
    harness_put(harness, "agents/n/d", "2");
    harness_put(harness, "agents/n/dd", "2");
    memcpy(token, listing.end.token, sizeof(token));
    request.token = token;
    expect_list(harness, request, &listing, "agents/n/c=1 agents/n/d=1 ");
    memcpy(token, listing.end.token, sizeof(token));
    expect_list(harness, request, &listing, "agents/n/e=1 ");
    assert_string_equal(listing.end.token, "");
    assert_int_equal(listing.end.revision, 5);
    request.token = NULL;
    expect_list(harness, request, &listing, "agents/n/a=1 agents/n/d=2 ");
}

static void a_visitor_may_end_the_page(void **state)
{
    struct harness *harness = *state;
    struct listing listing = {.count_max = 1};
    char token[SW_STORE_TOKEN_MAX];

    harness_put(harness, "agents/a/x", "1");
    harness_put(harness, "agents/a/y", "2");
    expect_list(harness, (struct sw_store_list_request){.prefix = "agents/"}, &listing,
                "agents/a/x=1 ");
    assert_string_not_equal(listing.end.token, "");
    memcpy(token, listing.end.token, sizeof(token));
    expect_list(harness, (struct sw_store_list_request){.prefix = "agents/", .token = token},
                &listing, "agents/a/y=2 ");
    assert_string_equal(listing.end.token, "");
}

static void an_older_revision_can_be_listed(void **state)
{
    struct harness *harness = *state;
    struct listing listing = {0};

    harness_put(harness, "agents/a/x", "1");
    uint64_t then = harness_put(harness, "agents/a/y", "1");
    harness_put(harness, "agents/a/x", "2");
    harness_delete(harness, "agents/a/y");
    harness_put(harness, "agents/a/y", "3");
    expect_list(harness, (struct sw_store_list_request){.prefix = "", .revision = then}, &listing,
                "agents/a/x=1 agents/a/y=1 ");
    expect_list(harness, (struct sw_store_list_request){.prefix = "", .revision = then + 2},
                &listing, "agents/a/x=2 ");
}

static void compacted_and_future_revisions_are_out_of_range(void **state)
{
    struct harness *harness = *state;
    struct listing listing = {0};

    harness_put(harness, "agents/a/x", "1");
    uint64_t middle = harness_put(harness, "agents/a/x", "2");
    uint64_t newest = harness_put(harness, "agents/a/x", "3");
    sw_store_compact(harness->store, middle);
    assert_int_equal(try_list(harness,
                              (struct sw_store_list_request){.prefix = "", .revision = middle - 1},
                              &listing),
                     SW_E_RANGE);
    assert_int_equal(try_list(harness,
                              (struct sw_store_list_request){.prefix = "", .revision = newest + 1},
                              &listing),
                     SW_E_RANGE);
    expect_list(harness, (struct sw_store_list_request){.prefix = "", .revision = middle}, &listing,
                "agents/a/x=2 ");
}

static void a_page_whose_revision_is_compacted_is_out_of_range(void **state)
{
    struct harness *harness = *state;
    struct listing listing = {0};

    harness_put(harness, "agents/a/x", "1");
    harness_put(harness, "agents/a/y", "1");
    expect_list(harness, (struct sw_store_list_request){.prefix = "", .items_max = 1}, &listing,
                "agents/a/x=1 ");
    harness_put(harness, "agents/a/y", "2");
    sw_store_compact(harness->store, sw_store_revision(harness->store));
    assert_int_equal(
        try_list(harness, (struct sw_store_list_request){.prefix = "", .token = listing.end.token},
                 &listing),
        SW_E_RANGE);
}

static void tokens_from_elsewhere_are_refused(void **state)
{
    struct harness *harness = *state;
    struct listing listing = {0};
    char token[SW_STORE_TOKEN_MAX];
    const char *bad[] = {"x", "====", "MSAx", "MiAxIGE=", "MSB4IGFnZW50cy9hL3g=", "MSAxIAphCg=="};

    harness_put(harness, "agents/a/x", "1");
    harness_put(harness, "agents/a/y", "1");
    expect_list(harness, (struct sw_store_list_request){.prefix = "agents/", .items_max = 1},
                &listing, "agents/a/x=1 ");
    memcpy(token, listing.end.token, sizeof(token));
    assert_int_equal(try_list(harness,
                              (struct sw_store_list_request){.prefix = "pods/", .token = token},
                              &listing),
                     SW_E_INVALID);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(try_list(harness,
                                  (struct sw_store_list_request){.prefix = "", .token = bad[i]},
                                  &listing),
                         SW_E_INVALID);
}

#define CONFORMANCE_LIST(test)                                                                     \
    test(a_list_has_a_prefix_in_the_order_of_keys),                                                \
        test(pages_show_one_revision_while_writes_go_on), test(a_visitor_may_end_the_page),        \
        test(an_older_revision_can_be_listed),                                                     \
        test(compacted_and_future_revisions_are_out_of_range),                                     \
        test(a_page_whose_revision_is_compacted_is_out_of_range),                                  \
        test(tokens_from_elsewhere_are_refused)
