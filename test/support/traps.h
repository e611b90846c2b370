/* cmocka puts its own signal handlers around every fixture and test, and so takes those away that a
 * WebAssembly engine made in a fixture needs for its traps. Keep them when the engine is there, and
 * use them at the beginning of each test that runs guests. */
#pragma once
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

static const int trap_signals[] = {SIGSEGV, SIGILL, SIGFPE, SIGBUS};
static struct sigaction trap_actions[sizeof trap_signals / sizeof trap_signals[0]];

/* Once: the first engine of a process installs them for good. */
static inline void traps_keep(void)
{
    static bool are_kept;

    if (are_kept)
        return;
    are_kept = true;
    for (size_t i = 0; i < sizeof trap_signals / sizeof trap_signals[0]; i++)
        (void)sigaction(trap_signals[i], NULL, &trap_actions[i]);
}

static inline void traps_use(void)
{
    for (size_t i = 0; i < sizeof trap_signals / sizeof trap_signals[0]; i++)
        (void)sigaction(trap_signals[i], &trap_actions[i], NULL);
}
