/* A backup's file: what is written is read again, in whatever pieces it comes, and nothing else. */
#include "pkg/backup/archive/names.h"
#include "pkg/backup/archive/reader.h"
#include "pkg/backup/archive/writer.h"
#include "pkg/security/crypto/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LONG_NAME                                                                                  \
    "hosts/agent-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/agents/"          \
    "snapshot-0000000000000040.snap"

static const char *const names[] = {"store.db", "agents-journal", LONG_NAME,
                                    "modules/default/" HEX64 ".wasm"};
static const size_t sizes[] = {1000, 32, 0, 512};
#define FILES 4u

struct heard {
    unsigned begun, ended;
    uint64_t bytes;
    char last[SW_ARCHIVE_NAME_MAX + 1];
    enum sw_rc answer;
};

static enum sw_rc on_begin(void *ctx, const char *name, uint64_t size_bytes, struct sw_err *err)
{
    struct heard *heard = ctx;

    assert_string_equal(name, names[heard->begun]);
    assert_int_equal(size_bytes, sizes[heard->begun]);
    (void)snprintf(heard->last, sizeof heard->last, "%s", name);
    heard->begun++;
    return heard->answer == SW_OK ? SW_OK : sw_err_set(err, heard->answer, "the disk is full");
}

static enum sw_rc on_bytes(void *ctx, struct sw_bytes bytes, struct sw_err *err)
{
    (void)err;
    ((struct heard *)ctx)->bytes += bytes.size;
    return SW_OK;
}

static enum sw_rc on_end(void *ctx, struct sw_err *err)
{
    (void)err;
    ((struct heard *)ctx)->ended++;
    return SW_OK;
}

static void put_entry(struct sw_buffer *out, const char *name, struct sw_bytes bytes)
{
    const struct sw_archive_entry entry = {.name = name, .size_bytes = bytes.size, .utc_s = 7};
    static const uint8_t zeros[SW_ARCHIVE_BLOCK_BYTES];
    uint8_t block[SW_ARCHIVE_BLOCK_BYTES];

    sw_archive_head_put(&entry, block);
    sw_buffer_put(out, block, sizeof block);
    sw_buffer_put(out, bytes.data, bytes.size);
    sw_buffer_put(out, zeros, sw_archive_padding(bytes.size));
}

static void make_manifest(struct sw_manifest *manifest, struct sw_manifest_file *files)
{
    static struct sw_manifest_journal journal = {.folder = "agents", .lsn = 64, .epoch = 0};
    static struct sw_manifest_engine engine = {.name = HEX64, .fingerprint = "wasmtime 1, abi 2"};

    *manifest = (struct sw_manifest){.id = "000102030405060708090a0b0c0d0e0f",
                                     .version = "0.1.0",
                                     .cluster = "swarm",
                                     .node = "node-1",
                                     .utc_ns = 1700000000123456789u,
                                     .timeline = 3,
                                     .revision = 42,
                                     .journals = &journal,
                                     .journals_count = 1,
                                     .engines = &engine,
                                     .engines_count = 1,
                                     .files = files,
                                     .files_count = FILES};
}

/* The whole archive. damage: of a file's digest in the manifest. */
static void make_archive(struct sw_buffer *out, bool has_damage)
{
    static uint8_t content[1000];
    static const uint8_t end[SW_ARCHIVE_END_BYTES];
    struct sw_manifest_file files[FILES];
    struct sw_manifest manifest;
    struct sw_buffer text;

    sw_buffer_init(out, 1u << 20);
    sw_buffer_init(&text, 1u << 16);
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < FILES; i++) {
        put_entry(out, names[i], (struct sw_bytes){content, sizes[i]});
        files[i] = (struct sw_manifest_file){.name = names[i], .size_bytes = sizes[i]};
        sw_sha256_of(content, sizes[i], files[i].digest);
    }
    files[3].digest[0] ^= has_damage;
    make_manifest(&manifest, files);
    sw_manifest_put(&manifest, &text);
    assert_int_equal(text.size, sw_manifest_bytes(&manifest));
    put_entry(out, SW_ARCHIVE_MANIFEST, (struct sw_bytes){text.data, text.size});
    sw_buffer_put(out, end, sizeof end);
    sw_buffer_done(&text);
    assert_false(out->failed);
}

