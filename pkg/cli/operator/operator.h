/* The commands of `swarmctl`: for whoever keeps a daemon and its data folder.
 *
 * The data folder: --data, else SWARM_DATA, else that of a developer's swarm if it is there
 * ($XDG_DATA_HOME/swarm or ~/.local/share/swarm), else /var/lib/swarm. The store is the file
 * store.db in it; journals are found wherever below it they stand.
 * Threads: one.  I/O: as pkg/cli/commands/cli.h, and SQLite's own files. */
#pragma once
#include "pkg/agent/store/journal.h"
#include "pkg/backup/archive/manifest.h"
#include "pkg/cli/commands/cli.h"

#define SW_OPERATOR_STORE_FILE "store.db"
#define SW_OPERATOR_JOURNALS_MAX 1024

extern const struct sw_program sw_swarmctl_program;
/* Run the command with this number of the table; for sw_cli_run. */
enum sw_rc sw_swarmctl_run(struct sw_cli *cli, int action, struct sw_err *err);

enum sw_rc sw_operator_status(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_operator_store_backup(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_operator_store_restore(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_operator_store_verify(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_operator_journal_dump(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_operator_journal_verify(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_operator_journal_replay(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_operator_snapshot_verify(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_operator_check(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_operator_backup(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_operator_restore(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_operator_secrets_status(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_operator_secrets_rotate(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_operator_secrets_export(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_operator_secrets_import(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_operator_verify(struct sw_cli *cli, struct sw_err *err);

/* The data folder, in the run's arena; never NULL. */
const char *sw_operator_data_folder(struct sw_cli *cli);
/* The path of the store's file: --file, or in the data folder. */
const char *sw_operator_store_path(struct sw_cli *cli);

struct sw_operator_journals { /* In the run's arena. */
    const char *folders[SW_OPERATOR_JOURNALS_MAX];
    size_t count;
};
/* Find the journals in a data folder.  SW_E_NOT_FOUND: there is no data folder, or no journal. */
SW_MUST_CHECK enum sw_rc sw_operator_find_journals(struct sw_cli *cli, const char *data,
                                                   struct sw_operator_journals *ret_journals,
                                                   struct sw_err *err);
/* Check a journal, the snapshot that it names, and the instances on shelves that this names. */
SW_MUST_CHECK enum sw_rc sw_operator_check_journal(struct sw_cli *cli, const char *folder,
                                                   struct sw_journal_report *ret_report,
                                                   struct sw_err *err);
/* Replay all journals of a data folder. */
SW_MUST_CHECK enum sw_rc sw_operator_replay(struct sw_cli *cli, const char *data,
                                            struct sw_err *err);
/* What a backup is of, in a line; path "-": for the person, not as a result. */
void sw_operator_print_manifest(struct sw_cli *cli, const char *word, const char *path,
                                const struct sw_manifest *manifest);
/* Have the name of a file or folder be durable. */
SW_MUST_CHECK enum sw_rc sw_operator_sync_parent(struct sw_cli *cli, const char *path,
                                                 struct sw_err *err);
/* The folder, and which agent host's journal it is if not the shared one's; in the run's arena. */
const char *sw_operator_journal_title(struct sw_cli *cli, const char *folder);
