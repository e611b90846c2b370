/* What the files of this room share. Threads, I/O, limits: backup.h. */
#pragma once
#include "pkg/agent/store/cut.h"
#include "pkg/backup/archive/names.h"
#include "pkg/backup/archive/writer.h"
#include "pkg/backup/backup.h"
#include "pkg/security/crypto/digest.h"
#include "pkg/store/sqlite/sqlite.h"

#define SW_BACKUP_STORE_COPY "store.db.copy" /* In the data folder, while it is made. */

/* Where the bytes of a file come from. */
enum sw_item_kind {
    SW_ITEM_HELD, /* A file that a cut holds open. */
    SW_ITEM_PATH, /* A file of the data folder, which does not change. */
    SW_ITEM_BYTES /* What it was at the point; owned by the arena. */
};

struct sw_item { /* A file of the archive: name, size and digest stand in manifest.files. */
    enum sw_item_kind kind;
    int file;
    const uint8_t *bytes;
};

struct sw_journal_held {
    struct sw_cut *cut;
    const char *folder; /* In the archive: "agents", "hosts/HOST/agents", "ledger" */
    bool is_there;      /* At the present listing. */
};

struct sw_backup {
    const struct sw_system *system;
    struct sw_arena *arena; /* Of names and small files. */
    char data_folder[SW_PATH_MAX];
    uint8_t engine_key[32];
    _Atomic bool is_cancelled; /* Any thread. */
    bool has_engines;

    struct sw_sqlite_view *store;
    int store_file; /* The copy, whose name is gone already; -1: not yet. */
    struct sw_journal_held journals[SW_MANIFEST_JOURNALS_MAX];
    size_t journals_count;
    struct sw_item *items; /* As many as manifest.files. */
    size_t items_room;
    struct sw_manifest manifest;
    uint64_t bytes, cut_ns;

    /* Reading: where it is. */
    struct sw_sha256 *digest;
    struct sw_buffer head; /* Blocks that are to go out before the next bytes. */
    size_t head_sent, at;  /* at: of the items; items_count: the manifest; more: the end. */
    uint64_t offset;       /* In the present file. */
    int file;              /* The present one, if it was opened for that; -1. */
    bool is_begun;         /* The head of the present file is in `head`, or went out. */
};

/* collect.c */
/* "DATA/NAME".  SW_E_INVALID: too long. */
SW_MUST_CHECK enum sw_rc sw_backup_path(const struct sw_backup *backup, const char *name,
                                        char ret_path[SW_PATH_MAX], struct sw_err *err);
/* Add a file to the archive. name is copied. */
SW_MUST_CHECK enum sw_rc sw_backup_add(struct sw_backup *backup, const char *name,
                                       const struct sw_item *item, uint64_t size_bytes,
                                       struct sw_err *err);
/* Modules and engines of the data folder. */
SW_MUST_CHECK enum sw_rc sw_backup_add_modules(struct sw_backup *backup, struct sw_err *err);
SW_MUST_CHECK enum sw_rc sw_backup_add_engines(struct sw_backup *backup, struct sw_err *err);

/* read.c */
void sw_backup_read_done(struct sw_backup *backup);
