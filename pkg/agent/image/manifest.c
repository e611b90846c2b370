#include "pkg/agent/image/manifest.h"

#include "pkg/utils/base/text.h"

#include <jansson.h>

#define MEMORY_DEFAULT (UINT64_C(256) << 20)
#define MEMORY_MIN (UINT64_C(8) << 20)
#define TMP_DEFAULT (UINT64_C(64) << 20)
#define TMP_MIN (UINT64_C(64) << 10)
#define TASKS_DEFAULT 64u
#define FILES_DEFAULT 256u
#define DEADLINE_MS_DEFAULT 300000u
#define IDLE_MS_DEFAULT 60000u
#define NS_PER_MS 1000000u

struct reading {
    struct sw_arena *arena;
    struct sw_manifest *manifest;
    struct sw_err *err;
};

static enum sw_rc refuse(const struct reading *reading, const char *field, const char *words)
{
    (void)sw_err_set(reading->err, SW_E_INVALID, "the program's manifest: %s %s", field, words);
    sw_err_field(reading->err, "%s", field);
    return SW_E_INVALID;
}

static enum sw_rc lack(const struct reading *reading)
{
    return sw_err_set(reading->err, SW_E_EXHAUSTED, "no memory for the program's manifest");
}

static enum sw_rc text_read(const struct reading *reading, const char *field, const json_t *value,
                            const char **ret_text)
{
    size_t size = json_string_length(value);

    if (!json_is_string(value) || size > SW_MANIFEST_TEXT_MAX ||
        strlen(json_string_value(value)) != size)
        return refuse(reading, field, "has texts of at most 4096 bytes, with no NUL");
    *ret_text = sw_arena_copy(reading->arena, json_string_value(value), size);
    return *ret_text == NULL ? lack(reading) : SW_OK;
}

static enum sw_rc digest_read(const struct reading *reading, const char *field, const json_t *value,
                              const char **ret_digest)
{
    uint8_t digest[SW_SHA256_SIZE];
    enum sw_rc rc = text_read(reading, field, value, ret_digest);

    if (rc == SW_OK && sw_digest_parse(*ret_digest, digest) != SW_OK)
        return refuse(reading, field, "is named by \"sha256:\" and 64 lowercase hex digits");
    return rc;
}

static enum sw_rc image_read(struct reading *reading, const json_t *value)
{
    return digest_read(reading, "image", value, &reading->manifest->image);
}

static enum sw_rc packages_read(struct reading *reading, const json_t *value)
{
    enum sw_rc rc = SW_OK;

    if (!json_is_array(value) || json_array_size(value) > SW_MANIFEST_PACKAGES_MAX)
        return refuse(reading, "packages", "is a list of at most 8 digests");
    for (size_t i = 0; rc == SW_OK && i < json_array_size(value); i++)
        rc = digest_read(reading, "packages", json_array_get(value, i),
                         &reading->manifest->packages[i]);
    return rc;
}

static enum sw_rc command_read(struct reading *reading, const json_t *value)
{
    enum sw_rc rc = SW_OK;

    if (!json_is_array(value) || json_array_size(value) == 0 ||
        json_array_size(value) > SW_MANIFEST_WORDS_MAX)
        return refuse(reading, "command", "is a list of 1 to 64 words");
    for (size_t i = 0; rc == SW_OK && i < json_array_size(value); i++)
        rc =
            text_read(reading, "command", json_array_get(value, i), &reading->manifest->command[i]);
    return rc;
}

static enum sw_rc env_read(struct reading *reading, const json_t *value)
{
    const char *name, *text;
    json_t *item;
    size_t count = 0;

    if (!json_is_object(value) || json_object_size(value) > SW_MANIFEST_WORDS_MAX)
        return refuse(reading, "env", "has at most 64 names with texts");
    json_object_foreach((json_t *)(uintptr_t)value, name, item)
    {
        enum sw_rc rc = text_read(reading, "env", item, &text);

        if (rc != SW_OK)
            return rc;
        if (name[0] == '\0' || strchr(name, '=') != NULL || strlen(name) > SW_MANIFEST_TEXT_MAX)
            return refuse(reading, "env", "has names that are not empty and have no '='");
        text = sw_arena_print(reading->arena, "%s=%s", name, text);
        if (text == NULL)
            return lack(reading);
        reading->manifest->environment[count++] = text;
    }
    return SW_OK;
}

static enum sw_rc protocol_read(struct reading *reading, const json_t *value)
{
    const char *text;
    enum sw_rc rc = text_read(reading, "protocol", value, &text);

    if (rc != SW_OK)
        return rc;
    if (strcmp(text, "stdio") != 0 && strcmp(text, "turns") != 0)
        return refuse(reading, "protocol", "is \"stdio\" or \"turns\"");
    reading->manifest->protocol = text[0] == 't' ? SW_MANIFEST_TURNS : SW_MANIFEST_STDIO;
    return SW_OK;
}

static enum sw_rc type_read(struct reading *reading, const json_t *value)
{
    enum sw_rc rc = text_read(reading, "type", value, &reading->manifest->type);

    if (rc == SW_OK && strlen(reading->manifest->type) > 255)
        return refuse(reading, "type", "has at most 255 bytes");
    return rc;
}

static enum sw_rc size_read(const struct reading *reading, const char *field, const json_t *value,
                            const uint64_t bounds[2], uint64_t *ret_bytes)
{
    const char *text;
    enum sw_rc rc = text_read(reading, field, value, &text);

    if (rc == SW_OK && (sw_text_to_size_bytes(text, ret_bytes) != SW_OK || *ret_bytes < bounds[0] ||
                        *ret_bytes > bounds[1]))
        return refuse(reading, field, "is a size such as \"256MiB\", within its bounds");
    return rc;
}

