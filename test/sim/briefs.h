/* Judges the short lives: instances of brief/N end when they idle, and tell a hub what they had.
 *
 * Threads: one.  I/O: none. */
#pragma once
#include "test/sim/check.h"

/* Each visit belongs to one life; each life has one end, and none came too early. Those of whom
 * clients ask nothing by name have all ended when a run does. */
void sim_check_briefs(const struct sim_work *work, const struct sim_lives *lives,
                      struct sim_verdict *verdict);
