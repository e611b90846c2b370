/* Result codes and error words, the same everywhere from the journal to the command line.
 *
 * A function that can fail returns an sw_rc and fills the caller's struct sw_err where the failure
 * is first seen; callers above add context once and do not log. One code stands for one gRPC
 * status (its negative), so nothing is translated on the way to a client.
 * Threads: no shared state.  I/O: none.  Limits: words are cut at the sizes below. */
#pragma once
#include <stdarg.h>
#include <stddef.h>

#define SW_MUST_CHECK __attribute__((warn_unused_result))
#define SW_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
/* Run `function(&variable)` when the variable leaves its scope. */
#define SW_CLEANUP(function) __attribute__((cleanup(function)))
/* Hand over what a SW_CLEANUP variable owns: yields the pointer and leaves NULL behind. */
#define SW_TAKE(pointer)                                                                           \
    __extension__({                                                                                \
        __typeof__(pointer) sw_taken_ = (pointer);                                                 \
        (pointer) = NULL;                                                                          \
        sw_taken_;                                                                                 \
    })
/* Define NAMEp, the form of a free function that SW_CLEANUP wants. */
#define SW_DEFINE_CLEANUP(type, free_function)                                                     \
    static inline void free_function##p(type **pointer)                                            \
    {                                                                                              \
        if (*pointer != NULL)                                                                      \
            free_function(*pointer);                                                               \
    }

#define SW_ERR_MESSAGE_MAX 512
#define SW_ERR_FIELD_MAX 256
#define SW_ERR_HINT_MAX 256

enum sw_rc {
    SW_OK = 0,
    SW_E_CANCELLED = -1,       /* The caller gave up. */
    SW_E_UNKNOWN = -2,         /* A peer reported an error that has no better code. */
    SW_E_INVALID = -3,         /* The input is wrong whatever the state of the system. */
    SW_E_TIMEOUT = -4,         /* The deadline passed first; the outcome may be unknown. */
    SW_E_NOT_FOUND = -5,       /* No such object, instance, key or file. */
    SW_E_EXISTS = -6,          /* Create of something that is there already. */
    SW_E_DENIED = -7,          /* Known caller, not allowed. */
    SW_E_EXHAUSTED = -8,       /* A limit, quota, queue or buffer is full. */
    SW_E_PRECONDITION = -9,    /* Right request, wrong state; repeating does not help. */
    SW_E_CONFLICT = -10,       /* Somebody else changed it first; read again and retry. */
    SW_E_RANGE = -11,          /* Outside what can be answered, such as a compacted revision. */
    SW_E_UNSUPPORTED = -12,    /* Not offered by this build, version or kernel. */
    SW_E_INTERNAL = -13,       /* A broken promise of our own. */
    SW_E_UNAVAILABLE = -14,    /* Not now; retrying later may succeed. */
    SW_E_CORRUPT = -15,        /* Data that was damaged or is not in the promised format. */
    SW_E_UNAUTHENTICATED = -16 /* No acceptable identity was shown. */
};

/* What went wrong, for people. Owned by the caller, usually on the stack; start with {0}. */
struct sw_err {
    enum sw_rc rc;
    char message[SW_ERR_MESSAGE_MAX];
    char field[SW_ERR_FIELD_MAX]; /* Path of the field at fault such as "spec.replicas", or "". */
    char hint[SW_ERR_HINT_MAX];   /* What to do about it, or "". */
};

/* Nothing has failed: the same as a zeroed one, without the cost of its thousand bytes. */
static inline void sw_err_clear(struct sw_err *err)
{
    err->rc = (enum sw_rc)0;
    err->message[0] = err->field[0] = err->hint[0] = '\0';
}

/* Set code and words, replacing what was there; returns rc. err may be NULL. */
enum sw_rc sw_err_set(struct sw_err *err, enum sw_rc rc, const char *format, ...) SW_PRINTF(3, 4);

/* As sw_err_set, with the arguments of a variadic caller. */
enum sw_rc sw_err_vset(struct sw_err *err, enum sw_rc rc, const char *format, va_list arguments)
    SW_PRINTF(3, 0);

/* As sw_err_set, ending in the words of the errno value `number`; the code is derived from it
 * (ENOENT: NOT_FOUND, ENOSPC: EXHAUSTED, EACCES: DENIED ...; otherwise INTERNAL). */
enum sw_rc sw_err_errno(struct sw_err *err, int number, const char *format, ...) SW_PRINTF(3, 4);

/* Put words and ": " before the message already there; code, field and hint stay. Returns the code.
 */
enum sw_rc sw_err_context(struct sw_err *err, const char *format, ...) SW_PRINTF(2, 3);

/* Set the field path, or the hint, of an error already set. */
void sw_err_field(struct sw_err *err, const char *format, ...) SW_PRINTF(2, 3);
void sw_err_hint(struct sw_err *err, const char *format, ...) SW_PRINTF(2, 3);

/* Bytes of the well-formed UTF-8 sequence at text, 0 if there is none (NUL is none). */
size_t sw_utf8_sequence(const char *text, size_t size_bytes);
/* Replace what is no UTF-8 by '?', in place: words that quote a part of somebody's text may have
 * cut through a character, and JSON and gRPC take none but whole ones. */
void sw_utf8_mend(char *text);

/* The stable name of a code as clients see it ("NOT_FOUND"); "UNKNOWN" for any other number. */
const char *sw_rc_name(enum sw_rc rc);
/* One plain sentence for docs and help. */
const char *sw_rc_describe(enum sw_rc rc);
/* The HTTP status of a code, as in google.rpc.Code's mapping. */
int sw_rc_http_status(enum sw_rc rc);
