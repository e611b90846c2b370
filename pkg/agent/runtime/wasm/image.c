#include "pkg/agent/runtime/wasm/waits.h"

#include <lz4.h>
#include <stdlib.h>
#include <string.h>

/* An image, little-endian:
 *
 *   u32 magic   u32 version   u64 memory bytes   u32 globals   u32 pages
 *   globals x { u8 kind, 16 bytes of value }     in the order of the module's exports
 *   pages x   u32 number                         ascending; pages of 4 KiB that differ
 *   chunks of up to 64 pages x { u32 packed bytes, LZ4 block of what differs }
 *   u8 wait; unless it is 0: u8 entry, u64 argument, u32 stack pointer, u32 area,
 *   and of a module that is RELIVE three times u32 size and bytes: relive.c's
 *
 * A page is packed as what it differs in from a new instance's, bit by bit: where a program counts
 * references in a heap that is part of its module, a few bytes of many pages. */
#define IMAGE_MAGIC 0x31495753u /* "SWI1" */
#define IMAGE_VERSION 3u
#define PAGE_BYTES SW_WASM_IMAGE_PAGE_BYTES
#define CHUNK_PAGES SW_WASM_IMAGE_CHUNK_PAGES
#define CHUNK_BYTES SW_WASM_CHUNK_BYTES
#define VALUE_BYTES 16u

static uint8_t *scratch_of(struct sw_wasm_worker *worker)
{
    if (worker->scratch == NULL)
        worker->scratch = malloc(CHUNK_BYTES);
    return worker->scratch;
}

struct wasmtime_global sw_wasm_global_of(const struct sw_wasm_instance *instance, uint32_t index)
{
    const struct sw_wasm_global *global = &instance->module->globals[index];
    struct wasmtime_extern item = {0};

    if (index == 0 && instance->global.store_id != 0)
        return instance->global;
    /* The module exports it, so the instance does. */
    (void)wasmtime_instance_export_get(instance->context, &instance->instance, global->name,
                                       global->name_size, &item);
    return item.of.global;
}

void sw_wasm_find_global(struct sw_wasm_instance *instance)
{
    if (instance->module->view.globals_count > 0)
        instance->global = sw_wasm_global_of(instance, 0);
}

/* --- Saving ---------------------------------------------------------------------------------- */

static void save_globals(const struct sw_wasm_instance *instance, struct sw_buffer *out)
{
    for (uint32_t i = 0; i < instance->module->view.globals_count; i++) {
        struct wasmtime_global global = sw_wasm_global_of(instance, i);
        struct wasmtime_val value;
        uint8_t bytes[VALUE_BYTES] = {0};

        wasmtime_global_get(instance->context, &global, &value);
        if (value.kind == WASMTIME_I32 || value.kind == WASMTIME_F32)
            memcpy(bytes, &value.of, 4);
        else if (value.kind == WASMTIME_I64 || value.kind == WASMTIME_F64)
            memcpy(bytes, &value.of, 8);
        else
            memcpy(bytes, &value.of, VALUE_BYTES);
        sw_buffer_put_u8(out, value.kind);
        sw_buffer_put(out, bytes, sizeof bytes);
    }
}

/* Append the numbers of the pages that differ, and return how many. */
static uint32_t save_numbers(const struct sw_wasm_instance *instance, struct sw_buffer *out)
{
    struct sw_wasm_saved *saved = &instance->worker->saved;
    uint32_t pages = (uint32_t)(instance->slot.size_bytes / PAGE_BYTES);
    uint32_t count = 0;
    size_t at = 0;

    *saved = (struct sw_wasm_saved){pages <= SW_WASM_SAVED_PAGES ? instance : NULL, 0};
    for (uint32_t i = 0; i < pages; i++) {
        const uint8_t *page = instance->slot.base + (uint64_t)i * PAGE_BYTES;
        if (memcmp(page, sw_wasm_base_page(instance->module, i, &at), PAGE_BYTES) == 0)
            continue;
        if (saved->instance != NULL)
            saved->pages |= UINT64_C(1) << i;
        sw_buffer_put_u32(out, i);
        count++;
    }
    return count;
}

static void save_chunk(uint8_t *scratch, uint32_t pages, struct sw_buffer *out)
{
    int size = (int)(pages * PAGE_BYTES);
    int bound = LZ4_compressBound(size);
    uint8_t *room;
    int packed;

    room = sw_buffer_reserve(out, sizeof(uint32_t) + (size_t)bound);
    if (room == NULL)
        return;
    packed =
        LZ4_compress_default((const char *)scratch, (char *)room + sizeof(uint32_t), size, bound);
    sw_buffer_put_u32(out, (uint32_t)packed);
    out->size += (size_t)packed;
}

