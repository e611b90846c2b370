#include "pkg/backup/archive/manifest.h"

#include "pkg/backup/archive/names.h"
#include "pkg/security/crypto/digest.h"
#include "pkg/utils/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HEX_DIGEST (2 * SW_SHA256_SIZE)
#define ID_DIGITS (SW_MANIFEST_ID_SIZE - 1)
#define FINGERPRINT_MAX 255u
#define LINE_MAX 1024u

/* --- Writing --------------------------------------------------------------------------------- */

static void put_files(const struct sw_manifest *manifest, struct sw_buffer *out)
{
    for (size_t i = 0; i < manifest->files_count; i++) {
        const struct sw_manifest_file *file = &manifest->files[i];

        sw_buffer_put_text(out, "file ");
        sw_hex_encode(file->digest, sizeof file->digest, out);
        sw_buffer_print(out, " %" PRIu64 " %s\n", file->size_bytes, file->name);
    }
}

void sw_manifest_put(const struct sw_manifest *manifest, struct sw_buffer *out)
{
    size_t begin = out->size;
    char time[SW_TIME_TEXT_SIZE];
    uint8_t digest[SW_SHA256_SIZE];

    sw_time_print(manifest->utc_ns, time);
    sw_buffer_print(out,
                    "swarm-backup %u\nid %s\nversion %s\ntime %s\ncluster %s\nnode %s\n"
                    "timeline %" PRIu64 "\nrevision %" PRIu64 "\n",
                    SW_MANIFEST_VERSION, manifest->id, manifest->version, time, manifest->cluster,
                    manifest->node, manifest->timeline, manifest->revision);
    for (size_t i = 0; i < manifest->journals_count; i++) {
        const struct sw_manifest_journal *journal = &manifest->journals[i];

        sw_buffer_print(out, "journal %s ", journal->folder);
        sw_hex_encode(journal->uuid, sizeof journal->uuid, out);
        sw_buffer_print(out, " %" PRIu64 " %" PRIu64 "\n", journal->lsn, journal->epoch);
    }
    for (size_t i = 0; i < manifest->engines_count; i++)
        sw_buffer_print(out, "engine %s %s\n", manifest->engines[i].name,
                        manifest->engines[i].fingerprint);
    put_files(manifest, out);
    if (out->failed)
        return;
    sw_sha256_of(out->data + begin, out->size - begin, digest);
    sw_buffer_put_text(out, "end ");
    sw_hex_encode(digest, sizeof digest, out);
    sw_buffer_put_text(out, "\n");
}

static size_t digits_of(uint64_t value)
{
    char text[24];

    return (size_t)snprintf(text, sizeof text, "%" PRIu64, value);
}

uint64_t sw_manifest_bytes(const struct sw_manifest *manifest)
{
    struct sw_manifest head = *manifest;
    struct sw_buffer text;
    uint64_t size;

    head.files_count = 0;
    sw_buffer_init(&text, SW_MANIFEST_BYTES_MAX);
    sw_manifest_put(&head, &text);
    size = text.size;
    sw_buffer_done(&text);
    for (size_t i = 0; i < manifest->files_count; i++)
        size += sizeof "file   \n" - 1 + HEX_DIGEST + digits_of(manifest->files[i].size_bytes) +
                strlen(manifest->files[i].name);
    return size;
}

/* --- Reading --------------------------------------------------------------------------------- */

struct parse {
    struct sw_arena *arena;
    struct sw_manifest *out;
    const char *at, *end; /* What is left of the text. */
    char line[LINE_MAX];  /* The present one, without its end. */
    char *rest;           /* What is left of that. */
    size_t number;        /* Of the line. */
    struct sw_err *err;
};

static enum sw_rc wrong(struct parse *parse, const char *what)
{
    return sw_err_set(parse->err, SW_E_CORRUPT, "line %zu of the backup's manifest: %s",
                      parse->number, what);
}

static enum sw_rc next_line(struct parse *parse)
{
    const char *end =
        parse->at == parse->end ? NULL : memchr(parse->at, '\n', (size_t)(parse->end - parse->at));
    size_t size = end == NULL ? 0 : (size_t)(end - parse->at);

