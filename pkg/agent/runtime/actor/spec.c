#include "pkg/agent/runtime/actor/spec.h"

#include <stdlib.h>
#include <string.h>

#define CONTENT_BYTES_MAX ((size_t)1 << 20)

enum sw_rc sw_specs_init(struct sw_specs *specs, uint64_t seed)
{
    pthread_mutex_init(&specs->mutex, NULL);
    specs->by_number = sw_map_new(seed);
    specs->by_content = sw_map_new(seed);
    specs->next = 1;
    return specs->by_number == NULL || specs->by_content == NULL ? SW_E_EXHAUSTED : SW_OK;
}

static void spec_free(struct sw_spec *spec)
{
    free(spec->used);
    free(spec);
}

void sw_specs_done(struct sw_specs *specs)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (specs->by_number != NULL && sw_map_next(specs->by_number, &cursor, &entry))
        spec_free(entry.value);
    sw_map_free(specs->by_number);
    sw_map_free(specs->by_content);
    pthread_mutex_destroy(&specs->mutex);
}

/* The bytes by which equal contents are known. */
static void content_put(const struct sw_spec_content *content, struct sw_buffer *out)
{
    sw_buffer_put_bytes(out, content->digest);
    sw_buffer_put_bytes(out, content->fingerprint);
    sw_buffer_put_bytes(out, content->config);
    sw_buffer_put_u32(out, content->timers_max);
}

/* A new spec in both tables. NULL: no memory, nothing changed. */
static struct sw_spec *add(struct sw_specs *specs, uint32_t number, const struct sw_buffer *content)
{
    struct sw_spec *spec = calloc(1, sizeof *spec + content->size);
    struct sw_reader reader;

    if (spec == NULL)
        return NULL;
    spec->used = calloc(1, sizeof *spec->used);
    if (spec->used == NULL) {
        free(spec);
        return NULL;
    }
    spec->number = number;
    spec->size = (uint32_t)content->size;
    memcpy(spec->bytes, content->data, content->size);
    reader = sw_reader_of(spec->bytes, spec->size);
    spec->digest = sw_reader_bytes(&reader, CONTENT_BYTES_MAX);
    spec->fingerprint = sw_reader_bytes(&reader, CONTENT_BYTES_MAX);
    spec->config = sw_reader_bytes(&reader, CONTENT_BYTES_MAX);
    spec->timers_max = sw_reader_u32(&reader);
    spec->class = sw_abi_class_of(spec->fingerprint);
    sw_abi_program_name(spec->digest, spec->class, spec->program_name);
    spec->program = (struct sw_bytes){spec->program_name, strlen(spec->program_name)};
    if (sw_map_put(specs->by_number, &number, sizeof number, spec, NULL) != SW_OK) {
        spec_free(spec);
        return NULL;
    }
    if (sw_map_put(specs->by_content, spec->bytes, spec->size, spec, NULL) != SW_OK) {
        (void)sw_map_remove(specs->by_number, &number, sizeof number);
        spec_free(spec);
        return NULL;
    }
    if (specs->next <= number)
        specs->next = number + 1;
    return spec;
}

struct sw_record sw_spec_record(const struct sw_spec *spec)
{
    return (struct sw_record){.kind = SW_RECORD_SPEC,
                              .spec = {.number = spec->number,
                                       .digest = spec->digest,
                                       .fingerprint = spec->fingerprint,
                                       .config = spec->config,
                                       .timers_max = spec->timers_max}};
}

static enum sw_rc append(const struct sw_spec *spec, struct sw_journal *journal)
{
    struct sw_record record = sw_spec_record(spec);
    struct sw_journal_place place;
    struct sw_buffer bytes;
    enum sw_rc rc;

    sw_buffer_init(&bytes, SW_JOURNAL_RECORD_MAX);
    sw_record_put(&record, &bytes, NULL);
    rc = sw_buffer_check(&bytes);
    if (rc == SW_OK)
        rc = sw_journal_append(journal, (struct sw_bytes){bytes.data, bytes.size}, &place, NULL);
    sw_buffer_done(&bytes);
    return rc;
}

