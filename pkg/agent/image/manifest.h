/* What a program of the process runtime is, as the payload of its bundle says it: one JSON object.
 *
 *     {"image": "sha256:...", "packages": ["sha256:..."], "command": ["python3", "main.py"],
 *      "env": {"NAME": "value"}, "protocol": "stdio", "type": "text/plain",
 *      "memory": "256MiB", "tmp": "64MiB", "tasks": 64, "files": 256, "deadline": "5m",
 *      "idle": "60s", "warm": 0, "record": false}
 *
 * image and command have to be there. The text is a guest's and is not trusted.
 * Threads: pure functions.  I/O: none.  Limits: those below. */
#pragma once
#include "pkg/security/crypto/digest.h"
#include "pkg/utils/base/arena.h"
#include "pkg/utils/base/buffer.h"

#define SW_MANIFEST_WORDS_MAX 64u  /* Of a command, and names of its environment. */
#define SW_MANIFEST_TEXT_MAX 4096u /* Bytes of each. */
#define SW_MANIFEST_PACKAGES_MAX 8u
#define SW_MANIFEST_MEMORY_MAX (UINT64_C(64) << 30)
#define SW_MANIFEST_TMP_MAX (UINT64_C(16) << 30)
#define SW_MANIFEST_TASKS_MAX 4096u
#define SW_MANIFEST_FILES_MAX 65536u
#define SW_MANIFEST_DEADLINE_MS_MAX 3600000u
#define SW_MANIFEST_IDLE_MS_MAX 86400000u
#define SW_MANIFEST_WARM_MAX 64u

enum sw_manifest_protocol {
    SW_MANIFEST_STDIO, /* A process for each message: its input is the body, its output the reply.
                        */
    SW_MANIFEST_TURNS  /* One that stays, and speaks frames (pkg/agent/runtime/process/turn.h). */
};

struct sw_manifest { /* In the arena. */
    const char *image;
    const char *packages[SW_MANIFEST_PACKAGES_MAX + 1]; /* NULL-terminated, as the next two are. */
    const char *command[SW_MANIFEST_WORDS_MAX + 1];
    const char *environment[SW_MANIFEST_WORDS_MAX + 1]; /* "NAME=value" */
    enum sw_manifest_protocol protocol;
    const char *type; /* Of replies. */
    uint64_t memory_bytes, tmp_bytes;
    unsigned tasks, files;
    uint64_t
        deadline_ms;  /* Of a turn, or of the time until a process of turns asks for something. */
    uint64_t idle_ms; /* TURNS: stays so long after a turn; 0: not at all. */
    unsigned warm;    /* TURNS: processes that wait for an instance that is new. */
    bool has_record;  /* What it asks of models over HTTP is kept with its turn. */
};

/* Read one.
 * SW_E_INVALID    it is not such an object; the field path is set, and words say what is expected
 * SW_E_EXHAUSTED  the arena is full */
SW_MUST_CHECK enum sw_rc sw_manifest_read(struct sw_bytes text, struct sw_arena *arena,
                                          struct sw_manifest *ret_manifest, struct sw_err *err);
