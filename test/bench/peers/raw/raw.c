/* What a disk gives: records of 150 bytes, GROUP of them in one write to a file that was written
 * before, and a sync, for SECONDS. What `durable` is compared with. bench-raw FILE GROUP SECONDS */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RECORD_BYTES 150u
#define FILE_BYTES ((off_t)1 << 25)
#define GROUP_MAX 65536u

static double now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* All of it is written once, so that nothing has to be allocated later. */
static int fill(int file)
{
    static const char zeros[1 << 16];

    for (off_t at = 0; at < FILE_BYTES; at += (off_t)sizeof zeros)
        if (pwrite(file, zeros, sizeof zeros, at) != (ssize_t)sizeof zeros)
            return 0;
    return fsync(file) == 0;
}

static int fail(const char *words)
{
    perror(words);
    return 1;
}

int main(int count, char **words)
{
    size_t group = count == 4 ? strtoul(words[2], NULL, 10) : 0, size = group * RECORD_BYTES;
    double seconds = count == 4 ? strtod(words[3], NULL) : 0, begun, now;
    uint64_t records = 0;
    off_t at = 0;
    char *bytes;
    int file;

    if (group == 0 || group > GROUP_MAX) {
        (void)fprintf(stderr, "usage: bench-raw FILE GROUP SECONDS\n");
        return 2;
    }
    bytes = malloc(size);
    file = open(words[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (bytes == NULL || file < 0 || !fill(file))
        return fail("the file cannot be made");
    (void)memset(bytes, 'x', size);
    begun = now_s();
    do {
        if (at + (off_t)size > FILE_BYTES)
            at = 0;
        if (pwrite(file, bytes, size, at) != (ssize_t)size || fdatasync(file) != 0)
            return fail("the file cannot be written");
        at += (off_t)size;
        records += group;
        now = now_s();
    } while (now < begun + seconds);
    (void)printf("{\"seconds\":%.6f,\"count\":%llu,\"p50_us\":0,\"p99_us\":0}\n", now - begun,
                 (unsigned long long)records);
    free(bytes);
    return close(file) == 0 && unlink(words[1]) == 0 ? 0 : 1;
}
