/* The commands of `swarm`. Each takes what it needs from the run and answers with a code.
 *
 * Threads: one.  I/O: as cli.h. */
#pragma once
#include "pkg/cli/commands/cli.h"

/* The table from which command lines, help, docs and completion come. */
extern const struct sw_program sw_swarm_program;
/* Run the command with this number of the table; for sw_cli_run. */
enum sw_rc sw_swarm_run(struct sw_cli *cli, int action, struct sw_err *err);

/* Objects: apply.c, diff.c, get.c, watch.c, describe.c, delete.c, wait.c. */
enum sw_rc sw_command_apply(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_diff(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_get(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_watch(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_describe(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_delete(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_wait(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_explain(struct sw_cli *cli, struct sw_err *err);
/* What happens: events.c, logs.c, top.c. */
enum sw_rc sw_command_events(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_logs(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_top(struct sw_cli *cli, struct sw_err *err);
/* Messages: send.c, each.c, publish.c. */
enum sw_rc sw_command_send(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_send_each(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_publish(struct sw_cli *cli, struct sw_err *err);
/* Agents of one's own: agent.c, deadletters.c, history.c. */
enum sw_rc sw_command_agent_init(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_agent_build(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_agent_test(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_agent_push(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_agent_deadletters(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_agent_history(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_agent_inspect(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_agent_replay(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_agent_transcript(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_agent_fork(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_agent_release(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_agent_drop(struct sw_cli *cli, struct sw_err *err);
/* What agents ask people: approvals.c. */
enum sw_rc sw_command_approvals_list(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_approvals_show(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_approvals_approve(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_approvals_deny(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_approvals_edit(struct sw_cli *cli, struct sw_err *err);
/* What may be spent: budget.c. */
enum sw_rc sw_command_budget_get(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_budget_set(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_budget_top(struct sw_cli *cli, struct sw_err *err);
/* The program itself: config.c, doctor.c, help.c. */
enum sw_rc sw_command_config_contexts(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_config_use(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_completion(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_complete(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_doctor(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_help(struct sw_cli *cli, struct sw_err *err);
enum sw_rc sw_command_version(struct sw_cli *cli, struct sw_err *err);

/* The instances of an Agent, for `get instances` and `top`. */
/* Of `get`, whose -o was read. */
enum sw_rc sw_command_instances(struct sw_cli *cli, enum sw_output_format format,
                                struct sw_err *err);