enum sw_rc sw_specs_make(struct sw_specs *specs, const struct sw_spec_content *content,
                         struct sw_journal *journal, const struct sw_spec **ret_spec)
{
    struct sw_buffer bytes;
    struct sw_spec *spec;
    enum sw_rc rc;

    sw_buffer_init(&bytes, CONTENT_BYTES_MAX);
    content_put(content, &bytes);
    rc = sw_buffer_check(&bytes);
    pthread_mutex_lock(&specs->mutex);
    if (rc == SW_OK) {
        spec = sw_map_find(specs->by_content, bytes.data, bytes.size);
        if (spec == NULL)
            spec = add(specs, specs->next, &bytes);
        rc = spec == NULL ? SW_E_EXHAUSTED : SW_OK;
    }
    if (rc == SW_OK && journal != NULL && !spec->is_recorded) {
        rc = append(spec, journal);
        spec->is_recorded = rc == SW_OK;
    }
    pthread_mutex_unlock(&specs->mutex);
    sw_buffer_done(&bytes);
    if (rc == SW_OK)
        *ret_spec = spec;
    return rc;
}

enum sw_rc sw_specs_load(struct sw_specs *specs, const struct sw_record_spec *record)
{
    struct sw_spec_content content = {record->digest, record->fingerprint, record->config,
                                      record->timers_max};
    struct sw_buffer bytes;
    struct sw_spec *spec = NULL;
    enum sw_rc rc;

    sw_buffer_init(&bytes, CONTENT_BYTES_MAX);
    content_put(&content, &bytes);
    rc = sw_buffer_check(&bytes);
    pthread_mutex_lock(&specs->mutex);
    if (rc == SW_OK &&
        (sw_map_find(specs->by_number, &record->number, sizeof record->number) != NULL ||
         sw_map_find(specs->by_content, bytes.data, bytes.size) != NULL))
        rc = SW_E_CORRUPT;
    if (rc == SW_OK)
        spec = add(specs, record->number, &bytes);
    if (rc == SW_OK && spec == NULL)
        rc = SW_E_EXHAUSTED;
    if (spec != NULL)
        spec->is_recorded = true;
    pthread_mutex_unlock(&specs->mutex);
    sw_buffer_done(&bytes);
    return rc;
}

const struct sw_spec *sw_specs_find(struct sw_specs *specs, uint32_t number)
{
    const struct sw_spec *spec;

    pthread_mutex_lock(&specs->mutex);
    spec = sw_map_find(specs->by_number, &number, sizeof number);
    pthread_mutex_unlock(&specs->mutex);
    return spec;
}

void sw_spec_use(const struct sw_spec *spec, uint32_t generation)
{
    uint32_t used = atomic_load_explicit(spec->used, memory_order_relaxed);

    while (used < generation && !atomic_compare_exchange_weak(spec->used, &used, generation))
        continue;
}

bool sw_specs_need(struct sw_specs *specs, struct sw_bytes digest, uint32_t generation)
{
    struct sw_map_entry entry;
    size_t cursor = 0;
    bool is_needed = false;

    pthread_mutex_lock(&specs->mutex);
    while (!is_needed && sw_map_next(specs->by_number, &cursor, &entry)) {
        const struct sw_spec *spec = entry.value;

        is_needed =
            atomic_load(spec->used) >= generation && sw_bytes_is_equal(spec->digest, digest);
    }
    pthread_mutex_unlock(&specs->mutex);
    return is_needed;
}

bool sw_spec_is_same_version(const struct sw_spec *one, const struct sw_spec *other)
{
    return one == other || (sw_bytes_is_equal(one->digest, other->digest) &&
                            sw_bytes_is_equal(one->fingerprint, other->fingerprint));
}
