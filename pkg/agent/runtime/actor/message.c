#include "pkg/agent/runtime/actor/message.h"

#include <stdlib.h>
#include <string.h>

struct sw_body *sw_body_new(struct sw_bytes bytes)
{
    struct sw_body *body = malloc(sizeof *body + bytes.size);

    if (body == NULL)
        return NULL;
    atomic_init(&body->refs, 1);
    body->size = (uint32_t)bytes.size;
    if (bytes.size > 0)
        memcpy(body->bytes, bytes.data, bytes.size);
    return body;
}

void sw_body_unref(struct sw_body *body)
{
    if (body != NULL && atomic_fetch_sub_explicit(&body->refs, 1, memory_order_acq_rel) == 1)
        free(body);
}

size_t sw_message_texts_bytes(const struct sw_message *message)
{
    const struct sw_message_head *head = &message->head;

    return message->key.size + head->from.size + head->subject.size + head->type.size +
           head->request_id.size + (message->shared == NULL ? message->body.size : 0);
}

void sw_message_fill(struct sw_message *message, const struct sw_message *template)
{
    const struct sw_message_head *head = &template->head;
    uint32_t size_bytes = message->size_bytes;
    uint8_t size_class = message->size_class;
    uint8_t *at = (uint8_t *)(message + 1);

    *message = *template;
    message->item = (struct sw_item){NULL, SW_ITEM_MESSAGE};
    message->size_class = size_class;
    message->size_bytes = size_bytes;
    at = sw_message_keep(template->key, at, &message->key);
    at = sw_message_keep(head->from, at, &message->head.from);
    at = sw_message_keep(head->subject, at, &message->head.subject);
    at = sw_message_keep(head->type, at, &message->head.type);
    at = sw_message_keep(head->request_id, at, &message->head.request_id);
    if (message->shared == NULL) {
        sw_message_keep(template->body, at, &message->body);
    } else {
        atomic_fetch_add_explicit(&message->shared->refs, 1, memory_order_relaxed);
        message->body = (struct sw_bytes){message->shared->bytes, message->shared->size};
        message->size_bytes += message->shared->size;
    }
}

struct sw_message *sw_message_new(const struct sw_message *template)
{
    size_t texts = sw_message_texts_bytes(template);
    struct sw_message *message = malloc(sizeof *message + texts);

    if (message == NULL)
        return NULL;
    message->size_class = 0;
    message->size_bytes = (uint32_t)(sizeof *message + texts);
    sw_message_fill(message, template);
    return message;
}

void sw_message_free(struct sw_message *message)
{
    if (message == NULL)
        return;
    sw_body_unref(message->shared);
    free(message);
}

void sw_item_put_back(struct sw_item **last, struct sw_item *item)
{
    struct sw_item *kept = *last;

    sw_item_put(last, item);
    if (kept != NULL)
        *last = kept;
}