    parse->number++;
    if (end == NULL)
        return wrong(parse, "it ends too soon");
    if (size >= sizeof parse->line)
        return wrong(parse, "it is too long");
    memcpy(parse->line, parse->at, size);
    parse->line[size] = '\0';
    for (size_t i = 0; i < size; i++)
        if (parse->line[i] < ' ' || parse->line[i] > '~')
            return wrong(parse, "it has bytes that are no text");
    parse->rest = parse->line;
    parse->at = end + 1;
    return SW_OK;
}

/* The next word of the line; NULL: there is none. */
static char *next_word(struct parse *parse)
{
    char *word = parse->rest;

    if (word == NULL || *word == '\0' || *word == ' ')
        return NULL;
    parse->rest = strchr(word, ' ');
    if (parse->rest != NULL)
        *parse->rest++ = '\0';
    return word;
}

/* Whether the line begins with this word. */
static bool begins_with(const struct parse *parse, const char *word)
{
    size_t size = strlen(word);

    return strncmp(parse->line, word, size) == 0 && parse->line[size] == ' ';
}

static bool take_number(struct parse *parse, uint64_t *ret_value)
{
    const char *word = next_word(parse);

    return word != NULL && (word[0] != '0' || word[1] == '\0') &&
           sw_text_to_u64(word, ret_value) == SW_OK;
}

static bool take_hex(struct parse *parse, uint8_t *ret_bytes, size_t size)
{
    const char *word = next_word(parse);
    struct sw_buffer bytes;
    bool is_good;

    sw_buffer_init(&bytes, size);
    is_good = word != NULL && strlen(word) == 2 * size &&
              sw_hex_decode(word, 2 * size, &bytes) == SW_OK && bytes.size == size;
    if (is_good)
        memcpy(ret_bytes, bytes.data, size);
    sw_buffer_done(&bytes);
    return is_good;
}

static bool is_hex(const char *text, size_t digits)
{
    return strlen(text) == digits && strspn(text, "0123456789abcdef") == digits;
}

/* "WORD VALUE", the value a single word. */
static enum sw_rc take_value(struct parse *parse, const char *word, const char **ret_value)
{
    enum sw_rc rc = next_line(parse);
    const char *first = rc == SW_OK ? next_word(parse) : NULL;

    if (rc != SW_OK)
        return rc;
    *ret_value = first == NULL || strcmp(first, word) != 0 ? NULL : next_word(parse);
    if (*ret_value == NULL || parse->rest != NULL) {
        char words[64];

        (void)snprintf(words, sizeof words, "expected \"%s\" and one word", word);
        return wrong(parse, words);
    }
    return SW_OK;
}

static enum sw_rc take_text(struct parse *parse, const char *word,
                            char ret_text[SW_MANIFEST_WORD_SIZE])
{
    const char *value;
    enum sw_rc rc = take_value(parse, word, &value);

    if (rc != SW_OK)
        return rc;
    if (strlen(value) >= SW_MANIFEST_WORD_SIZE)
        return wrong(parse, "a word that is too long");
    (void)snprintf(ret_text, SW_MANIFEST_WORD_SIZE, "%s", value);
    return SW_OK;
}

static enum sw_rc take_count(struct parse *parse, const char *word, uint64_t *ret_value)
{
    const char *value;
    enum sw_rc rc = take_value(parse, word, &value);

    if (rc == SW_OK &&
        ((value[0] == '0' && value[1] != '\0') || sw_text_to_u64(value, ret_value) != SW_OK))
        rc = wrong(parse, "expected a number");
    return rc;
}

static enum sw_rc take_format(struct parse *parse)
{
    uint64_t version;
    enum sw_rc rc = take_count(parse, "swarm-backup", &version);

    if (rc == SW_OK && version != SW_MANIFEST_VERSION) {
        (void)sw_err_set(parse->err, SW_E_UNSUPPORTED,
                         "the backup has format %" PRIu64 ", this build knows format %u", version,
                         SW_MANIFEST_VERSION);
        sw_err_hint(parse->err, "use the Swarm that made it, or a newer one");
        return SW_E_UNSUPPORTED;
    }
    return rc;
}

