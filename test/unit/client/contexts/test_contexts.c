/* Contexts: written by programs, chosen and changed by people, read back whole. */
/* uses: pkg/utils/system */
#include "pkg/client/contexts/contexts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static const struct sw_context dev = {.name = "dev",
                                      .server = "https://127.0.0.1:7420",
                                      .namespace = "lab",
                                      .authority_pem = "-----BEGIN CA\nabc\n-----END CA\n",
                                      .certificate_pem = "-----BEGIN CRT\nxyz\n-----END CRT\n",
                                      .key_pem = "-----BEGIN KEY\n123\n-----END KEY\n"};

struct fixture {
    const struct sw_system *system;
    struct sw_arena *arena;
    struct sw_contexts *contexts;
    struct sw_context context;
    struct sw_err err;
    char base[64], folder[128];
};

static int setup(void **state)
{
    static struct fixture fixture;

    memset(&fixture, 0, sizeof fixture);
    fixture.system = sw_system_real();
    fixture.arena = sw_arena_new((size_t)64 << 20);
    (void)snprintf(fixture.base, sizeof fixture.base, "/tmp/swarm-contexts-XXXXXX");
    if (fixture.arena == NULL || mkdtemp(fixture.base) == NULL)
        return -1;
    (void)snprintf(fixture.folder, sizeof fixture.folder, "%s/swarm", fixture.base);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[160];

    sw_arena_free(f->arena);
    (void)snprintf(command, sizeof command, "rm -r %s", f->base);
    return system(command);
}

static void put(struct fixture *f, const char *name, const char *text)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/contexts", f->folder);
    assert_int_equal(f->system->folder_make(NULL, path, &f->err), SW_OK);
    (void)snprintf(path, sizeof path, "%s/%s", f->folder, name);
    assert_int_equal(sw_file_save(f->system, path, text, strlen(text), &f->err), SW_OK);
}

static const char *content(struct fixture *f, const char *name)
{
    static char text[4096];
    struct sw_buffer bytes;
    char path[256];

    sw_buffer_init(&bytes, sizeof text - 1);
    (void)snprintf(path, sizeof path, "%s/%s", f->folder, name);
    assert_int_equal(sw_file_load(f->system, path, sizeof text - 1, &bytes, &f->err), SW_OK);
    memcpy(text, bytes.data, bytes.size);
    text[bytes.size] = '\0';
    sw_buffer_done(&bytes);
    return text;
}

static enum sw_rc load(struct fixture *f)
{
    return sw_contexts_load(f->system, f->folder, f->arena, &f->contexts, &f->err);
}

static enum sw_rc resolve(struct fixture *f, const char *name)
{
    enum sw_rc rc = load(f);

    return rc == SW_OK
               ? sw_contexts_resolve(f->contexts, f->system, name, f->arena, &f->context, &f->err)
               : rc;
}

#define HEAD "apiVersion: swarm/v1\nkind: Config\n"

static void what_was_saved_is_read_back_and_becomes_the_current_one(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(sw_context_save(f->system, f->folder, &dev, &f->err), SW_OK);
    assert_int_equal(resolve(f, NULL), SW_OK);
    assert_string_equal(f->context.name, "dev");
    assert_string_equal(f->context.server, dev.server);
    assert_string_equal(f->context.namespace, "lab");
    assert_string_equal(f->context.authority_pem, dev.authority_pem);
    assert_string_equal(f->context.certificate_pem, dev.certificate_pem);
    assert_string_equal(f->context.key_pem, dev.key_pem);
}

static void keys_are_for_their_owner_alone(void **state)
{
    struct fixture *f = *state;
    struct stat status;
    char path[256];

    assert_int_equal(sw_context_save(f->system, f->folder, &dev, &f->err), SW_OK);
    (void)snprintf(path, sizeof path, "%s/contexts/dev.yaml", f->folder);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    (void)snprintf(path, sizeof path, "%s/contexts", f->folder);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
}