/* to = page ^ base, for a page of a new instance, and back. */
static void differ(uint8_t *to, const uint8_t *page, const uint8_t *base)
{
    for (uint32_t i = 0; i < PAGE_BYTES; i += sizeof(uint64_t)) {
        uint64_t word, other;

        memcpy(&word, page + i, sizeof word);
        memcpy(&other, base + i, sizeof other);
        word ^= other;
        memcpy(to + i, &word, sizeof word);
    }
}

/* Pack the pages whose numbers stand at `numbers` of out. */
static void save_pages(const struct sw_wasm_instance *instance, struct sw_buffer *out,
                       size_t numbers, uint32_t count)
{
    uint8_t *scratch = instance->worker->scratch;
    uint32_t filled = 0;
    size_t at = 0;

    for (uint32_t i = 0; i < count && !out->failed; i++) {
        struct sw_reader reader =
            sw_reader_of(out->data + numbers + (size_t)i * sizeof(uint32_t), sizeof(uint32_t));
        uint32_t number = sw_reader_u32(&reader);
        differ(scratch + filled * PAGE_BYTES, instance->slot.base + (uint64_t)number * PAGE_BYTES,
               sw_wasm_base_page(instance->module, number, &at));
        if (++filled < CHUNK_PAGES && i + 1 < count)
            continue;
        save_chunk(scratch, filled, out);
        filled = 0;
    }
}

static void save_suspended(const struct sw_wasm_instance *instance, struct sw_buffer *out)
{
    const struct sw_wasm_suspended *suspended = &instance->suspended;

    sw_buffer_put_u8(out, (uint8_t)suspended->wait);
    if (suspended->wait == 0)
        return;
    sw_buffer_put_u8(out, (uint8_t)suspended->entry);
    sw_buffer_put_u64(out, suspended->argument);
    sw_buffer_put_u32(out, suspended->stack_pointer);
    sw_buffer_put_u32(out, suspended->area);
    if (instance->relive != NULL)
        sw_wasm_relive_save(instance->relive, out);
}

enum sw_rc sw_wasm_image_save(const struct sw_wasm_instance *instance, struct sw_buffer *out,
                              struct sw_err *err)
{
    size_t count_at, numbers;
    uint32_t count;
    struct sw_buffer word;

    if (scratch_of(instance->worker) == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "save image: no memory");
    sw_buffer_put_u32(out, IMAGE_MAGIC);
    sw_buffer_put_u32(out, IMAGE_VERSION);
    sw_buffer_put_u64(out, instance->slot.size_bytes);
    sw_buffer_put_u32(out, instance->module->view.globals_count);
    count_at = out->size;
    sw_buffer_put_u32(out, 0);
    save_globals(instance, out);
    numbers = out->size;
    count = save_numbers(instance, out);
    if (!out->failed) {
        sw_buffer_init(&word, sizeof count);
        sw_buffer_put_u32(&word, count);
        if (!word.failed)
            memcpy(out->data + count_at, word.data, word.size);
        out->failed = word.failed;
        sw_buffer_done(&word);
    }
    save_pages(instance, out, numbers, count);
    save_suspended(instance, out);
    if (out->failed)
        return sw_err_set(err, SW_E_EXHAUSTED, "save image: it is larger than the room for it");
    return SW_OK;
}

/* --- Loading --------------------------------------------------------------------------------- */

static enum sw_rc corrupt(struct sw_err *err, const char *words)
{
    return sw_err_set(err, SW_E_CORRUPT, "load image: %s", words);
}

static enum sw_rc load_memory(struct sw_wasm_instance *instance, uint64_t size_bytes,
                              struct sw_err *err)
{
    struct wasmtime_extern item;
    struct wasmtime_error *error;
    uint64_t before;

    if (size_bytes % SW_WASM_PAGE_BYTES != 0 || size_bytes < instance->slot.size_bytes ||
        size_bytes > instance->module->view.memory_max_bytes)
        return corrupt(err, "its memory does not fit the module");
    if (size_bytes > instance->slot.limit_bytes)
        return sw_err_set(err, SW_E_EXHAUSTED,
                          "load image: it has %llu KiB of memory, the limit is %llu KiB",
                          (unsigned long long)(size_bytes / 1024),
                          (unsigned long long)(instance->slot.limit_bytes / 1024));
    if (size_bytes == instance->slot.size_bytes)
        return SW_OK;
    if (!wasmtime_instance_export_get(instance->context, &instance->instance, "memory",
                                      strlen("memory"), &item))
        return sw_err_set(err, SW_E_INTERNAL, "load image: the memory export is gone");
    error = wasmtime_memory_grow(instance->context, &item.of.memory,
                                 (size_bytes - instance->slot.size_bytes) / SW_WASM_PAGE_BYTES,
                                 &before);
    return error == NULL ? SW_OK : sw_wasm_err(err, SW_E_EXHAUSTED, error, "load image");
}

