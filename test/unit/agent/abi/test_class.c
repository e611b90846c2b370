#include "pkg/agent/abi/class.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DIGEST "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

static struct sw_bytes text(const char *words)
{
    return (struct sw_bytes){words, strlen(words)};
}

static void a_class_is_found_by_its_name_only(void **state)
{
    enum sw_abi_class class;

    (void)state;
    for (unsigned i = 0; i < SW_ABI_CLASSES; i++) {
        assert_int_equal(sw_abi_class_parse(text(sw_abi_class_name((enum sw_abi_class)i)), &class),
                         SW_OK);
        assert_int_equal(class, i);
    }
    assert_int_equal(sw_abi_class_parse(text("Compact"), &class), SW_E_INVALID);
    assert_int_equal(sw_abi_class_parse(text(""), &class), SW_E_INVALID);
    assert_int_equal(sw_abi_class_parse(text("replay "), &class), SW_E_INVALID);
}

static void fingerprints_tell_classes_apart_and_name_them(void **state)
{
    char code[SW_ABI_CLASSES][SW_ABI_FINGERPRINT_SIZE], record[SW_ABI_CLASSES][256];

    (void)state;
    for (unsigned i = 0; i < SW_ABI_CLASSES; i++) {
        enum sw_abi_class class = (enum sw_abi_class)i;

        sw_abi_code_fingerprint(SW_ABI_FINGERPRINT, class, code[i]);
        sw_abi_record_fingerprint(SW_ABI_FINGERPRINT, class, record[i]);
        assert_int_equal(sw_abi_class_of(text(code[i])), class);
        assert_int_equal(sw_abi_class_of(text(record[i])), class);
        for (unsigned k = 0; k < i; k++) {
            assert_string_not_equal(code[i], code[k]);
            assert_string_not_equal(record[i], record[k]);
        }
    }
    assert_string_equal(code[SW_ABI_COMPACT], SW_ABI_FINGERPRINT);
    assert_string_equal(record[SW_ABI_COMPACT], SW_ABI_FINGERPRINT);
    assert_int_equal(sw_abi_class_of(text("replay")), SW_ABI_COMPACT);
    assert_int_equal(sw_abi_class_of(text("")), SW_ABI_COMPACT);
}

/* What replay records holds on another processor; machine code does on none but its own. */
static void only_records_of_replay_name_no_processor(void **state)
{
    char one[SW_ABI_FINGERPRINT_SIZE];

    (void)state;
    for (unsigned i = 0; i < SW_ABI_CLASSES; i++) {
        sw_abi_code_fingerprint(SW_ABI_FINGERPRINT, (enum sw_abi_class)i, one);
        assert_non_null(strstr(one, SW_ABI_PROCESSOR));
        sw_abi_record_fingerprint(SW_ABI_FINGERPRINT, (enum sw_abi_class)i, one);
        assert_true((strstr(one, SW_ABI_PROCESSOR) == NULL) ==
                    (i == SW_ABI_REPLAY || i == SW_ABI_REPLAY_FUEL));
    }
    sw_abi_record_fingerprint("a 1, " SW_ABI_PROCESSOR ", b", SW_ABI_REPLAY, one);
    assert_string_equal(one, "a 1, b, replay");
    sw_abi_record_fingerprint("engine 2", SW_ABI_REPLAY, one);
    assert_string_equal(one, "engine 2, replay");
}

static void each_program_has_one_name(void **state)
{
    static const char *const refused[] = {DIGEST "/", DIGEST "/compact", DIGEST "/quick",
                                          DIGEST "/replay/replay", "/"};
    char name[SW_ABI_PROGRAM_SIZE], digest[SW_ABI_PROGRAM_SIZE];
    struct sw_bytes part;
    enum sw_abi_class class;

    (void)state;
    for (unsigned i = 0; i < SW_ABI_CLASSES; i++) {
        sw_abi_program_name(text(DIGEST), (enum sw_abi_class)i, name);
        assert_int_equal(sw_abi_program_parse(text(name), &part, &class), SW_OK);
        assert_int_equal(class, i);
        assert_true(sw_bytes_is_equal(part, text(DIGEST)));
        sw_abi_program_digest(name, digest);
        assert_string_equal(digest, DIGEST);
    }
    assert_string_equal(name, DIGEST "/replay-fuel");
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_int_equal(sw_abi_program_parse(text(refused[i]), &part, &class), SW_E_INVALID);
    sw_abi_program_name((struct sw_bytes){NULL, 0}, SW_ABI_COMPACT, name);
    assert_string_equal(name, "");
    assert_int_equal(sw_abi_program_parse(text(name), &part, &class), SW_OK);
}

static void each_class_has_one_with_fuel(void **state)
{
    char name[64];

    (void)state;
    for (unsigned i = 0; i < SW_ABI_COMPACT_FUEL; i++) {
        enum sw_abi_class base = (enum sw_abi_class)i, with = sw_abi_class_with_fuel(base, true);

        assert_false(sw_abi_class_counts_fuel(base));
        assert_true(sw_abi_class_counts_fuel(with));
        assert_int_equal(sw_abi_class_with_fuel(with, false), base);
        assert_int_equal(sw_abi_class_with_fuel(with, true), with);
        (void)snprintf(name, sizeof name, "%s-fuel", sw_abi_class_name(base));
        assert_string_equal(sw_abi_class_name(with), name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_class_is_found_by_its_name_only),
        cmocka_unit_test(fingerprints_tell_classes_apart_and_name_them),
        cmocka_unit_test(only_records_of_replay_name_no_processor),
        cmocka_unit_test(each_program_has_one_name),
        cmocka_unit_test(each_class_has_one_with_fuel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
