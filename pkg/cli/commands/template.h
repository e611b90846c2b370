/* Files that are compiled into the program: the template of an agent and the SDK's headers.
 *
 * Threads: constant data.  I/O: none. */
#pragma once
#include "pkg/utils/base/buffer.h"

struct sw_bytes sw_template_source(void);   /* agent.c */
struct sw_bytes sw_template_manifest(void); /* agent.yaml; "hello" stands for the name. */
struct sw_bytes sw_template_header(void);   /* include/swarm/agent.h */
struct sw_bytes sw_template_waits(void);    /* include/swarm/wait.h */
