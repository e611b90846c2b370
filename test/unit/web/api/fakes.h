/* Agents and modules that note what they are told and say what a test wants. */
#pragma once
#include "test/unit/web/api/base.h"

static inline enum sw_rc fake_send(void *ctx, const struct sw_gateway_message *m,
                                   void (*done)(void *done_ctx, enum sw_rc rc,
                                                const struct sw_gateway_reply *reply,
                                                const struct sw_err *err),
                                   void *done_ctx, struct sw_err *err)
{
    struct fixture *f = ctx;

    (void)snprintf(f->told, sizeof f->told, "%s|%s|%s|%.*s|%u|%llu|%s|%d|%s", m->namespace_, m->to,
                   m->content_type, (int)m->body.size, (const char *)m->body.data,
                   (unsigned)m->priority, (unsigned long long)m->timeout_ms, m->request_id,
                   m->want_reply, m->caller);
    if (f->agents_rc != SW_OK)
        return sw_err_set(err, f->agents_rc, "no such instance");
    f->send_done = done;
    f->send_ctx = done_ctx;
    if (!f->is_later)
        done(done_ctx, SW_OK, &f->reply, NULL);
    else
        check(f);
    return SW_OK;
}

static inline enum sw_rc fake_publish(void *ctx, const struct sw_gateway_publication *p,
                                      void (*done)(void *done_ctx, enum sw_rc rc,
                                                   uint64_t subscribers, const struct sw_err *err),
                                      void *done_ctx, struct sw_err *err)
{
    struct fixture *f = ctx;

    (void)err;
    (void)snprintf(f->told, sizeof f->told, "%s|%s|%s|%.*s|%u", p->namespace_, p->subject,
                   p->content_type, (int)p->body.size, (const char *)p->body.data,
                   (unsigned)p->priority);
    done(done_ctx, SW_OK, 7, NULL);
    return SW_OK;
}

static inline enum sw_rc fake_logs(void *ctx, const struct sw_gateway_logs *logs, void **ret_stream,
                                   struct sw_err *err)
{
    struct fixture *f = ctx;
    struct sw_gateway_log_line line = {.utc_ns = 1700000000000000000u,
                                       .instance = "reader/a",
                                       .level = "info",
                                       .text = {"first \"line\"", 12}};

    (void)err;
    f->logs = *logs;
    f->has_logs = logs->is_followed;
    logs->on_line(logs->ctx, &line);
    if (!logs->is_followed)
        logs->on_end(logs->ctx, SW_OK);
    *ret_stream = f;
    return SW_OK;
}

static inline void fake_logs_close(void *ctx, void *stream)
{
    struct fixture *f = ctx;

    assert_ptr_equal(stream, f);
    f->has_logs = false;
    f->logs_closed++;
    check(f);
}

static inline enum sw_rc fake_instances(void *ctx, const struct sw_gateway_instances *query,
                                        sw_gateway_instances_done *done, void *done_ctx,
                                        struct sw_err *err)
{
    struct fixture *f = ctx;
    const struct sw_gateway_instance items[] = {{.name = "reader/a",
                                                 .module = "sha256:01",
                                                 .pod = "reader-0",
                                                 .node = "one",
                                                 .state = SW_GATEWAY_RUNNING,
                                                 .turns = 5,
                                                 .message = ""},
                                                {.name = "reader/b",
                                                 .pod = "reader-0",
                                                 .node = "one",
                                                 .state = SW_GATEWAY_FAILING,
                                                 .message = "a trap"}};

    (void)err;
    (void)snprintf(f->told, sizeof f->told, "%s|%s|%llx|%s|%x|%u", query->namespace_, query->agent,
                   (unsigned long long)query->from, query->prefix, query->states, query->limit);
    done(done_ctx, SW_OK,
         &(struct sw_gateway_instances_page){.items = items,
                                             .count = 2,
                                             .next = query->limit == 2 ? 0xabc : 0,
                                             .is_count = query->is_count,
                                             .counts = {1, 2, 3, 4, 5, 6, 7}},
         NULL);
    return SW_OK;
}

