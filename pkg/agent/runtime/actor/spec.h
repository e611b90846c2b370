/* What instances can see of their Pod's spec: the program, the engine that runs it, the config, and
 * the limits that a call of theirs can meet.
 *
 * Every record of a segment says by number under which spec it ran, so a replay does the same
 * whatever Pod the instance belongs to by then. Equal specs have one number: the Pods of an Agent
 * share theirs. A spec never changes and lives as long as the table; its module is kept as long as
 * it is needed.
 *
 * Threads: any; the lock is "specs" of docs/LOCKS.md.  I/O: the journal's appends.
 * Limits: of a spec's texts as record.h says. */
#pragma once
#include "pkg/agent/abi/class.h"
#include "pkg/agent/store/record.h"
#include "pkg/utils/base/map.h"

#include <pthread.h>
#include <stdatomic.h>

struct sw_spec {
    _Atomic uint32_t *used;                      /* sw_spec_use; owned by the table. */
    uint32_t number;                             /* In this journal; not 0. */
    bool is_recorded;                            /* The journal knows it; under the lock. */
    uint32_t size;                               /* Of bytes. */
    struct sw_bytes digest, fingerprint, config; /* Of the module, of the engine; in bytes. */
    struct sw_bytes program;                     /* The name of both for a host: class.h. */
    enum sw_abi_class class;                     /* As the fingerprint says. */
    char program_name[SW_ABI_PROGRAM_SIZE];
    uint32_t timers_max; /* Of an instance. */
    uint8_t bytes[];
};

struct sw_specs {
    pthread_mutex_t mutex;     /* Guards all below. */
    struct sw_map *by_number;  /* Owns them. */
    struct sw_map *by_content; /* By their bytes. */
    uint32_t next;
};

struct sw_spec_content { /* Borrowed. */
    struct sw_bytes digest, fingerprint, config;
    uint32_t timers_max;
};

/* After a failure sw_specs_done is still to be called. */
SW_MUST_CHECK enum sw_rc sw_specs_init(struct sw_specs *specs, uint64_t seed);
void sw_specs_done(struct sw_specs *specs);

/* The spec of that content, made if there is none. With a journal, its record is there when this
 * returns.  SW_E_EXHAUSTED: no memory, or the journal has no room. */
SW_MUST_CHECK enum sw_rc sw_specs_make(struct sw_specs *specs,
                                       const struct sw_spec_content *content,
                                       struct sw_journal *journal, const struct sw_spec **ret_spec);
/* Recovery: take in the spec of a record, or of a snapshot.
 * SW_E_CORRUPT: the number or the content is another's. */
SW_MUST_CHECK enum sw_rc sw_specs_load(struct sw_specs *specs, const struct sw_record_spec *record);
/* NULL: there is none of that number. */
const struct sw_spec *sw_specs_find(struct sw_specs *specs, uint32_t number);
/* It is in use at or after the point of the snapshot of that generation; any thread. What was last
 * used before the point of the one that counts is not needed any more. */
void sw_spec_use(const struct sw_spec *spec, uint32_t generation);
/* Whether something of that module was used at or after the point of the snapshot of that
 * generation. It takes as long as there are specs. */
bool sw_specs_need(struct sw_specs *specs, struct sw_bytes digest, uint32_t generation);
/* The record of a spec; borrows. */
struct sw_record sw_spec_record(const struct sw_spec *spec);
/* Whether instances can go on from one to the other by replaying: the same program and engine. */
bool sw_spec_is_same_version(const struct sw_spec *one, const struct sw_spec *other);
