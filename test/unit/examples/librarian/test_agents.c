/* Both agents together, against the ranking of one process over the same documents. */
/* uses: pkg/utils/base */
#include "test/unit/examples/librarian/world.h"
#include "tools/librarian-check/collection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <swarm/agent.h>

#include <cmocka.h>

#define DOCUMENTS 5000
#define TEXT_MAX 8192

static uint32_t seed = 1;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* A document of words that are common or rare, as words are; every tenth is long. */
static size_t make_document(unsigned number, char text[TEXT_MAX])
{
    size_t size = (size_t)snprintf(text, TEXT_MAX, "document %u\n", number);
    unsigned words = 20 + draw(number % 10 == 0 ? 900 : 120);

    for (unsigned i = 0; i < words && size + 32 < TEXT_MAX; i++) {
        unsigned rank = draw(1u << (1 + draw(13)));

        size += (size_t)snprintf(text + size, TEXT_MAX - size, "%c%cw%u%c", 'a' + rank % 26,
                                 'a' + rank % 7, rank, draw(9) == 0 ? '\n' : ' ');
    }
    return size;
}

static struct collection_check *check;

static void put_document(const char *key, const char *text, size_t size)
{
    assert_int_equal(world_send_document(key, text, size), SWARM_OK);
    assert_true(collection_check_add(check, key, (struct sw_bytes){text, size}));
}

static void assert_answer(const char *question)
{
    char json[512];
    struct sw_buffer expected;
    unsigned asked;

    (void)snprintf(json, sizeof json, "{\"question\":\"%s\",\"limit\":10}", question);
    asked = world_ask("application/json", json);
    assert_true(world_run());
    sw_buffer_init(&expected, 65536);
    assert_true(collection_check_ask(check, question, 10, &expected));
    sw_buffer_put_u8(&expected, '\0');
    assert_true(world_reply_of(asked)->is_there);
    assert_int_equal(world_reply_of(asked)->status, SWARM_OK);
    assert_string_equal(world_reply_of(asked)->type, "application/json");
    assert_string_equal(world_reply_of(asked)->text, (const char *)expected.data);
    sw_buffer_done(&expected);
}

static int begin(void **state)
{
    (void)state;
    world_begin();
    check = collection_check_new();
    return check == NULL;
}

static int end(void **state)
{
    (void)state;
    collection_check_free(check);
    world_end();
    return 0;
}

static void put_four(void)
{
    static const char *const texts[] = {
        "openssl (3.0.1) unstable; urgency=high\n  * Fix CVE-2022-0778, a loop in BN_mod_sqrt.\n",
        "curl (7.88) unstable\n  * New release. Links with OpenSSL.\n",
        "zlib (1.2.13)\n  * Fixed CVE-2022-37434 in inflate.\n", "hello (2.10)\n  * Greets.\n"};
    static const char *const keys[] = {"openssl/changelog", "curl/changelog", "zlib/changelog",
                                       "hello/README"};

    for (size_t i = 0; i < 4; i++)
        put_document(keys[i], texts[i], strlen(texts[i]));
}

static void test_five_thousand_documents_rank_as_in_one_process(void **state)
{
    static char text[TEXT_MAX];
    char key[32];

    (void)state;
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        (void)snprintf(key, sizeof key, "docs/%u.txt", i);
        put_document(key, text, make_document(i, text));
    }
    assert_answer("document 4711");
    assert_answer("ddw3 ecw30 xfw75"); /* Words of all degrees of rarity. */
    assert_answer("aaw0 bbw1 ccw2 ddw3 eew4 ffw5 ggw6 haw7 ibw8 jcw9 kdw10");
    assert_answer("nobody has said this");
    assert_answer("which of these");
    assert_int_equal(world_question_turns("docs/17.txt"), 3); /* Not for what nobody has said. */
}

