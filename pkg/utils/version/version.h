/* The version of this build. Threads: pure.  I/O: none. */
#pragma once

/* SemVer, such as "0.1.0". */
const char *sw_version(void);
/* Short commit of the source, or "unknown" outside a checkout. */
const char *sw_version_commit(void);
