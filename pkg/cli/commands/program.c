#include "pkg/cli/commands/commands.h"

#include <assert.h>

enum action {
    APPLY,
    DIFF,
    GET,
    WATCH,
    DESCRIBE,
    DELETE,
    WAIT,
    EXPLAIN,
    EVENTS,
    LOGS,
    TOP,
    SEND,
    PUBLISH,
    AGENT_INIT,
    AGENT_BUILD,
    AGENT_TEST,
    AGENT_PUSH,
    AGENT_DEADLETTERS,
    AGENT_HISTORY,
    AGENT_INSPECT,
    AGENT_REPLAY,
    AGENT_TRANSCRIPT,
    AGENT_FORK,
    AGENT_RELEASE,
    AGENT_DROP,
    APPROVALS_LIST,
    APPROVALS_SHOW,
    APPROVALS_APPROVE,
    APPROVALS_DENY,
    APPROVALS_EDIT,
    BUDGET_GET,
    BUDGET_SET,
    BUDGET_TOP,
    CONFIG_CONTEXTS,
    CONFIG_USE,
    COMPLETION,
    COMPLETE,
    DOCTOR,
    HELP,
    VERSION,
    ACTIONS_COUNT
};

static enum sw_rc (*const actions[ACTIONS_COUNT])(struct sw_cli *cli, struct sw_err *err) = {
    [APPLY] = sw_command_apply,
    [DIFF] = sw_command_diff,
    [GET] = sw_command_get,
    [WATCH] = sw_command_watch,
    [DESCRIBE] = sw_command_describe,
    [DELETE] = sw_command_delete,
    [WAIT] = sw_command_wait,
    [EXPLAIN] = sw_command_explain,
    [EVENTS] = sw_command_events,
    [LOGS] = sw_command_logs,
    [TOP] = sw_command_top,
    [SEND] = sw_command_send,
    [PUBLISH] = sw_command_publish,
    [AGENT_INIT] = sw_command_agent_init,
    [AGENT_BUILD] = sw_command_agent_build,
    [AGENT_TEST] = sw_command_agent_test,
    [AGENT_PUSH] = sw_command_agent_push,
    [AGENT_DEADLETTERS] = sw_command_agent_deadletters,
    [AGENT_HISTORY] = sw_command_agent_history,
    [AGENT_INSPECT] = sw_command_agent_inspect,
    [AGENT_REPLAY] = sw_command_agent_replay,
    [AGENT_TRANSCRIPT] = sw_command_agent_transcript,
    [AGENT_FORK] = sw_command_agent_fork,
    [AGENT_RELEASE] = sw_command_agent_release,
    [AGENT_DROP] = sw_command_agent_drop,
    [APPROVALS_LIST] = sw_command_approvals_list,
    [APPROVALS_SHOW] = sw_command_approvals_show,
    [APPROVALS_APPROVE] = sw_command_approvals_approve,
    [APPROVALS_DENY] = sw_command_approvals_deny,
    [APPROVALS_EDIT] = sw_command_approvals_edit,
    [BUDGET_GET] = sw_command_budget_get,
    [BUDGET_SET] = sw_command_budget_set,
    [BUDGET_TOP] = sw_command_budget_top,
    [CONFIG_CONTEXTS] = sw_command_config_contexts,
    [CONFIG_USE] = sw_command_config_use,
    [COMPLETION] = sw_command_completion,
    [COMPLETE] = sw_command_complete,
    [DOCTOR] = sw_command_doctor,
    [HELP] = sw_command_help,
    [VERSION] = sw_command_version,
};

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define FLAGS(array) .flags = array, .flags_count = COUNT(array)

#define OUTPUT_FLAG                                                                                \
    {.name = "output",                                                                             \
     .letter = 'o',                                                                                \
     .value = "FORMAT",                                                                            \
     .help = "How to print: table, wide, json, yaml, name or jsonpath=TEMPLATE"}
#define SELECTOR_FLAG                                                                              \
    {.name = "selector",                                                                           \
     .letter = 'l',                                                                                \
     .value = "LABELS",                                                                            \
     .help = "Only objects with these labels: a=b,c!=d,e,!f"}