static void test_answer_in_words(void **state)
{
    unsigned asked;

    (void)state;
    put_four();
    asked = world_ask("text/plain", "which packages fixed a CVE in OpenSSL?");
    assert_true(world_run());
    assert_int_equal(world_reply_of(asked)->status, SWARM_OK);
    assert_non_null(strstr(world_reply_of(asked)->text, "of 4 documents have something to say:\n"));
    assert_non_null(strstr(world_reply_of(asked)->text, "\n1. openssl/changelog  ("));
    assert_non_null(strstr(world_reply_of(asked)->text, ")\n   openssl (3.0.1) unstable; "));
}

static void test_one_turn_per_document_and_question(void **state)
{
    (void)state;
    put_four();
    assert_answer("fixed openssl");
    assert_answer("greets");
    assert_int_equal(world_question_turns("openssl/changelog"), 2);
    assert_int_equal(world_question_turns("hello/README"), 2);
}

static void test_document_that_is_sent_again_replaces_the_one_before(void **state)
{
    static const char old[] = "alpha beta gamma alpha beta gamma and many more words of old\n";
    static const char new_[] = "delta beta\n";

    (void)state;
    put_four();
    assert_int_equal(world_send_document("x", old, sizeof old - 1), SWARM_OK);
    put_document("x", new_, sizeof new_ - 1);
    assert_answer("alpha");
    assert_answer("delta beta fixed");
}

static void test_empty_and_binary_documents(void **state)
{
    char junk[3000];

    (void)state;
    put_four();
    for (size_t i = 0; i < sizeof junk; i++)
        junk[i] = (char)draw(256);
    put_document("junk", junk, sizeof junk);
    put_document("empty", "", 0);
    put_document("spaces", " \n\n ", 4);
    assert_answer("fixed openssl");
}

static void test_questions_at_the_same_time(void **state)
{
    unsigned first, second, third;

    (void)state;
    put_four();
    first = world_ask("text/plain", "loop in openssl");
    second = world_ask("text/plain", "greets");
    third = world_ask("text/plain", "inflate");
    assert_true(world_run());
    assert_non_null(strstr(world_reply_of(first)->text, "1. openssl/changelog"));
    assert_non_null(strstr(world_reply_of(second)->text, "1. hello/README"));
    assert_non_null(strstr(world_reply_of(third)->text, "1. zlib/changelog"));
}

static void test_missing_bids_end_with_the_timer(void **state)
{
    unsigned asked;

    (void)state;
    put_four();
    world_cut_off("curl/changelog", true);
    asked = world_ask("text/plain", "openssl");
    assert_true(world_run());
    assert_false(world_reply_of(asked)->is_there);
    assert_int_equal(world_fire_timers(), 2); /* Since bids had come, it waited once more. */
    assert_non_null(strstr(world_reply_of(asked)->text,
                           "1 of 3 documents have something to say (1 did not answer in time)"));
    world_cut_off("curl/changelog", false);
    assert_answer("openssl");
    assert_int_equal(world_fire_timers(), 0); /* An answered question leaves no timer. */
}

static void test_reader_that_comes_later_is_not_waited_for(void **state)
{
    unsigned asked;

    (void)state;
    put_four();
    world_cut_off("curl/changelog", true);
    asked = world_ask("text/plain", "openssl");
    assert_true(world_run());
    put_document("late", "openssl too\n", 12); /* Its words do not close the question early. */
    assert_false(world_reply_of(asked)->is_there);
    world_cut_off("curl/changelog", false);
    assert_int_equal(world_fire_timers(), 2);
    assert_true(world_reply_of(asked)->is_there);
    assert_answer("openssl");
}

static void test_deleted_reader_takes_its_words_along(void **state)
{
    (void)state;
    put_four();
    assert_int_equal(world_send_document("gone", "unique words openssl\n", 21), SWARM_OK);
    world_delete_reader("gone");
    assert_true(world_run());
    assert_answer("unique openssl");
}

static void test_librarian_that_lost_its_memory_counts_again(void **state)
{
    (void)state;
    put_four();
    world_empty_librarian();
    assert_true(world_run());
    assert_answer("fixed openssl");
    put_document("new", "openssl again\n", 14);
    assert_answer("fixed openssl");
}