static void a_second_context_does_not_take_over(void **state)
{
    struct fixture *f = *state;
    struct sw_context other = dev;

    other.name = "other";
    assert_int_equal(sw_context_save(f->system, f->folder, &dev, &f->err), SW_OK);
    assert_int_equal(sw_context_save(f->system, f->folder, &other, &f->err), SW_OK);
    assert_int_equal(load(f), SW_OK);
    assert_string_equal(sw_contexts_current(f->contexts), "dev");
    assert_int_equal(sw_contexts_count(f->contexts), 2);
    assert_string_equal(sw_contexts_name_at(f->contexts, 1), "other");
    assert_string_equal(sw_contexts_server_at(f->contexts, 1), dev.server);
    assert_null(sw_contexts_name_at(f->contexts, 2));
}

static void choosing_keeps_what_a_person_wrote(void **state)
{
    struct fixture *f = *state;

    put(f, "config.yaml",
        "# mine\n" HEAD "current: a # today\n"
        "contexts: {a: {cluster: c}, b: {cluster: c}}\nclusters: {c: {server: \"https://h:1\"}}\n");
    assert_int_equal(sw_contexts_use(f->system, f->folder, "b", &f->err), SW_OK);
    assert_string_equal(
        content(f, "config.yaml"),
        "# mine\n" HEAD "current: b\n"
        "contexts: {a: {cluster: c}, b: {cluster: c}}\nclusters: {c: {server: \"https://h:1\"}}\n");
    assert_int_equal(sw_contexts_use(f->system, f->folder, "c", &f->err), SW_E_NOT_FOUND);
}

static void a_config_without_a_last_newline_gets_one(void **state)
{
    struct fixture *f = *state;

    put(f, "config.yaml", "apiVersion: swarm/v1\nkind: Config");
    assert_int_equal(sw_context_save(f->system, f->folder, &dev, &f->err), SW_OK);
    assert_string_equal(content(f, "config.yaml"), HEAD "current: dev\n");
}

static void config_wins_over_the_files_of_programs(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(sw_context_save(f->system, f->folder, &dev, &f->err), SW_OK);
    put(f, "config.yaml",
        HEAD "current: dev\nclusters:\n  dev:\n    server: https://far:1\n    authority: ''\n");
    assert_int_equal(resolve(f, "dev"), SW_OK);
    assert_string_equal(f->context.server, "https://far:1");
    assert_string_equal(f->context.authority_pem, "");
}

static void pem_files_are_found_beside_their_config(void **state)
{
    struct fixture *f = *state;

    put(f, "ca.pem", "-----BEGIN X\n");
    put(f, "config.yaml",
        HEAD "contexts: {a: {cluster: a}}\n"
             "clusters: {a: {server: \"https://h:1\", authority: ca.pem}}\n");
    assert_int_equal(resolve(f, "a"), SW_OK);
    assert_string_equal(f->context.authority_pem, "-----BEGIN X\n");
    assert_string_equal(f->context.namespace, "default");
    put(f, "config.yaml",
        HEAD "contexts: {a: {cluster: a}}\n"
             "clusters: {a: {server: \"https://h:1\", authority: none.pem}}\n");
    assert_int_equal(resolve(f, "a"), SW_E_NOT_FOUND);
}

static void without_a_context_the_person_is_told_what_to_do(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(resolve(f, NULL), SW_E_PRECONDITION);
    assert_string_equal(f->err.hint, "start a daemon that makes one: swarmd --dev");
    put(f, "config.yaml",
        HEAD "contexts: {a: {cluster: a}}\nclusters: {a: {server: \"https://h\"}}\n");
    assert_int_equal(resolve(f, NULL), SW_E_PRECONDITION);
    assert_string_equal(f->err.hint, "choose one with: swarm config use NAME");
}

static void an_unknown_context_is_refused_with_the_nearest(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(sw_context_save(f->system, f->folder, &dev, &f->err), SW_OK);
    assert_int_equal(resolve(f, "dve"), SW_E_NOT_FOUND);
    assert_string_equal(f->err.hint, "did you mean \"dev\"?");
}

