/* Images as folders: FOLDER/NAMESPACE/HEX, unpacked by swarm-unpack when they are first needed.
 *
 * The folder is a cache: it is emptied at the start, so that nothing in it was left half written by
 * a loss of power, and whose image is not there is unpacked again.
 * Threads: the loop's.  I/O: files below the folder, and children on the loop.
 * Limits: SW_IMAGES_MAX images; SW_IMAGE_BYTES_MAX and SW_IMAGE_FILES_MAX of each. */
#pragma once
#include "pkg/utils/base/list.h"
#include "pkg/utils/loop/loop.h"
#include "pkg/utils/system/system.h"

#define SW_IMAGES_MAX 1024u
#define SW_IMAGE_BYTES_MAX (UINT64_C(1) << 30)
#define SW_IMAGE_FILES_MAX 50000u
#define SW_IMAGE_ARCHIVE_MAX ((size_t)32 << 20) /* Compressed. */

struct sw_images; /* Opaque. */

struct sw_images_options { /* Borrowed for the call, but for loop and system. */
    struct sw_loop *loop;
    const struct sw_system *system;
    const char *program, *folder; /* swarm-unpack; made if it is not there. Copied. */
    void *ctx;
    /* Append the compressed archive that a namespace knows by this digest. */
    enum sw_rc (*load)(void *ctx, const char *name_space, const char *digest, struct sw_buffer *out,
                       struct sw_err *err);
};

/* Errors: as those of files, or SW_E_EXHAUSTED. */
SW_MUST_CHECK enum sw_rc sw_images_new(const struct sw_images_options *options,
                                       struct sw_images **ret_images, struct sw_err *err);
/* Nobody waits any more. */
void sw_images_free(struct sw_images *images);
SW_DEFINE_CLEANUP(struct sw_images, sw_images_free)

struct sw_image_wait { /* The caller's, until it is done or cancelled; node starts as {0}. */
    struct sw_list node;
    void *ctx;
    /* It can be had now, or err says why not. */
    void (*done)(void *ctx, const struct sw_err *err);
};

/* Where an image is; the path is borrowed for as long as images is there.
 * SW_E_UNAVAILABLE  it is being unpacked: done follows; ask again then
 * SW_E_EXHAUSTED    too many images, or no memory       others  as load, or of files */
SW_MUST_CHECK enum sw_rc sw_images_get(struct sw_images *images, const char *name_space,
                                       const char *digest, struct sw_image_wait *wait,
                                       const char **ret_path, struct sw_err *err);
/* done will not be called. Also for one that does not wait. */
void sw_image_wait_cancel(struct sw_image_wait *wait);
