#include "pkg/cli/commands/commands.h"
#include "pkg/cli/operator/operator.h"

#include <assert.h>

enum action {
    STATUS,
    BACKUP,
    RESTORE,
    VERIFY,
    STORE_BACKUP,
    STORE_RESTORE,
    STORE_VERIFY,
    JOURNAL_DUMP,
    JOURNAL_VERIFY,
    JOURNAL_REPLAY,
    SNAPSHOT_VERIFY,
    SECRETS_STATUS,
    SECRETS_ROTATE,
    SECRETS_EXPORT,
    SECRETS_IMPORT,
    CHECK,
    COMPLETION,
    COMPLETE,
    HELP,
    VERSION,
    ACTIONS_COUNT
};

static enum sw_rc (*const actions[ACTIONS_COUNT])(struct sw_cli *cli, struct sw_err *err) = {
    [STATUS] = sw_operator_status,
    [BACKUP] = sw_operator_backup,
    [RESTORE] = sw_operator_restore,
    [VERIFY] = sw_operator_verify,
    [STORE_BACKUP] = sw_operator_store_backup,
    [STORE_RESTORE] = sw_operator_store_restore,
    [STORE_VERIFY] = sw_operator_store_verify,
    [JOURNAL_DUMP] = sw_operator_journal_dump,
    [JOURNAL_VERIFY] = sw_operator_journal_verify,
    [JOURNAL_REPLAY] = sw_operator_journal_replay,
    [SNAPSHOT_VERIFY] = sw_operator_snapshot_verify,
    [SECRETS_STATUS] = sw_operator_secrets_status,
    [SECRETS_ROTATE] = sw_operator_secrets_rotate,
    [SECRETS_EXPORT] = sw_operator_secrets_export,
    [SECRETS_IMPORT] = sw_operator_secrets_import,
    [CHECK] = sw_operator_check,
    [COMPLETION] = sw_command_completion,
    [COMPLETE] = sw_command_complete,
    [HELP] = sw_command_help,
    [VERSION] = sw_command_version,
};

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define FLAGS(array) .flags = array, .flags_count = COUNT(array)
#define FILE_FLAG                                                                                  \
    {.name = "file",                                                                               \
     .value = "FILE",                                                                              \
     .help = "The store's file (else store.db in the folder)",                                     \
     .completes = SW_COMPLETE_FILE}

static const struct sw_flag global_flags[] = {
    {.name = "data",
     .letter = 'd',
     .value = "FOLDER",
     .help = "Data folder of the daemon (SWARM_DATA; else the user's, else /var/lib/swarm)",
     .completes = SW_COMPLETE_FOLDER},
    {.name = "namespace", .letter = 'n', .value = "NAME", .help = "Namespace to work in"},
    {.name = "context",
     .value = "NAME",
     .help = "Context to use (SWARM_CONTEXT; else the current one)",
     .completes = SW_COMPLETE_CONTEXT},
    {.name = "server", .value = "URL", .help = "Address of the server, instead of the context's"},
    {.name = "timeout", .value = "TIME", .help = "How long to wait at most, such as 500ms or 2m"},
    {.name = "no-color", .help = "No colours (also: NO_COLOR=1)"},
    {.name = "quiet", .letter = 'q', .help = "Print results only"},
    {.name = "verbose", .letter = 'v', .help = "Also print each request and error codes"},
};

static const struct sw_flag store_flags[] = {FILE_FLAG};
static const struct sw_flag restore_flags[] = {
    FILE_FLAG, {.name = "yes", .help = "Yes, replace the store that is there"}};
static const struct sw_flag take_over_flags[] = {
    {.name = "take-over",
     .help = "Yes, the swarm that was backed up runs no more: this one goes on in its place"}};
static const struct sw_flag verify_flags[] = {
    {.name = "quick", .help = "Only compare all digests with the manifest; unpack nothing"},
    {.name = "replay", .help = "Also run all that the journals hold again, and compare"}};
static const struct sw_flag dump_flags[] = {
    {.name = "agent", .value = "NAME", .help = "Only records of this Agent"},
    {.name = "key", .value = "KEY", .help = "Only records of the instance with this key"}};
#define STOPPED_FLAG                                                                               \
    {.name = "stopped",                                                                            \
     .help = "The daemon does not run: work on its data folder instead of asking it"}
#define PASSPHRASE_FLAG                                                                            \
    {.name = "passphrase-file",                                                                    \
     .value = "FILE",                                                                              \
     .help = "Its first line is the passphrase, of 12 bytes at least; -: standard input",          \
     .completes = SW_COMPLETE_FILE}
static const struct sw_flag keys_flags[] = {STOPPED_FLAG};
static const struct sw_flag rotate_flags[] = {
    STOPPED_FLAG,
    {.name = "resume", .help = "Make no new key: do what a rotation that was broken off left"},
    {.name = "keep-unused",
     .help = "Keep older keys, such as those that backups were sealed with"}};
