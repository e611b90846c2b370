/* For modules that run what others bring along: an interpreter and its programs.
 *
 * A bundle names a module, its runtime, and has a payload for it. Each bundle is a program of its
 * own, pushed, named by its digest, upgraded and replayed as a module is, but the machine code of a
 * runtime is made and loaded once for all of them. */
#pragma once
#include <swarm/agent.h>

/* Copy from the payload of the program that runs, from offset on, cut at size; nothing beyond its
 * end. Returns the size of all of it, at most 16 MiB; 0: there is none, as of a program that is a
 * module by itself. It is the same in every handler of every instance, until an upgrade.
 * SWARM_E_INVALID  not all of the room is in the memory */
SWARM_IMPORT(bundle)
int32_t swarm_bundle(uint32_t offset, void *ret_bytes, uint32_t size);