/* Read it in pieces of so many bytes. */
static enum sw_rc read_all(struct sw_bytes bytes, size_t piece, struct heard *heard,
                           struct sw_err *err)
{
    const struct sw_archive_sink sink = {heard, on_begin, on_bytes, on_end};
    struct sw_archive_reader *reader = NULL;
    const struct sw_manifest *manifest = NULL;
    enum sw_rc rc;

    assert_int_equal(sw_archive_reader_new(heard == NULL ? NULL : &sink, &reader, err), SW_OK);
    rc = SW_OK;
    for (size_t at = 0; rc == SW_OK && at < bytes.size; at += piece) {
        size_t size = bytes.size - at < piece ? bytes.size - at : piece;

        rc = sw_archive_reader_feed(reader,
                                    (struct sw_bytes){(const uint8_t *)bytes.data + at, size}, err);
    }
    if (rc == SW_OK)
        rc = sw_archive_reader_finish(reader, &manifest, err);
    if (rc == SW_OK) {
        assert_int_equal(manifest->files_count, FILES);
        assert_int_equal(manifest->timeline, 3);
        assert_int_equal(manifest->utc_ns, 1700000000123456789u);
        assert_string_equal(manifest->engines[0].fingerprint, "wasmtime 1, abi 2");
        assert_string_equal(manifest->journals[0].folder, "agents");
    }
    sw_archive_reader_free(reader);
    return rc;
}

static void what_is_written_is_read_in_pieces_of_any_size(void **state)
{
    static const size_t pieces[] = {1, 3, 511, 512, 513, 1u << 20};
    struct sw_buffer archive;
    struct sw_err err = {0};

    (void)state;
    make_archive(&archive, false);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct heard heard = {.begun = 0};

        assert_int_equal(
            read_all((struct sw_bytes){archive.data, archive.size}, pieces[i], &heard, &err),
            SW_OK);
        assert_int_equal(heard.begun, FILES);
        assert_int_equal(heard.ended, FILES);
        assert_int_equal(heard.bytes, 1544);
    }
    sw_buffer_done(&archive);
}

/* Not one byte may be another one: each is covered by a digest, a sum, or must be zero. */
static void any_byte_that_is_changed_is_found(void **state)
{
    struct sw_buffer archive;

    (void)state;
    make_archive(&archive, false);
    for (size_t i = 0; i < archive.size; i++) {
        struct sw_err err = {0};
        enum sw_rc rc;

        archive.data[i] ^= 0x20;
        rc = read_all((struct sw_bytes){archive.data, archive.size}, 4096, NULL, &err);
        if (rc == SW_OK || err.message[0] == '\0')
            fail_msg("byte %zu may be anything", i);
        archive.data[i] ^= 0x20;
    }
    sw_buffer_done(&archive);
}

static void one_that_is_cut_short_or_goes_on_is_refused(void **state)
{
    struct sw_buffer archive;
    struct sw_err err = {0};

    (void)state;
    make_archive(&archive, false);
    for (size_t size = 0; size < archive.size; size += 100)
        assert_int_equal(read_all((struct sw_bytes){archive.data, size}, 4096, NULL, &err),
                         SW_E_CORRUPT);
    assert_non_null(strstr(err.message, "it is cut short"));
    sw_buffer_put_u8(&archive, 0);
    assert_int_equal(read_all((struct sw_bytes){archive.data, archive.size}, 4096, NULL, &err),
                     SW_E_CORRUPT);
    assert_non_null(strstr(err.message, "something behind its end"));
    sw_buffer_done(&archive);
}

static void a_file_that_is_not_what_the_manifest_says_is_named(void **state)
{
    struct sw_buffer archive;
    struct sw_err err = {0};

    (void)state;
    make_archive(&archive, true);
    assert_int_equal(read_all((struct sw_bytes){archive.data, archive.size}, 4096, NULL, &err),
                     SW_E_CORRUPT);
    assert_non_null(strstr(err.message, names[3]));
    sw_buffer_done(&archive);
}