static inline void fake_usage(void *ctx, const char *namespace_, sw_gateway_usage_visit *visit,
                              void *visit_ctx)
{
    struct fixture *f = ctx;
    const struct sw_gateway_usage used = {
        .utc_ns = 1700000000000000000u, .messages = 5, .cpu_ns = 70, .memory_bytes = 65536};

    (void)snprintf(f->told, sizeof f->told, "%s", namespace_);
    visit(visit_ctx, "reader", &used);
    visit(visit_ctx, "writer", &used);
}

static inline enum sw_rc fake_letters(void *ctx, const struct sw_gateway_letters *query,
                                      sw_gateway_letters_done *done, void *done_ctx,
                                      struct sw_err *err)
{
    struct fixture *f = ctx;
    struct sw_gateway_letter item = {.number = 7,
                                     .utc_ns = 1000000000,
                                     .instance = "reader/a",
                                     .pod = "reader-0",
                                     .node = "one",
                                     .from = "writer/b",
                                     .subject = "",
                                     .content_type = "text/plain",
                                     .reason = "Trapped",
                                     .message = "unreachable",
                                     .attempts = 3,
                                     .size_bytes = 4};

    (void)err;
    if (query->with_body)
        item.body = (struct sw_bytes){"dead", 4};
    (void)snprintf(f->told, sizeof f->told, "%s|%s|%s|%llu|%u|%d", query->namespace_, query->agent,
                   query->key == NULL ? "-" : query->key, (unsigned long long)query->after,
                   query->limit, query->with_body);
    done(done_ctx, SW_OK, &item, 1, query->limit == 1, NULL);
    return SW_OK;
}

static inline enum sw_rc fake_history(void *ctx, const struct sw_gateway_history *query,
                                      const struct sw_gateway_history_handler *handler,
                                      struct sw_err *err)
{
    struct fixture *f = ctx;
    const struct sw_gateway_effect effect = {.kind = "send",
                                             .to = "writer/b",
                                             .content_type = "text/plain",
                                             .body = {"hi", 2},
                                             .size_bytes = 2};
    const struct sw_gateway_turn turn = {.number = 7,
                                         .lsn = 640,
                                         .utc_ns = 1000000000,
                                         .cause = "message",
                                         .outcome = "done",
                                         .from = "writer/b",
                                         .subject = "",
                                         .content_type = "",
                                         .request_id = "",
                                         .message = "",
                                         .module = "sha256:01",
                                         .verdict = "same",
                                         .has_message = true,
                                         .has_body = true,
                                         .body = {"dead", 4},
                                         .size_bytes = 4,
                                         .cpu_us = 3,
                                         .digest = 255,
                                         .effects = &effect,
                                         .effects_count = 1,
                                         .effects_all = 1};
    const struct sw_gateway_item item = {.kind = "timer", .text = "", .number = 3, .due_ns = 1};
    const struct sw_gateway_past_state state = {.number = 7,
                                                .module = "sha256:01",
                                                .engine = "e",
                                                .wait = "a time",
                                                .items = &item,
                                                .items_count = 1,
                                                .timers = 1};
    const struct sw_gateway_history_end end = {.first = 1, .last = 7, .replayable = 1};

    (void)snprintf(
        f->told, sizeof f->told, "%s|%s|%s|%d|%llu|%llu|%u|%d|%u|%s|%d|%.*s|%s", query->namespace_,
        query->agent, query->key, (int)query->view, (unsigned long long)query->from,
        (unsigned long long)query->to, query->limit, query->is_newest, query->body_bytes,
        query->module, query->has_input, (int)query->input.size,
        query->input.size > 0 ? (const char *)query->input.data : "", query->content_type);
    if (strcmp(query->key, "gone") == 0)
        return sw_err_set(err, SW_E_NOT_FOUND, "no Pod of Agent %s runs on this node",
                          query->agent);
    if (strcmp(query->key, "long") == 0) {
        f->looking = *handler;
        return SW_OK;
    }
    handler->on_turn(handler->ctx, &turn);
    if (query->view == SW_GATEWAY_HISTORY_STATE)
        handler->on_state(handler->ctx, &state);
    handler->on_end(handler->ctx, SW_OK, &end, NULL);
    return SW_OK;
}