#define ALL_NAMESPACES_FLAG {.name = "all-namespaces", .letter = 'A', .help = "Of all namespaces"}
#define FILES_FLAG                                                                                 \
    {.name = "filename",                                                                           \
     .letter = 'f',                                                                                \
     .value = "FILE",                                                                              \
     .repeats = true,                                                                              \
     .completes = SW_COMPLETE_FILE,                                                                \
     .help = "A manifest, a folder of manifests, or - for stdin"}
#define DRY_RUN_FLAG                                                                               \
    {.name = "dry-run", .help = "Let the server check everything, but change nothing"}

static const char *const priorities[] = {"low", "normal", "high", "urgent", NULL};

static const struct sw_flag global_flags[] = {
    {.name = "namespace",
     .letter = 'n',
     .value = "NAME",
     .help = "Namespace to work in (SWARM_NAMESPACE; else that of the context)",
     .completes = SW_COMPLETE_NAMESPACE},
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

static const struct sw_flag apply_flags[] = {FILES_FLAG, DRY_RUN_FLAG, OUTPUT_FLAG};
static const struct sw_flag diff_flags[] = {
    FILES_FLAG, {.name = "exit-code", .help = "Exit with 1 when there are differences"}};
static const struct sw_flag get_flags[] = {
    OUTPUT_FLAG,
    SELECTOR_FLAG,
    ALL_NAMESPACES_FLAG,
    {.name = "watch", .letter = 'w', .help = "Go on with changes as they happen"},
    {.name = "no-headers", .help = "No first line with the names of the columns"},
    {.name = "key-prefix", .value = "TEXT", .help = "Instances: whose keys begin so"},
    {.name = "state",
     .value = "STATES",
     .help = "Instances: idle, running, waiting, asleep, parked, failing, or awake for all but\n"
             "asleep; several with commas"},
    {.name = "limit", .value = "N", .help = "Instances: no more than so many"},
    {.name = "continue", .value = "TOKEN", .help = "Instances: those behind an earlier --limit"},
    {.name = "sort-by",
     .value = "WHAT",
     .help = "Instances: name, state, turns, waiting, memory, disk, cpu or messages, of those\n"
             "that are listed: at most 100,000"},
    {.name = "count", .help = "Instances: how many in each state, instead of them"}};
static const struct sw_flag watch_flags[] = {OUTPUT_FLAG, SELECTOR_FLAG, ALL_NAMESPACES_FLAG};
static const struct sw_flag describe_flags[] = {SELECTOR_FLAG};
static const struct sw_flag delete_flags[] = {
    FILES_FLAG,
    SELECTOR_FLAG,
    {.name = "all", .help = "All objects of the kind"},
    {.name = "wait", .help = "Wait until they are gone (the default; --wait=false does not)"},
    {.name = "ignore-not-found", .help = "What is not there is no error"},
    DRY_RUN_FLAG};
static const struct sw_flag wait_flags[] = {
    {.name = "for",
     .value = "WHAT",
     .help = "condition=NAME[=STATUS], delete, jsonpath=TEMPLATE=VALUE or server"},
    SELECTOR_FLAG,
    {.name = "all", .help = "All objects of the kind"}};
static const struct sw_flag events_flags[] = {
    {.name = "for", .value = "KIND/NAME", .help = "Only what happened to this object"},
    {.name = "warnings", .help = "Only what somebody should look at"},
    {.name = "watch", .letter = 'w', .help = "Go on with Events as they happen"},
    ALL_NAMESPACES_FLAG,
    OUTPUT_FLAG};
static const struct sw_flag logs_flags[] = {
    {.name = "follow", .letter = 'f', .help = "Go on with lines as they are written"},
    {.name = "tail", .value = "LINES", .help = "Begin with at most this many lines (100)"}};
static const struct sw_flag top_flags[] = {
    {.name = "interval", .value = "TIME", .help = "Between two looks (2s)"},
    {.name = "watch", .letter = 'w', .help = "Go on"}};
static const struct sw_flag send_flags[] = {
    {.name = "filename",
     .letter = 'f',
     .value = "FILE",
     .help = "Send this file, or - for stdin",
     .completes = SW_COMPLETE_FILE},
    {.name = "each",
     .value = "FOLDER",
     .help = "Send every text file below the folder, each to an instance of its own",
     .completes = SW_COMPLETE_FOLDER},
    {.name = "type", .value = "TYPE", .help = "Content type (else text/plain for text)"},
    {.name = "priority", .value = "PRIORITY", .help = "Priority", .choices = priorities},
    {.name = "request-id",
     .value = "ID",
     .help = "Name of this request; a repeat within an hour gets the first result"},
    {.name = "no-reply", .help = "Do not wait for a reply, only for its being handled"},
    {.name = "parallel",
     .value = "COUNT",
     .help = "With --each: messages under way at once (128)"}};
static const struct sw_flag publish_flags[] = {
    {.name = "filename",
     .letter = 'f',
     .value = "FILE",
     .help = "Publish this file, or - for stdin",
     .completes = SW_COMPLETE_FILE},
    {.name = "type", .value = "TYPE", .help = "Content type (else text/plain for text)"},
    {.name = "request-id",
     .value = "ID",
     .help = "Name of this request; a repeat within an hour is not published again"}};
static const char *const languages[] = {"c", "js", "ts", "python", NULL};

static const struct sw_flag init_flags[] = {
    {.name = "lang", .value = "LANGUAGE", .help = "Its language (c)", .choices = languages},
    {.name = "name", .value = "NAME", .help = "Name of the Agent (else that of the folder)"}};
static const struct sw_flag build_flags[] = {
    {.name = "lang",
     .value = "LANGUAGE",
     .help = "Look in folders for programs of this language only",
     .choices = languages},
    {.name = "out",
     .value = "FILE",
     .help = "Make this one file: all sources of C linked, or the bundle of one program",
     .completes = SW_COMPLETE_FILE},
    {.name = "libc", .help = "Use the C library of wasi-libc (there are no files)"}};
static const struct sw_flag deadletters_flags[] = {
    {.name = "key", .value = "KEY", .help = "Only those of this instance"},
    {.name = "show", .value = "ID", .help = "Print all about one, with its body"},
    {.name = "redeliver",
     .value = "ID|all",
     .help = "Send it to its instance again, as a new message"},
    {.name = "drop", .value = "ID|all", .help = "Forget it"},
    OUTPUT_FLAG};
#define HISTORY_OUTPUT_FLAG                                                                        \
    {.name = "output",                                                                             \
     .letter = 'o',                                                                                \
     .value = "FORMAT",                                                                            \
     .help = "How to print: table, wide (lists), or json with all that is known"}
static const struct sw_flag history_flags[] = {
    {.name = "all", .help = "All turns that are kept, the oldest first"}, HISTORY_OUTPUT_FLAG};
static const struct sw_flag inspect_flags[] = {HISTORY_OUTPUT_FLAG};
static const struct sw_flag replay_flags[] = {
    {.name = "module",
     .value = "DIGEST",
     .help = "Run this module instead of the one that ran; it was pushed before"}};
static const struct sw_flag fork_flags[] = {
    {.name = "input",
     .value = "FILE",
     .help = "The message is this instead; -: standard input",
     .completes = SW_COMPLETE_FILE},
    {.name = "type", .value = "TYPE", .help = "Its content type"},
    {.name = "module",
     .value = "DIGEST",
     .help = "This module handles it: on_upgrade takes the state over"},
    {.name = "as",
     .value = "KEY",
     .help = "Make it an instance of this key, which goes on; what it lets out is held"},
    HISTORY_OUTPUT_FLAG};
#define REASON_FLAG {.name = "reason", .value = "WORDS", .help = "Why; it is kept with the answer"}
static const struct sw_flag approvals_flags[] = {
    {.name = "all", .help = "Also those that were answered"}};
static const struct sw_flag answer_flags[] = {REASON_FLAG};
static const struct sw_flag approve_flags[] = {
    REASON_FLAG,
    {.name = "proposal",
     .value = "N",
     .help = "Which proposal you have read, if somebody changed what was asked"}};
static const struct sw_flag edit_flags[] = {
    {.name = "text", .value = "TEXT", .help = "What is proposed instead"}, REASON_FLAG};
static const struct sw_flag budget_flags[] = {
    {.name = "money", .value = "DOLLARS", .help = "What all its calls may cost, such as 1.00"},
    {.name = "tokens", .value = "N", .help = "Tokens, of requests and answers"},
    {.name = "calls", .value = "N", .help = "Calls of models"},
    {.name = "wall-time", .value = "TIME", .help = "How long all its calls may take, summed"},
    {.name = "depth", .value = "N", .help = "How deep agents may ask agents"},
    {.name = "period", .value = "WHAT", .help = "Begin anew each hour, day or month; none: never"},
    {.name = "each",
     .value = "WHAT",
     .help = "The limits are for each instance, or for each turn, instead of all together"},
    DRY_RUN_FLAG};
static const struct sw_flag help_flags[] = {{.name = "markdown",
                                             .value = "FOLDER",
                                             .help = "Write the pages of docs/cli into the folder",
                                             .completes = SW_COMPLETE_FOLDER}};
static const struct sw_flag version_flags[] = {{.name = "client", .help = "Do not ask the server"}};

static const struct sw_command commands[] = {
    {.name = "apply",
     .action = APPLY,
     .arguments = "-f FILE...",
     .summary = "Make objects as manifests say, or change them to it",
     .details =
         "All manifests are read and checked first. Every mistake is told as "
         "file:line:column, and\n"
         "nothing is changed unless all are valid. `module: ./x.wasm` or "
         "`./x.bundle` is pushed\n"
         "and replaced by its digest. Namespaces and templates come first, whatever the order "
         "of files.",
     .examples = "swarm apply -f agent.yaml\nswarm apply -f examples/librarian\n"
                 "swarm apply -f - --dry-run < agent.yaml",
     FLAGS(apply_flags)},
    {.name = "diff",
     .action = DIFF,
     .arguments = "-f FILE...",
     .summary = "Show what apply would change",
     .examples = "swarm diff -f agent.yaml\nswarm diff -f . --exit-code",
     FLAGS(diff_flags)},
    {.name = "get",
     .action = GET,
     .arguments = "KIND [NAME...] | KIND/NAME... | instances AGENT[/PREFIX]",
     .summary = "List objects",
     .details = "Kinds may be written as name, plural or short name; `swarm explain` lists them.\n"
                "Instances are printed as they come, page by page: in the order of their names if\n"
                "they are one page, or else in one that stays whoever comes and goes.",
     .examples = "swarm get agents\nswarm get agent reader -o yaml\nswarm get pods -A -o wide\n"
                 "swarm get agents -l team=search -w\nswarm get instances reader\n"
                 "swarm get instances reader/user- --state=asleep --limit=20\n"
                 "swarm get instances reader --count\n"
                 "swarm get agent/reader -o jsonpath={.status.phase}",
     .arguments_min = 1,
     .arguments_max = SW_ARGUMENTS_MAX,
     .completes = SW_COMPLETE_KIND,
     FLAGS(get_flags)},
    {.name = "describe",
     .action = DESCRIBE,
     .arguments = "KIND [NAME...] | KIND/NAME...",
     .summary = "Show an object, its conditions and what happened to it",
     .examples = "swarm describe agent reader\nswarm describe node/node-1",
     .arguments_min = 1,
     .arguments_max = SW_ARGUMENTS_MAX,
     .completes = SW_COMPLETE_KIND,
     FLAGS(describe_flags)},
    {.name = "delete",
     .action = DELETE,
     .arguments = "KIND NAME... | KIND/NAME... | -f FILE...",
     .summary = "Delete objects and wait until they are gone",
     .examples = "swarm delete agent reader\nswarm delete -f examples/librarian\n"
                 "swarm delete agents -l team=search --wait=false",
     .arguments_max = SW_ARGUMENTS_MAX,
     .completes = SW_COMPLETE_KIND,
     FLAGS(delete_flags)},
    {.name = "wait",
     .action = WAIT,
     .arguments = "[KIND NAME... | KIND/NAME...]",
     .summary = "Wait until something is so",
     .details = "Waits for at most --timeout (1m). A condition counts only if it speaks of the\n"
                "present spec. --for=server waits for the daemon itself and takes no object.",
     .examples = "swarm wait agent/reader --for=condition=Ready\n"
                 "swarm wait agents --all --for=condition=Ready --timeout=2m\n"
                 "swarm wait agent reader --for=delete\n"
                 "swarm wait pod/reader-0 --for=jsonpath={.status.phase}=Ready\n"
                 "swarm wait --for=server",
     .arguments_max = SW_ARGUMENTS_MAX,
     .completes = SW_COMPLETE_KIND,
     FLAGS(wait_flags)},
    {.name = "watch",
     .action = WATCH,
     .arguments = "KIND [NAME]",
     .summary = "Print each change of objects as it happens",
     .examples = "swarm watch pods\nswarm watch agent reader -o yaml",
     .arguments_min = 1,
     .arguments_max = 2,
     .completes = SW_COMPLETE_KIND,
     FLAGS(watch_flags)},
    {.name = "explain",
     .action = EXPLAIN,
     .arguments = "[KIND[.FIELD...]]",
     .summary = "Tell what kinds and fields mean",
     .examples = "swarm explain\nswarm explain agent.spec\nswarm explain agent.spec.limits",
     .arguments_max = 1,
     .completes = SW_COMPLETE_KIND},
    {.name = "send",
     .action = SEND,
     .arguments = "AGENT[/KEY] [TEXT]",
     .summary = "Send a message to an instance and print its reply",
     .details =
         "A keyed instance is made by its first message. With --each every file below a folder is\n"
         "one message to AGENT/PATH: gzip is opened, what is no text is skipped, ISO 8859-1 "
         "becomes\n"
         "UTF-8, and texts over 128 KiB are split at lines into PATH#1, PATH#2 and so on. "
         "Symbolic\n"
         "links and hidden files are left out; names over 255 bytes are shortened with a hash. It\n"
         "waits until every message is handled, and tries again while the server is busy.",
     .examples = "swarm send greeter \"hello\"\nswarm send support/customer:alice -f question.txt\n"
                 "swarm send reader --each /usr/share/doc",
     .arguments_min = 1,
     .arguments_max = 2,
     .completes = SW_COMPLETE_AGENT,
     FLAGS(send_flags)},
    {.name = "publish",
     .action = PUBLISH,
     .arguments = "SUBJECT [TEXT]",
     .summary = "Send a message to every subscriber of a subject",
     .examples = "swarm publish orders.new \"order 1001\"\nswarm publish news -f - < news.txt",
     .arguments_min = 1,
     .arguments_max = 2,
     FLAGS(publish_flags)},
    {.name = "events",
     .action = EVENTS,
     .arguments = "",
     .summary = "Show what happened to objects",
     .examples =
         "swarm events\nswarm events --for agent/reader --watch\nswarm events -A --warnings",
     FLAGS(events_flags)},
    {.name = "logs",
     .action = LOGS,
     .arguments = "AGENT[/KEY]",
     .summary = "Print what an Agent's instances log",
     .examples = "swarm logs reader\nswarm logs reader/a.txt -f --tail=10",
     .arguments_min = 1,
     .arguments_max = 1,
     .completes = SW_COMPLETE_AGENT,
     FLAGS(logs_flags)},
    {.name = "top",
     .action = TOP,
     .arguments = "",
     .summary = "Show how busy Agents are",
     .examples = "swarm top\nswarm top --watch --interval=5s",
     FLAGS(top_flags)},
    {.name = "agent init",
     .action = AGENT_INIT,
     .arguments = "FOLDER",
     .summary = "Begin an agent of your own",
     .details = "--lang=ts also writes package.json, for esbuild, and the types of \"swarm\". "
                "--lang=python is a\nprocess that stays, with a test; `agent build` brings the SDK "
                "for it along.",
     .examples = "swarm agent init greeter\nswarm agent init greeter --lang=js\n"
                 "swarm agent init greeter --lang=python",
     .arguments_min = 1,
     .arguments_max = 1,
     .completes = SW_COMPLETE_FOLDER,
     FLAGS(init_flags)},
    {.name = "agent build",
     .action = AGENT_BUILD,
     .arguments = "[FOLDER | FILE...]",
     .summary = "Build agents: C to WebAssembly, JavaScript, TypeScript and programs to bundles",
     .details =
         "In a folder each .c file is a program, and agent.js or agent.ts. A file of JavaScript "
         "that\nimports from \"swarm\" alone is bundled as it is; TypeScript, and what imports "
         "other files\nor packages, goes through esbuild, which is looked for in node_modules "
         "beside the\nprogram, in PATH, and as SWARM_ESBUILD. x.js and x.ts become x.bundle.\n"
         "\nA folder with agent.program is a program of any language, which runs as a process: it\n"
         "becomes agent.bundle, and its files and packages become images in .swarm beside it,\n"
         "which are pushed with it. \".swarm/python\" among its packages is the SDK for Python of "
         "this\nversion, which is written there, and compiled if there is a Python "
         "(SWARM_PYTHON).\n"
         "\nEach .c file becomes a module of its own beside it, x.c to x.wasm; with --out all of\n"
         "them become one. SWARM_GUEST_CC and SWARM_GUEST_LD name other compilers.\n"
         "\n"
         "A handler that waits (swarm_ask, swarm_receive, swarm_sleep) needs wasm-opt of binaryen, "
         "which\n"
         "SWARM_WASM_OPT may name; it is run by itself when it is needed.",
     .examples = "swarm agent build\nswarm agent build greeter\n"
                 "swarm agent build main.c text.c --out greeter.wasm\nswarm agent build agent.ts",
     .arguments_max = 256,
     .completes = SW_COMPLETE_FILE,
     FLAGS(build_flags)},
    {.name = "agent test",
     .action = AGENT_TEST,
     .arguments = "[FOLDER]",
     .summary = "Run the tests of agents in JavaScript, TypeScript and Python",
     .details =
         "Tests are the files of the folder that end in .test.js or .test.mjs. They import "
         "\"swarm-agents\",\n"
         "which runs a bundle in the runtime that agents really run in, and which is written "
         "into\n"
         "node_modules of the folder. SWARM_NODE names another Node.js.\n"
         "\n"
         "Of a folder with an agent.program they are the files test_*.py and *_test.py, which are "
         "run by\n"
         "unittest and import \"swarm.harness\", of \".swarm/python\" if that is among its "
         "packages, "
         "else of\nthe Python's own package swarm-agents. SWARM_PYTHON names another Python.",
     .examples = "swarm agent test\nswarm agent test greeter",
     .arguments_max = 1,
     .completes = SW_COMPLETE_FOLDER},
    {.name = "agent push",
     .action = AGENT_PUSH,
     .arguments = "FILE",
     .summary = "Push a module or a bundle and print its digest",
     .details = "`swarm apply` does this by itself for `module: ./x.wasm` and `./x.bundle`. The "
                "module that\n"
                "runs a bundle has to be there before it.",
     .examples = "swarm agent push greeter.wasm",
     .arguments_min = 1,
     .arguments_max = 1,
     .completes = SW_COMPLETE_FILE},
    {.name = "agent deadletters",
     .action = AGENT_DEADLETTERS,
     .arguments = "AGENT",
     .summary = "List the messages that an Agent could not handle, deliver them again, or drop "
                "them",
     .details = "What no handler came to the end with, after `spec.retry.attempts` tries, and what "
                "nobody could\n"
                "take, is kept with its reason: at most 1,000 messages or 1 MiB in each Pod, of "
                "which the\n"
                "oldest make room. Messages of clients are never among them: their senders were "
                "told.\n"
                "The table has the beginning of each reason in words; -o json has the whole.",
     .examples = "swarm agent deadletters reader\nswarm agent deadletters reader --show 8112\n"
                 "swarm agent deadletters reader --key a.txt --redeliver all\n"
                 "swarm agent deadletters reader --drop 8112",
     .arguments_min = 1,
     .arguments_max = 1,
     .completes = SW_COMPLETE_AGENT,
     FLAGS(deadletters_flags)},
    {.name = "agent history",
     .action = AGENT_HISTORY,
     .arguments = "AGENT/KEY [@FROM..@TO]",
     .summary = "List what an instance did: each turn with its cause and its effects",
     .details = "The newest hundred turns, unless a range is named. A turn that waits in between "
                "is several\n"
                "lines, each with a number of its own. What is kept is what the journal holds "
                "since the last\n"
                "snapshot, and before it as `spec.history` of the Agent says. -o json has the "
                "bodies of\n"
                "messages; what does not go into one document goes on in the next.",
     .examples = "swarm agent history basket/alice\nswarm agent history basket/alice @3..@9 -o "
                 "wide\n"
                 "swarm agent history basket/alice --all -o json",
     .arguments_min = 1,
     .arguments_max = 2,
     .completes = SW_COMPLETE_AGENT,
     FLAGS(history_flags)},
    {.name = "agent inspect",
     .action = AGENT_INSPECT,
     .arguments = "AGENT/KEY [@TURN]",
     .summary = "Show a turn of an instance in full, and what the instance was after it",
     .details = "Without a turn: the last one. The state is made again from the journal, beside "
                "the instance,\n"
                "which goes on undisturbed.",
     .examples = "swarm agent inspect basket/alice\nswarm agent inspect basket/alice @7",
     .arguments_min = 1,
     .arguments_max = 2,
     .completes = SW_COMPLETE_AGENT,
     FLAGS(inspect_flags)},
    {.name = "agent transcript",
     .action = AGENT_TRANSCRIPT,
     .arguments = "AGENT/KEY [@FROM..@TO]",
     .summary = "Show what an instance said to models, and what those answered",
     .details = "Each call with its model, tokens and cost, and the messages that it adds to the "
                "conversation\n"
                "before; what an earlier call sent already is not shown again. Of the newest "
                "hundred turns, unless\n"
                "a range is named. The turns are run again for it, in a sandbox, beside the "
                "instance. -o wide has\n"
                "whole texts, -o json ids and parents of all messages, too.",
     .examples = "swarm agent transcript thinker/alice\nswarm agent transcript thinker/alice "
                 "@3..@9 -o json\nswarm agent transcript thinker/alice --all",
     .arguments_min = 1,
     .arguments_max = 2,
     .completes = SW_COMPLETE_AGENT,
     FLAGS(history_flags)},
    {.name = "agent replay",
     .action = AGENT_REPLAY,
     .arguments = "AGENT/KEY [@FROM..@TO]",
     .summary = "Run turns of an instance again and compare what they ask for with the record",
     .details = "The guest code runs in a sandbox of its own, with the recorded inputs, times, "
                "random numbers and\n"
                "results; nothing leaves. A turn that comes to something else is told, and the "
                "exit status is 1.\n"
                "With --verbose each turn is told.",
     .examples = "swarm agent replay basket/alice\nswarm agent replay basket/alice @3..\n"
                 "swarm agent replay basket/alice --module sha256:...",
     .arguments_min = 1,
     .arguments_max = 2,
     .completes = SW_COMPLETE_AGENT,
     FLAGS(replay_flags)},
    {.name = "agent fork",
     .action = AGENT_FORK,
     .arguments = "AGENT/KEY @TURN",
     .summary = "Handle a turn of an instance again with another input or module, and show what "
                "it asks for",
     .details = "The instance is made again as it was before that turn. What the fork asks for "
                "goes nowhere, and\n"
                "the instance itself never hears of it. With --as the fork becomes an instance of "
                "that key: it goes on\n"
                "by itself, answers who asks it, and all else that it lets out is held until it is "
                "released. One more\n"
                "than the last turn is the state of now.",
     .examples = "swarm agent fork basket/alice @7 --input better.json\n"
                 "swarm agent fork basket/alice @7 --module sha256:...\n"
                 "swarm agent fork basket/alice @7 --as alice-2",
     .arguments_min = 2,
     .arguments_max = 2,
     .completes = SW_COMPLETE_AGENT,
     FLAGS(fork_flags)},
    {.name = "agent release",
     .action = AGENT_RELEASE,
     .arguments = "AGENT/KEY",
     .summary = "Let what a fork holds go, once each and in order; it is an instance as any other "
                "from then on",
     .examples = "swarm agent release basket/alice-2",
     .arguments_min = 1,
     .arguments_max = 1,
     .completes = SW_COMPLETE_AGENT},
    {.name = "agent drop",
     .action = AGENT_DROP,
     .arguments = "AGENT/KEY",
     .summary = "End a fork that is held, with all that it holds",
     .examples = "swarm agent drop basket/alice-2",
     .arguments_min = 1,
     .arguments_max = 1,
     .completes = SW_COMPLETE_AGENT},
    {.name = "approvals list",
     .action = APPROVALS_LIST,
     .arguments = "",
     .summary = "Show what agents wait for people to answer",
     .examples = "swarm approvals list",
     FLAGS(approvals_flags)},
    {.name = "approvals show",
     .action = APPROVALS_SHOW,
     .arguments = "NAME",
     .summary = "Show one question whole, and what was answered",
     .details = "The beginning of a name is enough where no other one begins so.",
     .examples = "swarm approvals show 018f2c",
     .arguments_min = 1,
     .arguments_max = 1},
    {.name = "approvals approve",
     .action = APPROVALS_APPROVE,
     .arguments = "NAME...",
     .summary = "Say yes",
     .details =
         "The answer is yours by the name in your certificate. It counts once; where several\n"
         "people have to approve the agent waits for the others. What somebody changed is\n"
         "approved by its number only, which `swarm approvals show` tells.",
     .examples = "swarm approvals approve 018f2c --reason='the parcel came back'",
     .arguments_min = 1,
     .arguments_max = SW_ARGUMENTS_MAX,
     FLAGS(approve_flags)},
    {.name = "approvals deny",
     .action = APPROVALS_DENY,
     .arguments = "NAME...",
     .summary = "Say no",
     .details = "One who denies is enough.",
     .examples = "swarm approvals deny 018f2c --reason='too much'",
     .arguments_min = 1,
     .arguments_max = SW_ARGUMENTS_MAX,
     FLAGS(answer_flags)},
    {.name = "approvals edit",
     .action = APPROVALS_EDIT,
     .arguments = "NAME",
     .summary = "Propose something else, which has to be approved then",
     .details = "Only where the agent allows it. Whoever approved before has to do so again.",
     .examples = "swarm approvals edit 018f2c --text=60.00 --reason='half of it'",
     .arguments_min = 1,
     .arguments_max = 1,
     FLAGS(edit_flags)},
    {.name = "budget get",
     .action = BUDGET_GET,
     .arguments = "[AGENT...]",
     .summary = "Show what agents may spend on models, and what they did",
     .details = "Money, tokens, calls and time, each as spent/limit; `-` is no limit. What calls\n"
                "under way may still cost is not among what is spent: see `swarm describe budget`.",
     .examples = "swarm budget get\nswarm budget get refunds",
     .arguments_max = SW_ARGUMENTS_MAX},
    {.name = "budget set",
     .action = BUDGET_SET,
     .arguments = "[AGENT]",
     .summary = "Say what an Agent may spend, or without one all of the namespace",
     .details = "Limits that are not named stay as they are; `none` takes one away. The change is\n"
                "recorded with who made it, and calls that wait for room go on.",
     .examples = "swarm budget set refunds --money=1.00 --period=day\n"
                 "swarm budget set refunds --each=turn --money=0.05 --calls=20\n"
                 "swarm budget set --tokens=1000000",
     .arguments_max = 1,
     FLAGS(budget_flags)},
    {.name = "budget top",
     .action = BUDGET_TOP,
     .arguments = "",
     .summary = "Show budgets, the one first of which most is used",
     .examples = "swarm budget top"},
    {.name = "config contexts",
     .action = CONFIG_CONTEXTS,
     .arguments = "",
     .summary = "List the servers and identities that you can use",
     .examples = "swarm config contexts"},
    {.name = "config use",
     .action = CONFIG_USE,
     .arguments = "CONTEXT",
     .summary = "Choose the context for commands to come",
     .examples = "swarm config use dev",
     .arguments_min = 1,
     .arguments_max = 1,
     .completes = SW_COMPLETE_CONTEXT},
    {.name = "completion",
     .action = COMPLETION,
     .arguments = "bash|zsh|fish",
     .summary = "Print the script that completes command lines in your shell",
     .examples = "source <(swarm completion bash)\n"
                 "swarm completion fish > ~/.config/fish/completions/swarm.fish",
     .arguments_min = 1,
     .arguments_max = 1},
    {.name = "__complete",
     .action = COMPLETE,
     .arguments = "-- WORD...",
     .summary = "Candidates for the last word",
     .examples = "",
     .arguments_max = SW_ARGUMENTS_MAX,
     .is_hidden = true},
    {.name = "doctor",
     .action = DOCTOR,
     .arguments = "",
     .summary = "Look for what is in the way on this machine",
     .examples = "swarm doctor"},
    {.name = "help",
     .action = HELP,
     .arguments = "[COMMAND]",
     .summary = "Explain a command",
     .examples = "swarm help\nswarm help agent build",
     .arguments_max = 2,
     FLAGS(help_flags)},
    {.name = "version",
     .action = VERSION,
     .arguments = "",
     .summary = "Print the versions of this program and of the server",
     .examples = "swarm version",
     FLAGS(version_flags)},
};

const struct sw_program sw_swarm_program = {.name = "swarm",
                                            .summary = "Run swarms of agents",
                                            .commands = commands,
                                            .commands_count = COUNT(commands),
                                            FLAGS(global_flags),
                                            .footer = SW_EXIT_FOOTER};

enum sw_rc sw_swarm_run(struct sw_cli *cli, int action, struct sw_err *err)
{
    assert(action >= 0 && action < ACTIONS_COUNT);
    return actions[action](cli, err);
}
