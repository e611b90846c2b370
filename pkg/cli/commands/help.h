/* What commands share about versions.  Threads: one.  I/O: as cli.h. */
#pragma once
#include "pkg/cli/commands/cli.h"

/* The version that the server says it has, "" if it does not; NULL and err when it cannot be asked.
 */
const char *sw_server_version(struct sw_cli *cli, struct sw_err *err);
