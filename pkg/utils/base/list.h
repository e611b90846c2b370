/* Intrusive doubly linked lists with a sentinel head. Threads: one at a time.  I/O: none. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct sw_list {
    struct sw_list *next, *previous;
};

/* The struct of `type` that holds `node` as its `member`. */
#define SW_LIST_ITEM(node, type, member) ((type *)(void *)((char *)(node) - offsetof(type, member)))
/* Visit each node; `node` may be removed during its own visit. */
#define SW_LIST_EACH(head, node)                                                                   \
    for (struct sw_list *node = (head)->next, *node##_next = node->next; node != (head);           \
         node = node##_next, node##_next = node->next)

static inline void sw_list_init(struct sw_list *head)
{
    head->next = head;
    head->previous = head;
}
static inline bool sw_list_is_empty(const struct sw_list *head)
{
    return head->next == head;
}
static inline void sw_list_add(struct sw_list *head, struct sw_list *node) /* At the end. */
{
    node->previous = head->previous;
    node->next = head;
    head->previous->next = node;
    head->previous = node;
}
static inline void sw_list_remove(struct sw_list *node) /* A removed node is its own empty list. */
{
    node->previous->next = node->next;
    node->next->previous = node->previous;
    sw_list_init(node);
}
static inline void sw_list_join(struct sw_list *head, struct sw_list *from) /* All, at the end. */
{
    if (sw_list_is_empty(from))
        return;
    from->next->previous = head->previous;
    head->previous->next = from->next;
    from->previous->next = head;
    head->previous = from->previous;
    sw_list_init(from);
}
static inline struct sw_list *sw_list_first(const struct sw_list *head) /* NULL when empty. */
{
    return sw_list_is_empty(head) ? NULL : head->next;
}