static inline void fake_history_stop(void *ctx, const void *handler_ctx)
{
    struct fixture *f = ctx;
    struct sw_err err = {.rc = SW_E_CANCELLED};

    assert_ptr_equal(f->looking.ctx, handler_ctx);
    f->looking.on_end(f->looking.ctx, SW_E_CANCELLED, NULL, &err);
    f->looking.ctx = NULL;
}

static inline enum sw_rc fake_held(void *ctx, const struct sw_gateway_held *held,
                                   sw_gateway_held_done *done, void *done_ctx, struct sw_err *err)
{
    struct fixture *f = ctx;
    struct sw_err words = {0};

    (void)snprintf(f->told, sizeof f->told, "%s|%s|%s|%s", held->namespace_, held->agent, held->key,
                   held->is_drop ? "drop" : "release");
    if (strcmp(held->key, "gone") == 0)
        return sw_err_set(err, SW_E_NOT_FOUND, "there is no such instance");
    (void)sw_err_set(&words, SW_E_PRECONDITION, "nothing of it is held");
    if (strcmp(held->key, "free") == 0)
        done(done_ctx, SW_E_PRECONDITION, &words);
    else
        done(done_ctx, SW_OK, NULL);
    return SW_OK;
}

static inline enum sw_rc fake_letters_change(void *ctx,
                                             const struct sw_gateway_letters_change *change,
                                             void (*done)(void *done_ctx, enum sw_rc rc,
                                                          uint64_t count, const struct sw_err *err),
                                             void *done_ctx, struct sw_err *err)
{
    struct fixture *f = ctx;

    (void)snprintf(f->told, sizeof f->told, "%s|%s|%s|%llu|%s", change->namespace_, change->agent,
                   change->key == NULL ? "-" : change->key, (unsigned long long)change->number,
                   change->is_drop ? "drop" : "redeliver");
    if (change->number == 9)
        return sw_err_set(err, SW_E_NOT_FOUND, "there is no such dead letter");
    done(done_ctx, SW_OK, 1, NULL);
    return SW_OK;
}

static inline enum sw_rc
fake_put(void *ctx, const char *namespace_, const char *digest, struct sw_bytes wasm,
         void (*done)(void *done_ctx, enum sw_rc rc, const struct sw_gateway_module *module,
                      const struct sw_err *err),
         void *done_ctx, struct sw_err *err)
{
    struct fixture *f = ctx;
    struct sw_gateway_module module = {
        .digest = digest, .size_bytes = wasm.size, .is_new = f->module_size == 0};

    assert_string_equal(namespace_, "default");
    if (wasm.size < 4)
        return sw_err_set(err, SW_E_INVALID, "not WebAssembly");
    f->module_size = wasm.size;
    done(done_ctx, SW_OK, &module, NULL);
    return SW_OK;
}

static inline bool fake_has(void *ctx, const char *namespace_, const char *digest,
                            struct sw_gateway_module *ret_module)
{
    struct fixture *f = ctx;

    (void)namespace_;
    *ret_module = (struct sw_gateway_module){.digest = digest, .size_bytes = f->module_size};
    return f->module_size > 0;
}

static inline enum sw_rc fake_ready(void *ctx, struct sw_err *err)
{
    struct fixture *f = ctx;

    return f->is_ready ? SW_OK : sw_err_set(err, SW_E_UNAVAILABLE, "the node is starting");
}

static inline enum sw_rc fake_keys_list(void *ctx, struct sw_buffer *out, struct sw_err *err)
{
    struct fixture *f = ctx;

    if (f->agents_rc != SW_OK)
        return sw_err_set(err, f->agents_rc, "there is no memory");
    sw_buffer_put_text(out, "{\"keys\":[]}");
    return SW_OK;
}

