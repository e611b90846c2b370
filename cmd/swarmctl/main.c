/* swarmctl: the command line for whoever keeps a daemon. */
#include "pkg/cli/operator/operator.h"
#include "pkg/utils/system/system.h"

int main(int count, char **words)
{
    struct sw_cli cli = {.terminal = sw_terminal_real(),
                         .system = sw_system_real(),
                         .program = &sw_swarmctl_program};

    if (count < 1)
        return SW_EXIT_USAGE;
    return sw_cli_run(&cli, (const char *const *)words + 1, (size_t)count - 1, sw_swarmctl_run);
}
