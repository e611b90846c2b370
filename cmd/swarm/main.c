/* swarm: the command line for people who run agents. */
#include "pkg/cli/commands/commands.h"
#include "pkg/utils/system/system.h"

int main(int count, char **words)
{
    struct sw_cli cli = {
        .terminal = sw_terminal_real(), .system = sw_system_real(), .program = &sw_swarm_program};

    if (count < 1)
        return SW_EXIT_USAGE;
    return sw_cli_run(&cli, (const char *const *)words + 1, (size_t)count - 1, sw_swarm_run);
}