/* In the one form that is written. */
static bool take_time(const char *text, uint64_t *ret_utc_ns)
{
    char again[SW_TIME_TEXT_SIZE];

    if (sw_time_parse(text, ret_utc_ns) != SW_OK)
        return false;
    sw_time_print(*ret_utc_ns, again);
    return strcmp(again, text) == 0;
}

static enum sw_rc take_head(struct parse *parse)
{
    struct sw_manifest *out = parse->out;
    const char *value;
    enum sw_rc rc = take_format(parse);

    if (rc == SW_OK)
        rc = take_value(parse, "id", &value);
    if (rc == SW_OK && !is_hex(value, ID_DIGITS))
        rc = wrong(parse, "expected 32 hex digits");
    if (rc == SW_OK)
        (void)snprintf(out->id, sizeof out->id, "%s", value);
    if (rc == SW_OK)
        rc = take_text(parse, "version", out->version);
    if (rc == SW_OK)
        rc = take_value(parse, "time", &value);
    if (rc == SW_OK && !take_time(value, &out->utc_ns))
        rc = wrong(parse, "expected a time");
    if (rc == SW_OK)
        rc = take_text(parse, "cluster", out->cluster);
    if (rc == SW_OK)
        rc = take_text(parse, "node", out->node);
    if (rc == SW_OK && (!sw_text_is_label(out->cluster, SW_MANIFEST_WORD_SIZE - 1) ||
                        !sw_text_is_label(out->node, SW_MANIFEST_WORD_SIZE - 1)))
        rc = wrong(parse, "a name that is none");
    if (rc == SW_OK)
        rc = take_count(parse, "timeline", &out->timeline);
    return rc == SW_OK ? take_count(parse, "revision", &out->revision) : rc;
}

static const char *keep(struct parse *parse, const char *text)
{
    return sw_arena_copy(parse->arena, text, strlen(text));
}

static enum sw_rc no_memory(struct parse *parse)
{
    return sw_err_set(parse->err, SW_E_EXHAUSTED, "no memory for the backup's manifest");
}

/* "agents", "hosts/HOST/agents", "ledger" */
static bool is_folder(const char *folder)
{
    char name[SW_ARCHIVE_NAME_MAX + 1];

    if (strcmp(folder, SW_ARCHIVE_LEDGER) == 0)
        return true;
    return snprintf(name, sizeof name, "%s/shelf-00000000.shelf", folder) < (int)sizeof name &&
           strncmp(folder, "modules/", 8) != 0 && sw_archive_name_is_valid(name);
}

static enum sw_rc take_journal(struct parse *parse)
{
    struct sw_manifest_journal *journal = &parse->out->journals[parse->out->journals_count];
    const char *folder;

    (void)next_word(parse);
    folder = next_word(parse);
    if (folder == NULL || !is_folder(folder) ||
        !take_hex(parse, journal->uuid, sizeof journal->uuid) ||
        !take_number(parse, &journal->lsn) || !take_number(parse, &journal->epoch) ||
        parse->rest != NULL)
        return wrong(parse, "expected \"journal FOLDER UUID LSN EPOCH\"");
    journal->folder = keep(parse, folder);
    parse->out->journals_count++;
    return journal->folder == NULL ? no_memory(parse) : SW_OK;
}

static enum sw_rc take_engine(struct parse *parse)
{
    struct sw_manifest_engine *engine = &parse->out->engines[parse->out->engines_count];
    const char *name;

    (void)next_word(parse);
    name = next_word(parse);
    if (name == NULL || !is_hex(name, HEX_DIGEST) || parse->rest == NULL ||
        parse->rest[0] == '\0' || strlen(parse->rest) > FINGERPRINT_MAX)
        return wrong(parse, "expected \"engine DIGEST FINGERPRINT\"");
    engine->name = keep(parse, name);
    engine->fingerprint = keep(parse, parse->rest);
    parse->out->engines_count++;
    return engine->name == NULL || engine->fingerprint == NULL ? no_memory(parse) : SW_OK;
}

static enum sw_rc take_file(struct parse *parse)
{
    struct sw_manifest_file *file = &parse->out->files[parse->out->files_count];
    const char *name;