static enum sw_rc load_globals(struct sw_wasm_instance *instance, struct sw_reader *reader,
                               struct sw_err *err)
{
    sw_wasm_find_global(instance);
    for (uint32_t i = 0; i < instance->module->view.globals_count; i++) {
        struct wasmtime_global global = sw_wasm_global_of(instance, i);
        uint8_t kind = sw_reader_u8(reader);
        struct sw_bytes bytes = sw_reader_take(reader, VALUE_BYTES);
        struct wasmtime_val value;
        struct wasmtime_error *error;

        wasmtime_global_get(instance->context, &global, &value);
        if (bytes.data == NULL || value.kind != kind)
            return corrupt(err, "its globals are of another module");
        memcpy(&value.of, bytes.data, VALUE_BYTES);
        error = wasmtime_global_set(instance->context, &global, &value);
        if (error != NULL)
            return sw_wasm_err(err, SW_E_CORRUPT, error, "load image");
    }
    return SW_OK;
}

static enum sw_rc load_chunk(struct sw_wasm_instance *instance, struct sw_reader *reader,
                             struct sw_reader *numbers, uint32_t pages, struct sw_err *err)
{
    uint8_t *scratch = instance->worker->scratch;
    struct sw_bytes packed = sw_reader_bytes(reader, (size_t)LZ4_compressBound(CHUNK_BYTES));
    int size = (int)(pages * PAGE_BYTES);
    uint64_t end = 0;
    size_t at = 0;

    if (packed.data == NULL ||
        LZ4_decompress_safe(packed.data, (char *)scratch, (int)packed.size, size) != size)
        return corrupt(err, "its pages are damaged");
    for (uint32_t i = 0; i < pages; i++) {
        uint64_t number = sw_reader_u32(numbers);
        if (numbers->failed || number >= instance->slot.size_bytes / PAGE_BYTES || number < end)
            return corrupt(err, "a page is outside the memory, or not behind the last one");
        end = number + 1;
        differ(instance->slot.base + number * PAGE_BYTES, scratch + i * PAGE_BYTES,
               sw_wasm_base_page(instance->module, (uint32_t)number, &at));
    }
    return SW_OK;
}

static bool load_suspended(struct sw_wasm_instance *instance, struct sw_reader *reader)
{
    struct sw_wasm_suspended *suspended = &instance->suspended;
    uint8_t wait = sw_reader_u8(reader), entry;

    memset(suspended, 0, sizeof *suspended);
    if (wait == 0)
        return sw_reader_is_finished(reader);
    entry = sw_reader_u8(reader);
    *suspended = (struct sw_wasm_suspended){.wait = (enum sw_wasm_wait)wait,
                                            .entry = (enum sw_guest_entry)entry,
                                            .argument = sw_reader_u64(reader)};
    suspended->stack_pointer = sw_reader_u32(reader);
    suspended->area = sw_reader_u32(reader);
    if (instance->relive != NULL && !sw_wasm_relive_load(instance->relive, reader))
        return false;
    return sw_reader_is_finished(reader) && wait <= SW_WASM_CALL &&
           (entry == SW_GUEST_MESSAGE || entry == SW_GUEST_TIMER);
}

enum sw_rc sw_wasm_image_load(struct sw_wasm_instance *instance, struct sw_bytes image,
                              struct sw_err *err)
{
    struct sw_reader reader = sw_reader_of(image.data, image.size);
    uint32_t magic = sw_reader_u32(&reader);
    uint32_t version = sw_reader_u32(&reader);
    uint64_t memory_bytes = sw_reader_u64(&reader);
    uint32_t globals = sw_reader_u32(&reader);
    uint32_t count = sw_reader_u32(&reader);
    struct sw_reader numbers;
    enum sw_rc rc;

    instance->room_bytes = 0;
    instance->worker->saved.instance = NULL;
    if (reader.failed || magic != IMAGE_MAGIC || version != IMAGE_VERSION)
        return corrupt(err, "it is no image of a known version");
    if (globals != instance->module->view.globals_count)
        return corrupt(err, "its globals are of another module");
    if (scratch_of(instance->worker) == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "load image: no memory");
    rc = load_memory(instance, memory_bytes, err);
    if (rc == SW_OK)
        rc = load_globals(instance, &reader, err);
    if (rc != SW_OK)
        return rc;
    struct sw_bytes list = sw_reader_take(&reader, (size_t)count * sizeof(uint32_t));
    numbers = sw_reader_of(list.data, list.size);
    for (uint32_t at = 0; at < count; at += CHUNK_PAGES) {
        uint32_t pages = count - at < CHUNK_PAGES ? count - at : CHUNK_PAGES;
        rc = load_chunk(instance, &reader, &numbers, pages, err);
        if (rc != SW_OK)
            return rc;
    }
    return load_suspended(instance, &reader)
               ? SW_OK
               : corrupt(err, "what waits is damaged, or bytes are left over");
}
