#include "pkg/agent/abi/abi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Both headers, one after the other: the order of the table. */
static char *header_text(void)
{
    static const char *const names[] = {SW_TEST_SOURCE "/include/swarm/agent.h",
                                        SW_TEST_SOURCE "/include/swarm/wait.h",
                                        SW_TEST_SOURCE "/include/swarm/bundle.h"};
    static char text[65536];
    size_t size = 0;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        FILE *file = fopen(names[i], "r");

        assert_non_null(file);
        size += fread(text + size, 1, sizeof text - 1 - size, file);
        (void)fclose(file);
    }
    text[size] = '\0';
    return text;
}

/* The types in a C declaration, as letters: pointers and 32-bit numbers 'i', 64-bit ones 'l'. */
static void letters_of(const char *from, const char *to, char ret_letters[32])
{
    size_t count = 0;

    for (const char *at = from; at < to && count < 31;) {
        const char *end = memchr(at, ',', (size_t)(to - at));
        end = end == NULL ? to : end;
        const char *wide = strstr(at, "64_t");
        if (end - at > 4 || memchr(at, '*', (size_t)(end - at)) != NULL)
            ret_letters[count++] = wide != NULL && wide < end ? 'l' : 'i';
        at = end + 1;
    }
    ret_letters[count] = '\0';
    if (strncmp(from, "void)", 5) == 0)
        ret_letters[0] = '\0';
}

/* Header and table are written apart; this is what keeps them one ABI. */
static void the_header_declares_the_table(void **state)
{
    char *text = header_text();
    size_t count, declared = 0;
    const struct sw_abi_function *imports = sw_abi_imports(&count);

    (void)state;
    for (const char *at = text; (at = strstr(at, "\nSWARM_IMPORT(")) != NULL; declared++) {
        char name[32], letters[32];
        assert_int_equal(sscanf(at, "\nSWARM_IMPORT(%31[a-z_])", name), 1);
        const struct sw_abi_function *row = sw_abi_find(imports, count, name, strlen(name));
        if (row == NULL)
            fail_msg("%s is not in the table", name);
        at = strstr(at, ")\n") + 2;
        const char *open = strchr(at, '(') + 1;
        letters_of(open, strchr(open, ')') + 0, letters);
        assert_string_equal(letters, row->parameters);
        assert_string_equal(strncmp(at, "uint64_t", 8) == 0 ? "l" : "i", row->result);
    }
    assert_int_equal(declared, count);
}

static void names_are_found_whole(void **state)
{
    size_t count;
    const struct sw_abi_function *exports = sw_abi_exports(&count);

    (void)state;
    assert_non_null(sw_abi_find(exports, count, "on_message", 10));
    assert_null(sw_abi_find(exports, count, "on_messag", 9));
    assert_null(sw_abi_find(exports, count, "on_message2", 11));
    assert_true(sw_abi_find(exports, count, "swarm_alloc", 11)->is_required);
    assert_false(sw_abi_find(exports, count, "on_stop", 7)->is_required);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_header_declares_the_table),
        cmocka_unit_test(names_are_found_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