static const struct sw_flag export_flags[] = {
    PASSPHRASE_FLAG,
    {.name = "plain", .help = "No passphrase: whoever reads the file has the keys"}};
static const struct sw_flag import_flags[] = {PASSPHRASE_FLAG};
static const struct sw_flag help_flags[] = {
    {.name = "markdown", .value = "FOLDER", .help = "Write the pages of docs/cli into the folder"}};
static const struct sw_flag version_flags[] = {{.name = "client", .help = "Do not ask the server"}};

static const struct sw_command commands[] = {
    {.name = "status",
     .action = STATUS,
     .arguments = "",
     .summary = "Show the daemon, its store, the Cluster and the Nodes",
     .examples = "swarmctl status"},
    {.name = "backup",
     .action = BACKUP,
     .arguments = "TARGET",
     .summary = "Save the whole swarm at one point to a file, while it runs",
     .details =
         "The store, the journals, snapshots and sleeping instances of all agent hosts, modules "
         "and\n"
         "engines come from the daemon as one archive, a tar file, and are checked on the way.\n"
         "TARGET is there when all of it is durable, or not at all; - is standard output. It "
         "holds\n"
         "all that agents know, and no private keys.",
     .examples = "swarmctl backup /backup/swarm-monday.tar\n"
                 "swarmctl backup - | zstd >/backup/swarm-monday.tar.zst",
     .arguments_min = 1,
     .arguments_max = 1,
     .completes = SW_COMPLETE_FILE},
    {.name = "restore",
     .action = RESTORE,
     .arguments = "SOURCE",
     .summary = "Make a data folder of a backup",
     .details =
         "The folder that --data names must not be there yet, or be empty. All is checked as by\n"
         "swarmctl verify before the folder gets its name. The swarm goes on from the backup's\n"
         "point under the same identities, on another timeline: its origin must not run any more.",
     .examples = "swarmctl restore /backup/swarm-monday.tar --data /var/lib/swarm --take-over",
     .arguments_min = 1,
     .arguments_max = 1,
     .completes = SW_COMPLETE_FILE,
     FLAGS(take_over_flags)},
    {.name = "verify",
     .action = VERIFY,
     .arguments = "SOURCE",
     .summary = "Check a backup from end to end",
     .details =
         "Digests are compared, then all is unpacked beside it, into SOURCE.checking: the store,\n"
         "journals, snapshots and sleeping instances are read, and the folder is removed again.",
     .examples = "swarmctl verify /backup/swarm-monday.tar\n"
                 "swarmctl verify --replay /backup/swarm-monday.tar",
     .arguments_min = 1,
     .arguments_max = 1,
     .completes = SW_COMPLETE_FILE,
     FLAGS(verify_flags)},
    {.name = "store backup",
     .action = STORE_BACKUP,
     .arguments = "FILE",
     .summary = "Copy the store to a new file, verified, while the daemon runs or not",
     .examples = "swarmctl store backup /backup/swarm-monday.db",
     .arguments_min = 1,
     .arguments_max = 1,
     .completes = SW_COMPLETE_FILE,
     FLAGS(store_flags)},
    {.name = "store restore",
     .action = STORE_RESTORE,
     .arguments = "FILE",
     .summary = "Put a backup in the place of the store; the daemon must be stopped",
     .details =
         "The backup is verified first and put in place whole or not at all. Revisions go on\n"
         "far above its own, so that no client mistakes old for new.",
     .examples = "swarmctl store restore /backup/swarm-monday.db --yes",
     .arguments_min = 1,
     .arguments_max = 1,
     .completes = SW_COMPLETE_FILE,
     FLAGS(restore_flags)},
    {.name = "store verify",
     .action = STORE_VERIFY,
     .arguments = "[FILE]",
     .summary = "Check the store or a backup from end to end",
     .examples = "swarmctl store verify\nswarmctl store verify /backup/swarm-monday.db",
     .arguments_max = 1,
     .completes = SW_COMPLETE_FILE,
     FLAGS(store_flags)},
    {.name = "journal dump",
     .action = JOURNAL_DUMP,
     .arguments = "",
     .summary = "Print the journal, a record a line",
     .details =
         "Columns, with tabs between: place, commit epoch, instance, what happened. The journal\n"
         "is only read, also while the daemon runs.",
     .examples = "swarmctl journal dump\nswarmctl journal dump --agent reader --key a.txt",
     FLAGS(dump_flags)},
    {.name = "journal verify",
     .action = JOURNAL_VERIFY,
     .arguments = "",
     .summary = "Check all journals of the data folder from end to end",
     .examples = "swarmctl journal verify\nswarmctl journal verify --data /var/lib/swarm"},
    {.name = "journal replay",
     .action = JOURNAL_REPLAY,
     .arguments = "",
     .summary = "Run all that the journals hold again and compare; the daemon must be stopped",
     .details =
         "Each segment of each instance runs again in an agent host that may read the journal and\n"
         "nothing else; nothing that it asks for is carried out. It must come to the effects that\n"
         "are recorded, and the memory to the one in the snapshot. What differs is printed, and\n"
         "then the exit status is 1. Segments that another engine ran are left out and counted.",
     .examples = "swarmctl journal replay\nswarmctl journal replay --data /var/lib/swarm"},
    {.name = "snapshot verify",
     .action = SNAPSHOT_VERIFY,
     .arguments = "[FOLDER|FILE]",
     .summary = "Check snapshots of agents from end to end",
     .details =
         "A folder is that of a journal: what it names is checked. Without one, all folders below\n"
         "the data folder are. A file is checked for itself, whatever a journal says of it.",
     .examples = "swarmctl snapshot verify\nswarmctl snapshot verify /var/lib/swarm/agents",
     .arguments_max = 1,
     .completes = SW_COMPLETE_FILE},
    {.name = "secrets status",
     .action = SECRETS_STATUS,
     .arguments = "",
     .summary = "Show which keys seal Secrets, and how many values each",
     .examples = "swarmctl secrets status\nswarmctl secrets status --stopped",
     FLAGS(keys_flags)},
    {.name = "secrets rotate",
     .action = SECRETS_ROTATE,
     .arguments = "",
     .summary = "Seal all Secrets with a new key, and drop the keys before it",
     .details =
         "Values stay as they are; what is another is the key that seals the key of each. Nothing\n"
         "is unreadable meanwhile, whenever it is broken off. A backup of before needs the keys "
         "of\n"
         "before: export them first, or keep them with --keep-unused. Events tell who did it.",
     .examples = "swarmctl secrets rotate\nswarmctl secrets rotate --resume\n"
                 "swarmctl secrets rotate --stopped --data /var/lib/swarm",
     FLAGS(rotate_flags)},
    {.name = "secrets export",
     .action = SECRETS_EXPORT,
     .arguments = "FILE",
     .summary = "Write the keys that seal Secrets to a new file, for another machine",
     .details = "It is read from the data folder, whether the daemon runs or not.",
     .examples = "swarmctl secrets export ring.sealed --passphrase-file passphrase\n"
                 "swarmctl secrets export ring.plain --plain",
     .arguments_min = 1,
     .arguments_max = 1,
     .completes = SW_COMPLETE_FILE,
     FLAGS(export_flags)},
    {.name = "secrets import",
     .action = SECRETS_IMPORT,
     .arguments = "FILE",
     .summary = "Take exported keys into the data folder; the daemon must be stopped",
     .details =
         "They open what they sealed; what is written from then on is sealed with the folder's\n"
         "newest key, as before. Keys that are there already stay as they are.",
     .examples = "swarmctl secrets import ring.sealed --passphrase-file passphrase",
     .arguments_min = 1,
     .arguments_max = 1,
     .completes = SW_COMPLETE_FILE,
     FLAGS(import_flags)},
    {.name = "check",
     .action = CHECK,
     .arguments = "",
     .summary = "Check the whole data folder: store and journals",
     .examples = "swarmctl check --data /var/lib/swarm",
     FLAGS(store_flags)},
    {.name = "completion",
     .action = COMPLETION,
     .arguments = "bash|zsh|fish",
     .summary = "Print the script that completes command lines in your shell",
     .examples = "source <(swarmctl completion bash)",
     .arguments_min = 1,
     .arguments_max = 1},
    {.name = "__complete",
     .action = COMPLETE,
     .arguments = "-- WORD...",
     .summary = "Candidates for the last word",
     .examples = "",
     .arguments_max = SW_ARGUMENTS_MAX,
     .is_hidden = true},
    {.name = "help",
     .action = HELP,
     .arguments = "[COMMAND]",
     .summary = "Explain a command",
     .examples = "swarmctl help store backup",
     .arguments_max = 2,
     FLAGS(help_flags)},
    {.name = "version",
     .action = VERSION,
     .arguments = "",
     .summary = "Print the versions of this program and of the server",
     .examples = "swarmctl version",
     FLAGS(version_flags)},
};

const struct sw_program sw_swarmctl_program = {.name = "swarmctl",
                                               .summary = "Keep a swarm daemon and its data",
                                               .commands = commands,
                                               .commands_count = COUNT(commands),
                                               FLAGS(global_flags),
                                               .footer = SW_EXIT_FOOTER};

enum sw_rc sw_swarmctl_run(struct sw_cli *cli, int action, struct sw_err *err)
{
    assert(action >= 0 && action < ACTIONS_COUNT);
    return actions[action](cli, err);
}
