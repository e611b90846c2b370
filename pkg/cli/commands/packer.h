/* Programs of the process runtime: a folder with an agent.program becomes a bundle, and its files
 * and packages become images beside it.
 *
 * agent.program is a manifest (pkg/agent/image/manifest.h) in which folders stand where the bundle
 * has digests, relative to it: "image" (".", if it is not there) and each of "packages". What is
 * built of them goes to .swarm/HEX.bundle beside the output, HEX being the digest; packages that
 * are too large for one are split between the folders in them.
 * Threads: one.  I/O: files. */
#pragma once
#include "pkg/cli/commands/cli.h"
#include "pkg/security/crypto/digest.h"

/* Whether a file is such a manifest: its name ends in .program. */
bool sw_packer_takes(const char *path);
/* Make the bundle `output` of the program that `source` tells of. The same files give the same
 * bytes.
 * SW_E_INVALID    the manifest is wrong, or a file cannot be in an image
 * SW_E_EXHAUSTED  an image is larger than a payload may be.  Others as of files. */
SW_MUST_CHECK enum sw_rc sw_packer_build(struct sw_cli *cli, const char *source, const char *output,
                                         struct sw_err *err);
/* Have what a program names and `swarm` brings along: the SDK for Python, where ".swarm/python" is
 * among its packages (python.h). *ret_folder is then that folder, else NULL. sw_packer_build does
 * so by itself.  Errors: as there. */
SW_MUST_CHECK enum sw_rc sw_packer_place(struct sw_cli *cli, const char *source,
                                         const char **ret_folder, struct sw_err *err);

struct sw_packer_image { /* A part of a bundle, in a file of its own. In the arena. */
    const char *path, *digest;
};
/* The next image that a bundle in a file names, and that was built beside it; *cursor begins with
 * 0. False: there are no more. */
bool sw_packer_next(struct sw_cli *cli, const char *path, struct sw_bytes bundle, size_t *cursor,
                    struct sw_packer_image *ret_image);
