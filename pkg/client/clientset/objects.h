/* Objects, messages and modules of one server as C values, over the transport of client.h.
 *
 * Paths: /apis/swarm/v1/namespaces/{namespace}/{plural}/{name}, without the namespace part for
 * kinds outside of namespaces and for lists over all namespaces. Threads, I/O: as client.h. Limits:
 * the arena that results live in; lists are read in pages. */
#pragma once
#include "pkg/apis/swarm/v1/object.h"
#include "pkg/client/clientset/client.h"

struct sw_object_key { /* Which object; all borrowed. */
    const struct sw_kind *kind;
    const char *namespace; /* Ignored for kinds outside of namespaces. "" in a list: all. */
    const char *name;      /* "" in a list. */
};

struct sw_objects { /* Lives in an arena. */
    void **items;   /* Structs of the kind. */
    size_t count;
    uint64_t resource_version; /* A watch may start from it. */
};

/* SW_E_NOT_FOUND: there is no such object. Otherwise as sw_client_call. */
SW_MUST_CHECK enum sw_rc sw_client_get(struct sw_client *client, const struct sw_object_key *key,
                                       struct sw_arena *arena, void **ret_object,
                                       struct sw_err *err);
/* All objects, ordered by namespace and name. selector is "" or "a=b,c!=d". */
SW_MUST_CHECK enum sw_rc sw_client_list(struct sw_client *client, const struct sw_object_key *key,
                                        const char *selector, struct sw_arena *arena,
                                        struct sw_objects *ret_objects, struct sw_err *err);
struct sw_object_wish { /* What an object shall be; all borrowed. */
    struct sw_object_key key;
    const void *object; /* Of key.kind. */
    bool dry_run;       /* Check all of it, write nothing. */
};
/* Make the object, or change what the wish says of it; answers with what is stored then (with
 * dry_run: would be). */
SW_MUST_CHECK enum sw_rc sw_client_apply(struct sw_client *client,
                                         const struct sw_object_wish *wish, struct sw_arena *arena,
                                         void **ret_object, struct sw_err *err);
/* Ask for the object's deletion; it is gone when its finalizers are done. */
SW_MUST_CHECK enum sw_rc sw_client_delete(struct sw_client *client, const struct sw_object_key *key,
                                          bool dry_run, struct sw_err *err);

/* One change. object (borrowed) is NULL for a bookmark; revision is where a watch may go on. */
typedef bool sw_client_change(void *ctx, enum sw_api_watch_event_type type, void *object,
                              uint64_t revision);
struct sw_client_watch { /* All borrowed. */
    struct sw_object_key key;
    const char *selector; /* "" or as in a list. */
    uint64_t revision;    /* Changes after this one; 0: all there are come first, as ADDED. */
    uint64_t timeout_ms;  /* UINT64_MAX: none. */
    sw_client_change *on_change;
    void *ctx;
};
/* Follow changes until on_change returns false or nobody wants them any more (SW_OK), or the time
 * is over (SW_E_TIMEOUT). A stream that breaks is asked for again from the last revision, for as
 * long as the server can be reached. SW_E_RANGE: that revision is no longer kept; list again. */
SW_MUST_CHECK enum sw_rc sw_client_watch(struct sw_client *client,
                                         const struct sw_client_watch *options, struct sw_err *err);

struct sw_client_message { /* To an instance; all borrowed until it is done. */
    const char *namespace, *agent;
    const char *key; /* NULL: any instance of a replicated Agent. */
    const char *content_type;
    struct sw_bytes body;
    const char *priority;   /* "low" ... "urgent"; NULL: the Agent's own. */
    const char *request_id; /* NULL: none; a repeat with it gets the first result. */
    uint64_t timeout_ms;    /* 0: SW_CLIENT_TIMEOUT_MS. */
    bool want_reply;
};
/* Begin to send; as sw_client_start. The answer holds the reply's body, type and sender. */
SW_MUST_CHECK enum sw_rc sw_client_send_start(struct sw_client *client,
                                              const struct sw_client_message *message,
                                              sw_client_done *done, void *ctx, struct sw_err *err);

struct sw_client_publication { /* To whoever subscribed; all borrowed. */
    const char *namespace, *subject, *content_type;
    const char *request_id; /* NULL: none; a repeat with it is not published again. */
    struct sw_bytes body;
};
/* Send to every subscriber; *ret_subscribers is how many there were. */
SW_MUST_CHECK enum sw_rc sw_client_publish(struct sw_client *client,
                                           const struct sw_client_publication *publication,
                                           uint64_t *ret_subscribers, struct sw_err *err);

/* Store a module under its digest ("sha256:...") unless the server has it. *ret_is_new may be NULL.
 * SW_E_INVALID: it is no agent's module, with the reason. */
SW_MUST_CHECK enum sw_rc sw_client_push(struct sw_client *client, const char *namespace,
                                        const char *digest, struct sw_bytes wasm, bool *ret_is_new,
                                        struct sw_err *err);

/* Append "/apis/swarm/v1/..." of one object, or of the list when key->name is "". */
void sw_client_path(const struct sw_object_key *key, struct sw_buffer *out);