    (void)next_word(parse);
    if (!take_hex(parse, file->digest, sizeof file->digest) ||
        !take_number(parse, &file->size_bytes))
        return wrong(parse, "expected \"file SHA256 BYTES NAME\"");
    name = next_word(parse);
    if (name == NULL || parse->rest != NULL || !sw_archive_name_is_valid(name))
        return wrong(parse, "a file with a name that no backup has");
    file->name = keep(parse, name);
    parse->out->files_count++;
    return file->name == NULL ? no_memory(parse) : SW_OK;
}

/* How many lines from here on begin with this word, one after another. */
static size_t count_lines(const struct parse *parse, const char *word, size_t count_max)
{
    const char *at = parse->at;
    size_t count = 0, size = strlen(word);

    while (at != NULL && (size_t)(parse->end - at) > size && memcmp(at, word, size) == 0 &&
           at[size] == ' ' && count <= count_max) {
        at = memchr(at, '\n', (size_t)(parse->end - at));
        at = at == NULL ? NULL : at + 1;
        count++;
    }
    return count;
}

static const struct rows {
    const char *word;
    size_t count_max, row_bytes;
    enum sw_rc (*take)(struct parse *parse);
} all_rows[] = {
    {"journal", SW_MANIFEST_JOURNALS_MAX, sizeof(struct sw_manifest_journal), take_journal},
    {"engine", SW_MANIFEST_ENGINES_MAX, sizeof(struct sw_manifest_engine), take_engine},
    {"file", SW_MANIFEST_FILES_MAX, sizeof(struct sw_manifest_file), take_file},
};

static enum sw_rc take_rows(struct parse *parse, const struct rows *rows, void *ret_rows)
{
    size_t count = count_lines(parse, rows->word, rows->count_max);
    void *array =
        count > rows->count_max ? NULL : sw_arena_array(parse->arena, count, rows->row_bytes);
    enum sw_rc rc = SW_OK;

    if (count > rows->count_max)
        return wrong(parse, "more lines of this kind than there can be");
    if (array == NULL)
        return no_memory(parse);
    memcpy(ret_rows, &array, sizeof array);
    for (size_t i = 0; rc == SW_OK && i < count; i++) {
        rc = next_line(parse);
        if (rc == SW_OK)
            rc = rows->take(parse);
    }
    return rc;
}

/* The digest of all lines before, and nothing more. */
static enum sw_rc take_end(struct parse *parse, struct sw_bytes text)
{
    size_t size = (size_t)(parse->at - (const char *)text.data);
    uint8_t digest[SW_SHA256_SIZE], found[SW_SHA256_SIZE];
    enum sw_rc rc = next_line(parse);

    if (rc != SW_OK)
        return rc;
    if (!begins_with(parse, "end"))
        return wrong(parse, "a word that belongs elsewhere");
    (void)next_word(parse);
    if (!take_hex(parse, digest, sizeof digest) || parse->rest != NULL || parse->at != parse->end)
        return wrong(parse, "expected \"end SHA256\" and nothing more");
    sw_sha256_of(text.data, size, found);
    return memcmp(digest, found, sizeof digest) == 0
               ? SW_OK
               : wrong(parse, "it does not have the digest that it says");
}

enum sw_rc sw_manifest_take(struct sw_bytes text, struct sw_arena *arena,
                            struct sw_manifest *ret_manifest, struct sw_err *err)
{
    struct sw_manifest manifest = {.timeline = 0};
    struct parse parse = {
        .arena = arena, .out = &manifest, .at = text.size == 0 ? "" : text.data, .err = err};
    enum sw_rc rc;

    parse.end = parse.at + text.size;
    text.data = parse.at;
    rc = take_head(&parse);
    if (rc == SW_OK)
        rc = take_rows(&parse, &all_rows[0], &manifest.journals);
    if (rc == SW_OK)
        rc = take_rows(&parse, &all_rows[1], &manifest.engines);
    if (rc == SW_OK)
        rc = take_rows(&parse, &all_rows[2], &manifest.files);
    if (rc == SW_OK)
        rc = take_end(&parse, text);
    if (rc == SW_OK)
        *ret_manifest = manifest;
    return rc;
}