static void what_is_no_backup_is_told_so(void **state)
{
    static const char text[600] = "PK\003\004 this is something else";
    struct sw_err err = {0};

    (void)state;
    assert_int_equal(read_all((struct sw_bytes){text, sizeof text}, 4096, NULL, &err),
                     SW_E_CORRUPT);
    assert_non_null(strstr(err.message, "this is no backup of Swarm"));
}

static void an_error_of_the_sink_ends_it_for_good(void **state)
{
    struct heard heard = {.answer = SW_E_EXHAUSTED};
    struct sw_buffer archive;
    struct sw_err err = {0};

    (void)state;
    make_archive(&archive, false);
    assert_int_equal(read_all((struct sw_bytes){archive.data, archive.size}, 4096, &heard, &err),
                     SW_E_EXHAUSTED);
    assert_string_equal(err.message, "the disk is full");
    assert_int_equal(heard.begun, 1);
    sw_buffer_done(&archive);
}

static void no_name_leads_out_of_the_folder(void **state)
{
    static const char *const good[] = {"store.db",
                                       "agents/journal-0000000000000040.seg",
                                       "agents/shelf-00000001.shelf",
                                       "agents/history-0123456789abcdef-0000000000000040-"
                                       "0000000000000100.hist",
                                       "hosts/namespace-shop/host",
                                       "hosts/agent-0a-b/agents-journal",
                                       LONG_NAME,
                                       "engines/" HEX64 "/libwasmtime.so"};
    static const char *const bad[] = {"",
                                      "manifest",
                                      "/etc/passwd",
                                      "../store.db",
                                      "store.db/",
                                      "agents",
                                      "agents/",
                                      "agents/../store.db",
                                      "agents/lock",
                                      "agents/journal-0000000000000040.seg.tmp",
                                      "agents/journal-000000000000004G.seg",
                                      "agents/shelf-1.shelf",
                                      "agents/history-0123456789abcdef-0000000000000040.hist",
                                      "agents/history-0123456789abcdef-0000000000000040-"
                                      "0000000000000100.new",
                                      "hosts/agents/host",
                                      "hosts/namespace-/host",
                                      "hosts/namespace-../host",
                                      "hosts/agent-a/b/host",
                                      "hosts/agent-a/restored",
                                      "modules/" HEX64 ".wasm",
                                      "modules//" HEX64 ".wasm",
                                      "modules/../" HEX64 ".wasm",
                                      "modules/default/" HEX64 "0.wasm",
                                      "engines/" HEX64 "/manifest",
                                      "engines/" HEX64 "/../x",
                                      "identity/authority.key",
                                      "compiler.key",
                                      "restored"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!sw_archive_name_is_valid(good[i]))
            fail_msg("%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (sw_archive_name_is_valid(bad[i]))
            fail_msg("%s", bad[i]);
}

static void sizes_of_more_than_eight_gibibytes_have_a_form_of_their_own(void **state)
{
    static const uint64_t large[] = {077777777777, 0100000000000, UINT64_C(1) << 40};

    (void)state;
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
        const struct sw_archive_entry entry = {.name = "store.db", .size_bytes = large[i]};
        struct sw_archive_reader *reader = NULL;
        uint8_t block[SW_ARCHIVE_BLOCK_BYTES];
        struct sw_err err = {0};

        sw_archive_head_put(&entry, block);
        assert_int_equal(sw_archive_reader_new(NULL, &reader, &err), SW_OK);
        assert_int_equal(
            sw_archive_reader_feed(reader, (struct sw_bytes){block, sizeof block}, &err), SW_OK);
        assert_int_equal(sw_archive_reader_bytes(reader), sizeof block);
        sw_archive_reader_free(reader);
    }
}

struct edit { /* Of a manifest's text, and what is said of it. */
    const char *from, *to, *words;
    enum sw_rc rc;
};