static inline void give_keys(void *ctx)
{
    static const char json[] = "{\"resealed\":\"3\"}";
    struct fixture *f = ctx;
    const struct sw_err err = {.rc = f->read_rc, .message = "the disk is full"};

    f->keys_done(f->keys_ctx, f->read_rc, (struct sw_bytes){json, sizeof json - 1}, &err);
    check(f);
}

static inline enum sw_rc fake_keys_rotate(void *ctx, const struct sw_gateway_rotation *rotation,
                                          void (*done)(void *done_ctx, enum sw_rc rc,
                                                       struct sw_bytes json,
                                                       const struct sw_err *err),
                                          void *done_ctx, struct sw_err *err)
{
    struct fixture *f = ctx;

    (void)snprintf(f->told, sizeof f->told, "rotate for %s%s%s", rotation->actor,
                   rotation->is_resumed ? ", the rest" : "",
                   rotation->keeps_unused ? ", and keep" : "");
    if (f->agents_rc != SW_OK)
        return sw_err_set(err, f->agents_rc, "they are being rotated already");
    f->keys_done = done;
    f->keys_ctx = done_ctx;
    return sw_loop_post(f->loop, give_keys, f);
}

static inline void give_backup(void *ctx)
{
    struct fixture *f = ctx;
    const struct sw_gateway_backup_begun begun = {f, f->backup_size};
    const struct sw_err err = {.rc = f->backup_rc, .message = "the hosts are too busy"};
    static char bytes[256u << 10];
    size_t left = f->backup_size - f->backup_at;
    size_t size = left < sizeof bytes ? left : sizeof bytes;
    void (*taken)(void *ctx, enum sw_rc rc, struct sw_bytes bytes, bool is_last) = f->backup_taken;

    if (taken == NULL) {
        f->backup_begun(f->backup_ctx, f->backup_rc, f->backup_rc == SW_OK ? &begun : NULL, &err);
        check(f);
        return;
    }
    f->backup_taken = NULL;
    memset(bytes, 'b', sizeof bytes);
    f->backup_at += size;
    taken(f->backup_ctx, f->backup_at > f->backup_size / 2 ? f->read_rc : SW_OK,
          (struct sw_bytes){bytes, size}, f->backup_at == f->backup_size);
    check(f);
}

static inline void later_backup(struct fixture *f)
{
    if (!f->is_backup_slow)
        assert_int_equal(sw_loop_post(f->loop, give_backup, f), SW_OK);
}

static inline enum sw_rc fake_backup_begin(void *ctx, const char *caller,
                                           void (*done)(void *done_ctx, enum sw_rc rc,
                                                        const struct sw_gateway_backup_begun *begun,
                                                        const struct sw_err *err),
                                           void *done_ctx, struct sw_err *err)
{
    struct fixture *f = ctx;

    (void)snprintf(f->told, sizeof f->told, "backup for %s", caller);
    if (f->agents_rc != SW_OK)
        return sw_err_set(err, f->agents_rc, "a backup is being made already");
    f->backup_begun = done;
    f->backup_taken = NULL;
    f->backup_ctx = done_ctx;
    f->backup_at = 0;
    later_backup(f);
    check(f);
    return SW_OK;
}

static inline void fake_backup_next(void *ctx, void *handle,
                                    void (*done)(void *done_ctx, enum sw_rc rc,
                                                 struct sw_bytes bytes, bool is_last),
                                    void *done_ctx)
{
    struct fixture *f = ctx;

    assert_ptr_equal(handle, f);
    assert_null(f->backup_taken); /* One at a time. */
    f->backup_taken = done;
    f->backup_ctx = done_ctx;
    later_backup(f);
}

static inline void fake_backup_end(void *ctx, void *handle)
{
    struct fixture *f = ctx;

    assert_ptr_equal(handle, f);
    assert_null(f->backup_taken);
    f->backups_ended++;
    check(f);
}
