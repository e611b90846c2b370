/* What the files of this program share: the steps from a process of swarmd to a program in a root,
 * namespaces and limits of its own.
 *
 * Each step fills err where it fails, and nothing after it is tried. */
#pragma once
#include "pkg/utils/errors/errors.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PACKAGES_MAX 8u

struct order {                          /* What swarmd wants, from the arguments. */
    uint32_t user;                      /* To run as; 0: as who we are, in a user namespace. */
    const char *image;                  /* Folder that becomes /agent. */
    const char *packages[PACKAGES_MAX]; /* Folders that become /packages/0 and so on. */
    unsigned packages_count;
    uint64_t tmp_bytes;    /* Of /tmp. */
    uint64_t memory_bytes; /* Of each process, where no control group counts; 0: no limit. */
    unsigned processes, files;
    bool has_talk;  /* Descriptor 4 becomes 3 of the program. */
    char **command; /* NULL-terminated. */
};

/* namespaces.c: new namespaces for what is forked from here on, and for mounts and the network at
 * once.  SW_E_UNSUPPORTED: this machine does not let us. */
SW_MUST_CHECK enum sw_rc namespaces_enter(const struct order *order, struct sw_err *err);
/* namespaces.c: loopback comes up, and somebody listens on its port. */
SW_MUST_CHECK enum sw_rc network_open(int *ret_listener, struct sw_err *err);
/* root.c: the root becomes one that holds only what the program may see. Words on what could not be
 * had are put into missing. */
SW_MUST_CHECK enum sw_rc root_make(const struct order *order, char *missing, size_t size,
                                   struct sw_err *err);
/* namespaces.c: be the user for good, with no capabilities. */
SW_MUST_CHECK enum sw_rc user_become(const struct order *order, struct sw_err *err);