/* The digest at the end is made anew, so that it is not what finds the mistake. */
static void take_edited(const struct edit *edit)
{
    struct sw_manifest_file files[FILES] = {
        {.name = names[0]}, {.name = names[1]}, {.name = names[2]}, {.name = names[3]}};
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(1u << 20);
    struct sw_manifest manifest, taken;
    struct sw_buffer text, edited;
    uint8_t digest[SW_SHA256_SIZE];
    struct sw_err err = {0};
    const char *at;

    make_manifest(&manifest, files);
    sw_buffer_init(&text, 1u << 16);
    sw_buffer_init(&edited, 1u << 16);
    sw_manifest_put(&manifest, &text);
    sw_buffer_put_u8(&text, 0);
    at = strstr((const char *)text.data, edit->from);
    assert_non_null(at);
    sw_buffer_put(&edited, text.data, (size_t)(at - (const char *)text.data));
    sw_buffer_put_text(&edited, edit->to);
    sw_buffer_put(&edited, at + strlen(edit->from),
                  (size_t)(strstr(at, "end ") - at) - strlen(edit->from));
    sw_sha256_of(edited.data, edited.size, digest);
    sw_buffer_put_text(&edited, "end ");
    for (size_t i = 0; i < sizeof digest; i++)
        sw_buffer_print(&edited, "%02x", digest[i]);
    sw_buffer_put_text(&edited, "\n");
    if (sw_manifest_take((struct sw_bytes){edited.data, edited.size}, arena, &taken, &err) !=
            edit->rc ||
        (edit->rc != SW_OK && strstr(err.message, edit->words) == NULL))
        fail_msg("%s: %s", edit->to, err.message);
    sw_buffer_done(&text);
    sw_buffer_done(&edited);
}

static void a_manifest_is_taken_in_one_form_only(void **state)
{
    static const struct edit edits[] = {
        {"node-1", "node-2", "", SW_OK},
        {"swarm-backup 1", "swarm-backup 2", "format 2", SW_E_UNSUPPORTED},
        {"swarm-backup 1", "swarm-backup 01", "expected a number", SW_E_CORRUPT},
        {"swarm-backup 1", "swarm-snapshot 1", "expected \"swarm-backup\"", SW_E_CORRUPT},
        {"id 0001", "id 000X", "32 hex digits", SW_E_CORRUPT},
        {"time 2023", "time 20x3", "expected a time", SW_E_CORRUPT},
        {"cluster swarm", "cluster Swarm!", "a name that is none", SW_E_CORRUPT},
        {"cluster swarm", "cluster swarm b", "one word", SW_E_CORRUPT},
        {"version 0.1.0", "version  ", "one word", SW_E_CORRUPT},
        {"version 0.1.0",
         "version 0123456789012345678901234567890123456789012345678901234567890123456789",
         "too long", SW_E_CORRUPT},
        {"timeline 3", "timeline -3", "expected a number", SW_E_CORRUPT},
        {"journal agents ", "journal modules/a ", "expected \"journal", SW_E_CORRUPT},
        {"journal agents ", "journal ../agents ", "expected \"journal", SW_E_CORRUPT},
        {" 64 0\n", " 64\n", "expected \"journal", SW_E_CORRUPT},
        {" 64 0\n", " 64 00\n", "expected \"journal", SW_E_CORRUPT},
        {"engine 0", "engine x", "expected \"engine", SW_E_CORRUPT},
        {" wasmtime 1, abi 2", "", "expected \"engine", SW_E_CORRUPT},
        {" 0 store.db", " 0 ../store.db", "a name that no backup has", SW_E_CORRUPT},
        {" 0 store.db", " 0 store.db x", "a name that no backup has", SW_E_CORRUPT},
        {" 0 agents-journal", " agents-journal", "expected \"file", SW_E_CORRUPT},
        {"file ", "flie ", "belongs elsewhere", SW_E_CORRUPT},
        {"node-1\n", "node-1\n\n", "expected \"timeline\"", SW_E_CORRUPT},
        {"node-1\n", "node-\t\n", "no text", SW_E_CORRUPT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++)
        take_edited(&edits[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_in_pieces_of_any_size),
        cmocka_unit_test(any_byte_that_is_changed_is_found),
        cmocka_unit_test(one_that_is_cut_short_or_goes_on_is_refused),
        cmocka_unit_test(a_file_that_is_not_what_the_manifest_says_is_named),
        cmocka_unit_test(what_is_no_backup_is_told_so),
        cmocka_unit_test(an_error_of_the_sink_ends_it_for_good),
        cmocka_unit_test(no_name_leads_out_of_the_folder),
        cmocka_unit_test(sizes_of_more_than_eight_gibibytes_have_a_form_of_their_own),
        cmocka_unit_test(a_manifest_is_taken_in_one_form_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
