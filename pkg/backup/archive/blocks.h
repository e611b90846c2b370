/* Where the fields of a tar head stand, for writer and reader. Private to this room.
 *
 * Threads: values.  I/O: none. */
#pragma once

enum { /* Offsets and sizes in bytes. */
       HEAD_NAME = 0,
       HEAD_NAME_SIZE = 100,
       HEAD_MODE = 100,
       HEAD_UID = 108,
       HEAD_GID = 116,
       HEAD_ID_SIZE = 8,
       HEAD_SIZE = 124,
       HEAD_SIZE_SIZE = 12,
       HEAD_TIME = 136,
       HEAD_CHECK = 148,
       HEAD_CHECK_SIZE = 8,
       HEAD_TYPE = 156,
       HEAD_MAGIC = 257, /* "ustar", NUL, "00" */
       HEAD_MAGIC_SIZE = 8,
       HEAD_PREFIX = 345,
       HEAD_PREFIX_SIZE = 155
};

#define OCTAL_SIZE_MAX UINT64_C(077777777777) /* Eleven digits; more is in base 256. */
