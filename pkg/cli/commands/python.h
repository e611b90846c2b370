/* The SDK for Python, as it stands in this program, for folders whose agent.program names it among
 * its packages: nothing has to be installed to begin with.
 *
 * Threads: one.  I/O: files; Python, a child program. */
#pragma once
#include "pkg/cli/commands/cli.h"

/* Where it goes, below the folder of the program; so it is named among "packages". */
#define SW_PYTHON_SDK ".swarm/python"

/* The interpreter: SWARM_PYTHON, else python3. */
const char *sw_python_name(struct sw_cli *cli);
/* Have the package `swarm` of this version in FOLDER/.swarm/python, compiled if there is a Python
 * here: what is compiled for another version than that of the Node is of no use there, and does no
 * harm. Files that are so already are left alone.  Errors: of files. */
SW_MUST_CHECK enum sw_rc sw_python_place(struct sw_cli *cli, const char *folder,
                                         struct sw_err *err);