static void test_readers_that_lost_their_memory_are_counted_out(void **state)
{
    static const char text[] = "hello again\n";

    (void)state;
    put_four();
    assert_int_equal(world_send_document("lost", "openssl lost\n", 13), SWARM_OK);
    world_empty_reader("lost");
    assert_true(world_run());
    assert_int_equal(world_fire_timers(), 1); /* One recount, however many there were. */
    assert_true(world_run());
    assert_answer("fixed openssl");
    put_document("lost", text, sizeof text - 1);
    assert_answer("hello openssl");
}

static void test_questions_that_are_refused(void **state)
{
    static char large[5000];
    unsigned empty, large_one, json, none, limit;

    (void)state;
    (void)memset(large, 'a', sizeof large - 1);
    none = world_ask("text/plain", "anybody there?");
    empty = world_ask("text/plain", "");
    large_one = world_ask("text/plain", large);
    json = world_ask("application/json", "{\"questoin\":\"x\"}");
    limit = world_ask("application/json", "{\"question\":\"x\",\"limit\":0}");
    assert_true(world_run());
    assert_int_equal(world_reply_of(none)->status, SWARM_E_PRECONDITION);
    assert_non_null(strstr(world_reply_of(none)->text, "swarm send reader --each"));
    assert_int_equal(world_reply_of(empty)->status, SWARM_E_INVALID);
    assert_int_equal(world_reply_of(large_one)->status, SWARM_E_INVALID);
    assert_int_equal(world_reply_of(json)->status, SWARM_E_INVALID);
    assert_int_equal(world_reply_of(limit)->status, SWARM_E_INVALID);
}

static void test_too_many_questions_at_once(void **state)
{
    unsigned asked[65];
    unsigned refused = 0;

    (void)state;
    put_four();
    for (int i = 0; i < 65; i++)
        asked[i] = world_ask("text/plain", "openssl");
    assert_true(world_run());
    for (int i = 0; i < 65; i++)
        refused += world_reply_of(asked[i])->status == SWARM_E_EXHAUSTED;
    assert_int_equal(refused, 1);
    assert_answer("openssl"); /* All places are free again. */
}

static void test_documents_that_are_refused(void **state)
{
    static char large[131073];

    (void)state;
    (void)memset(large, 'a', sizeof large);
    assert_int_equal(world_send_document("large", large, sizeof large), SWARM_E_INVALID);
    put_document("large", large, sizeof large - 1); /* One very long word. */
    for (size_t i = 2; i < sizeof large; i += 3)
        large[i] = ' ';
    world_limit_readers(512 * 1024);
    assert_int_equal(world_send_document("full", large, sizeof large - 1), SWARM_E_EXHAUSTED);
    put_four();
    assert_answer("openssl");
}

static void test_largest_document_fits(void **state)
{
    static char text[131072];

    (void)state;
    put_four();
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 3 < 2 ? (char)('a' + draw(26)) : ' ';
    put_document("largest", text, sizeof text);
    assert_answer("openssl ab cd");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_five_thousand_documents_rank_as_in_one_process),
        TEST(test_answer_in_words),
        TEST(test_one_turn_per_document_and_question),
        TEST(test_document_that_is_sent_again_replaces_the_one_before),
        TEST(test_empty_and_binary_documents),
        TEST(test_questions_at_the_same_time),
        TEST(test_missing_bids_end_with_the_timer),
        TEST(test_reader_that_comes_later_is_not_waited_for),
        TEST(test_deleted_reader_takes_its_words_along),
        TEST(test_librarian_that_lost_its_memory_counts_again),
        TEST(test_readers_that_lost_their_memory_are_counted_out),
        TEST(test_questions_that_are_refused),
        TEST(test_too_many_questions_at_once),
        TEST(test_documents_that_are_refused),
        TEST(test_largest_document_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