static enum sw_rc memory_read(struct reading *reading, const json_t *value)
{
    static const uint64_t bounds[] = {MEMORY_MIN, SW_MANIFEST_MEMORY_MAX};

    return size_read(reading, "memory", value, bounds, &reading->manifest->memory_bytes);
}

static enum sw_rc tmp_read(struct reading *reading, const json_t *value)
{
    static const uint64_t bounds[] = {TMP_MIN, SW_MANIFEST_TMP_MAX};

    return size_read(reading, "tmp", value, bounds, &reading->manifest->tmp_bytes);
}

static enum sw_rc number_read(const struct reading *reading, const char *field, const json_t *value,
                              const unsigned bounds[2], unsigned *ret_number)
{
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < (json_int_t)bounds[0] || number > (json_int_t)bounds[1])
        return refuse(reading, field, "is a whole number within its bounds");
    *ret_number = (unsigned)number;
    return SW_OK;
}

static enum sw_rc tasks_read(struct reading *reading, const json_t *value)
{
    static const unsigned bounds[] = {4, SW_MANIFEST_TASKS_MAX};

    return number_read(reading, "tasks", value, bounds, &reading->manifest->tasks);
}

static enum sw_rc files_read(struct reading *reading, const json_t *value)
{
    static const unsigned bounds[] = {16, SW_MANIFEST_FILES_MAX};

    return number_read(reading, "files", value, bounds, &reading->manifest->files);
}

static enum sw_rc deadline_read(struct reading *reading, const json_t *value)
{
    const char *text;
    uint64_t ns = 0;
    enum sw_rc rc = text_read(reading, "deadline", value, &text);

    if (rc == SW_OK && (sw_text_to_duration_ns(text, &ns) != SW_OK || ns < NS_PER_MS ||
                        ns / NS_PER_MS > SW_MANIFEST_DEADLINE_MS_MAX))
        return refuse(reading, "deadline", "is a time such as \"5m\", 1ms to 1h");
    reading->manifest->deadline_ms = ns / NS_PER_MS;
    return rc;
}

static enum sw_rc idle_read(struct reading *reading, const json_t *value)
{
    const char *text;
    uint64_t ns = 0;
    enum sw_rc rc = text_read(reading, "idle", value, &text);

    if (rc == SW_OK && strcmp(text, "0") != 0 &&
        (sw_text_to_duration_ns(text, &ns) != SW_OK || ns / NS_PER_MS > SW_MANIFEST_IDLE_MS_MAX))
        return refuse(reading, "idle", "is a time such as \"60s\", 0 to 24h");
    reading->manifest->idle_ms = ns / NS_PER_MS;
    return rc;
}

static enum sw_rc warm_read(struct reading *reading, const json_t *value)
{
    static const unsigned bounds[] = {0, SW_MANIFEST_WARM_MAX};

    return number_read(reading, "warm", value, bounds, &reading->manifest->warm);
}

static enum sw_rc record_read(struct reading *reading, const json_t *value)
{
    if (!json_is_boolean(value))
        return refuse(reading, "record", "is true or false");
    reading->manifest->has_record = json_is_true(value);
    return SW_OK;
}

static const struct {
    const char *name;
    enum sw_rc (*read)(struct reading *reading, const json_t *value);
} fields[] = {{"image", image_read},   {"packages", packages_read}, {"command", command_read},
              {"env", env_read},       {"protocol", protocol_read}, {"type", type_read},
              {"memory", memory_read}, {"tmp", tmp_read},           {"tasks", tasks_read},
              {"files", files_read},   {"deadline", deadline_read}, {"idle", idle_read},
              {"warm", warm_read},     {"record", record_read}};

static enum sw_rc fields_read(struct reading *reading, json_t *object)
{
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        size_t i = 0;
        enum sw_rc rc;

        while (i < sizeof fields / sizeof fields[0] && strcmp(fields[i].name, name) != 0)
            i++;
        if (i == sizeof fields / sizeof fields[0])
            return sw_err_set(reading->err, SW_E_INVALID,
                              "the program's manifest has a field that is not known: %.64s", name);
        rc = fields[i].read(reading, value);
        if (rc != SW_OK)
            return rc;
    }
    if (reading->manifest->image == NULL || reading->manifest->command[0] == NULL)
        return sw_err_set(reading->err, SW_E_INVALID,
                          "the program's manifest has no image or no command");
    return SW_OK;
}

enum sw_rc sw_manifest_read(struct sw_bytes text, struct sw_arena *arena,
                            struct sw_manifest *ret_manifest, struct sw_err *err)
{
    struct sw_manifest manifest = {.type = "text/plain; charset=utf-8",
                                   .memory_bytes = MEMORY_DEFAULT,
                                   .tmp_bytes = TMP_DEFAULT,
                                   .tasks = TASKS_DEFAULT,
                                   .files = FILES_DEFAULT,
                                   .deadline_ms = DEADLINE_MS_DEFAULT,
                                   .idle_ms = IDLE_MS_DEFAULT};
    struct reading reading = {arena, &manifest, err};
    json_error_t where;
    json_t *object =
        json_loadb(text.data == NULL ? "" : text.data, text.size, JSON_REJECT_DUPLICATES, &where);
    enum sw_rc rc;

    if (!json_is_object(object))
        rc = sw_err_set(err, SW_E_INVALID, "the program's manifest is no JSON object: %s",
                        where.text);
    else
        rc = fields_read(&reading, object);
    json_decref(object);
    if (rc == SW_OK)
        *ret_manifest = manifest;
    return rc;
}