static void what_a_context_names_must_be_there(void **state)
{
    struct fixture *f = *state;

    put(f, "config.yaml", HEAD "contexts: {a: {cluster: b}}\n");
    assert_int_equal(resolve(f, "a"), SW_E_INVALID);
    put(f, "config.yaml",
        HEAD "contexts: {a: {cluster: a, user: u}}\n"
             "clusters: {a: {server: \"https://h\"}}\n");
    assert_int_equal(resolve(f, "a"), SW_E_INVALID);
    assert_string_equal(f->err.message, "context \"a\": there is no user \"u\"");
}

static void mistakes_are_told_with_their_place(void **state)
{
    static const struct {
        const char *text, *place, *words;
    } cases[] = {
        {HEAD "contexts:\n  a: {clutser: x}\n", "config.yaml:4:7", "did you mean \"cluster\"?"},
        {HEAD "contxts: {}\n", "config.yaml:3:1", "did you mean \"contexts\"?"},
        {HEAD "contexts: {a: [1]}\n", "config.yaml:3:", "expected a mapping"},
        {HEAD "contexts: {a: {cluster: [1]}}\n", "config.yaml:3:", "expected a text"},
        {HEAD "users: 3\n", "config.yaml:3:", "expected a mapping from names"},
        {"[]\n", "config.yaml:1:1", "expected a mapping"},
        {"kind: Config\n", "config.yaml", "apiVersion must be"},
        {"apiVersion: swarm/v9\nkind: Config\n", "config.yaml:1:", "newer"},
        {"apiVersion: swarm/v1\nkind: Agent\n", "config.yaml:2:", "kind must be"},
        {"a: b: c\n", "config.yaml:1:", ""},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put(f, "config.yaml", cases[i].text);
        assert_int_equal(load(f), SW_E_INVALID);
        assert_non_null(strstr(f->err.message, cases[i].place));
        assert_non_null(strstr(f->err.message, cases[i].words));
    }
}

static const char *environment(void *ctx, const char *name)
{
    const char *const *pairs = ctx;

    for (; *pairs != NULL; pairs += 2) {
        if (strcmp(pairs[0], name) == 0)
            return pairs[1];
    }
    return NULL;
}

static const char *folder_of(struct fixture *f, const char *const *pairs)
{
    const char *folder = NULL;

    /* The environment is only read. */
    if (sw_contexts_folder(environment, (void *)(uintptr_t)pairs, f->arena, &folder, &f->err) !=
        SW_OK)
        return NULL;
    return folder;
}
#define FOLDER_OF(f, ...) folder_of(f, (const char *const[]){__VA_ARGS__, NULL})

static void the_folder_follows_the_environment(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(FOLDER_OF(f, "HOME", "/h"), "/h/.config/swarm");
    assert_string_equal(FOLDER_OF(f, "HOME", "/h", "XDG_CONFIG_HOME", "/x"), "/x/swarm");
    assert_string_equal(FOLDER_OF(f, "HOME", "/h", "XDG_CONFIG_HOME", "relative"),
                        "/h/.config/swarm");
    assert_string_equal(FOLDER_OF(f, "HOME", "/h", "SWARM_CONFIG_HOME", "/s"), "/s");
    assert_null(FOLDER_OF(f, "PATH", "/bin"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_saved_is_read_back_and_becomes_the_current_one),
        TEST(keys_are_for_their_owner_alone),
        TEST(a_second_context_does_not_take_over),
        TEST(choosing_keeps_what_a_person_wrote),
        TEST(a_config_without_a_last_newline_gets_one),
        TEST(config_wins_over_the_files_of_programs),
        TEST(pem_files_are_found_beside_their_config),
        TEST(without_a_context_the_person_is_told_what_to_do),
        TEST(an_unknown_context_is_refused_with_the_nearest),
        TEST(what_a_context_names_must_be_there),
        TEST(mistakes_are_told_with_their_place),
        TEST(the_folder_follows_the_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
