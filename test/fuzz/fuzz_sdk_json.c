/* JSON of the C SDK: whatever a model, a server or a message says. The first line is a schema, the
 * rest a value. What jansson takes is taken, but for what is nested too deep, and what is read and
 * written again is the same. */
/* uses: pkg/agent/image */
/* covers: include/swarm/json.h include/swarm/json_scan.h include/swarm/json_same.h */
/* covers: include/swarm/schema.h include/swarm/schema_words.h include/swarm/text.h */
#include <swarm/schema.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* How deep a value of jansson's is nested. */
static unsigned depth_of(json_t *value)
{
    unsigned depth = 0, inner;
    const char *name;
    json_t *item;
    size_t i;

    json_object_foreach(value, name, item)
    {
        inner = depth_of(item);
        depth = inner > depth ? inner : depth;
    }
    json_array_foreach(value, i, item)
    {
        inner = depth_of(item);
        depth = inner > depth ? inner : depth;
    }
    return depth + (json_is_object(value) || json_is_array(value));
}

static void compare(const char *text, size_t size, bool is_taken)
{
    json_t *theirs = json_loadb(text, size, JSON_DECODE_ANY, NULL);

    if (theirs != NULL && !is_taken && depth_of(theirs) <= SWARM_JSON_DEPTH_MAX &&
        memchr(text, 0, size) == NULL) /* Which jansson overlooks behind a number. */
        abort();
    json_decref(theirs);
}

/* Write a value anew, piece by piece. */
static void write_again(struct swarm_json value, const char *name, struct swarm_text *out)
{
    struct swarm_json key, item;
    enum swarm_json_type type = swarm_json_type_of(value);
    char bracket = type == SWARM_JSON_OBJECT ? '}' : ']';
    struct swarm_text text = {calloc(1, value.size + 1u), 0, value.size, false};
    int64_t whole;

    swarm_json_copy(value, &text);
    if (text.is_full || text.bytes == NULL)
        abort();
    if (type == SWARM_JSON_STRING) {
        swarm_json_put_text(out, name, text.bytes, text.size);
    } else if (swarm_json_integer(value, &whole)) {
        swarm_json_put_integer(out, name, whole);
    } else if (type == SWARM_JSON_BOOL) {
        swarm_json_put_bool(out, name, swarm_json_is_true(value));
    } else if (type != SWARM_JSON_ARRAY && type != SWARM_JSON_OBJECT) {
        swarm_json_put(out, name, value.text, value.size);
    } else {
        swarm_json_open(out, name, type == SWARM_JSON_OBJECT ? '{' : '[');
        while (swarm_json_next(&value, &key, &item)) {
            text.size = 0;
            swarm_json_copy(key, &text);
            text.bytes[text.size] = '\0';
            write_again(item, key.size > 0 ? text.bytes : NULL, out);
        }
        swarm_json_close(out, bracket);
    }
    free(text.bytes);
}

/* Whether it may be compared with itself: names end at a NUL here, and what is nested too deep is
 * never the same. */
static bool is_plain(const char *text, size_t size)
{
    unsigned brackets = 0;

    for (size_t i = 0; i < size; i++)
        brackets += text[i] == '[' || text[i] == '{';
    return brackets <= SWARM_JSON_SAME_DEPTH_MAX && memmem(text, size, "\\u0000", 6) == NULL;
}

static void check(struct swarm_json schema, struct swarm_json value)
{
    char bytes[300];
    struct swarm_text problems = {bytes, 0, sizeof bytes, false};
    uint32_t count = swarm_schema_problems(schema, value, &problems);

    if (problems.size > sizeof bytes || (count == 0) != (problems.size == 0 && !problems.is_full))
        abort();
    (void)swarm_json_find(value, "a[1].b");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *end = memchr(text, '\n', size);
    size_t first = end == NULL ? 0 : (size_t)(end - text) + 1;
    struct swarm_json schema = SWARM_JSON_NOTHING, value = SWARM_JSON_NOTHING, again;
    struct swarm_text out = {malloc(size * 12 + 64), 0, (uint32_t)size * 12 + 64, false};
    int32_t code = swarm_json_read(text + first, (uint32_t)(size - first), &value);

    if (out.bytes == NULL)
        return 0;
    compare(text + first, size - first, code == SWARM_OK);
    if (code == SWARM_OK) {
        write_again(value, NULL, &out);
        if (out.is_full || swarm_json_read(out.bytes, out.size, &again) != SWARM_OK)
            abort();
        if (is_plain(text, size) && !swarm_json_is_same(value, again, 0))
            abort();
        if (swarm_json_read(text, (uint32_t)first, &schema) == SWARM_OK)
            check(schema, value);
    }
    free(out.bytes);
    return 0;
}
