/* What a disk gives: SIZE bytes at a random place of a file of BYTES, again and again, by THREADS
 * at once, for SECONDS. What `wake` on disk is compared with. The file is made if it is not there;
 * each word of it says where it stands, which is looked at. bench-reads FILE BYTES SIZE THREADS
 * SECONDS */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 256u
#define SIZE_MAX_BYTES 65536u
#define TIMES_MAX ((size_t)1 << 20) /* Of each thread that are kept, the first ones. */
#define FACTOR 0x9e3779b97f4a7c15u

struct reader {
    pthread_t thread;
    int file;
    uint64_t bytes, random, until_ns, count;
    size_t size;
    uint64_t *times_ns;
    bool is_wrong;
};

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool fill(int file, uint64_t bytes)
{
    static uint64_t words[1 << 15];
    struct stat view;

    if (fstat(file, &view) == 0 && (uint64_t)view.st_size == bytes)
        return true;
    for (uint64_t at = 0; at < bytes; at += sizeof words) {
        size_t size = bytes - at < sizeof words ? (size_t)(bytes - at) : sizeof words;

        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
            words[i] = (at / 8 + i) * FACTOR;
        if (pwrite(file, words, size, (off_t)at) != (ssize_t)size)
            return false;
    }
    return ftruncate(file, (off_t)bytes) == 0 && fsync(file) == 0;
}

/* Whether the first whole word that was read says that it stands there. */
static bool is_right(const char *bytes, uint64_t at)
{
    uint64_t word, skip = (8 - at % 8) % 8;

    (void)memcpy(&word, bytes + skip, sizeof word);
    return word == (at + skip) / 8 * FACTOR;
}

static void *read_on(void *ctx)
{
    struct reader *reader = ctx;
    char bytes[SIZE_MAX_BYTES];
    uint64_t begun_ns = now_ns(), ended_ns = begun_ns;

    while (ended_ns < reader->until_ns && !reader->is_wrong) {
        uint64_t at;

        reader->random = reader->random * 6364136223846793005u + 1442695040888963407u;
        at = (reader->random >> 20) % (reader->bytes - reader->size);
        reader->is_wrong =
            pread(reader->file, bytes, reader->size, (off_t)at) != (ssize_t)reader->size ||
            !is_right(bytes, at);
        ended_ns = now_ns();
        if (reader->count < TIMES_MAX)
            reader->times_ns[reader->count] = ended_ns - begun_ns;
        begun_ns = ended_ns;
        reader->count++;
    }
    return NULL;
}

static int compare(const void *one, const void *other)
{
    const uint64_t *a = one, *b = other;

    return (*a > *b) - (*a < *b);
}

/* Once all have ended. False: memory is out, or something that was read is wrong. */
static bool report(const struct reader *readers, size_t count, uint64_t passed_ns)
{
    uint64_t *times_ns = calloc(count, TIMES_MAX * sizeof *times_ns), reads = 0;
    size_t kept = 0;
    bool is_wrong = times_ns == NULL;

    for (size_t i = 0; i < count && times_ns != NULL; i++) {
        size_t own = readers[i].count < TIMES_MAX ? (size_t)readers[i].count : TIMES_MAX;

        (void)memcpy(times_ns + kept, readers[i].times_ns, own * sizeof *times_ns);
        kept += own;
        reads += readers[i].count;
        is_wrong = is_wrong || readers[i].is_wrong;
    }
    if (!is_wrong && kept > 0) {
        qsort(times_ns, kept, sizeof *times_ns, compare);
        (void)printf("{\"seconds\":%.6f,\"count\":%llu,\"p50_us\":%.1f,\"p99_us\":%.1f}\n",
                     (double)passed_ns / 1e9, (unsigned long long)reads,
                     (double)times_ns[kept / 2] / 1e3, (double)times_ns[kept * 99 / 100] / 1e3);
    }
    free(times_ns);
    return !is_wrong && kept > 0;
}

int main(int count, char **words)
{
    static struct reader readers[THREADS_MAX];
    uint64_t bytes = count == 6 ? strtoull(words[2], NULL, 10) : 0, begun_ns;
    size_t size = count == 6 ? strtoul(words[3], NULL, 10) : 0;
    size_t threads = count == 6 ? strtoul(words[4], NULL, 10) : 0;
    double seconds = count == 6 ? strtod(words[5], NULL) : 0;
    bool is_good = true;
    int file;

    if (size < 16 || size > SIZE_MAX_BYTES || bytes <= size || threads == 0 ||
        threads > THREADS_MAX) {
        (void)fprintf(stderr, "usage: bench-reads FILE BYTES SIZE THREADS SECONDS\n");
        return 2;
    }
    file = open(words[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || !fill(file, bytes)) {
        perror("the file cannot be made");
        return 1;
    }
    begun_ns = now_ns();
    for (size_t i = 0; i < threads; i++) {
        readers[i] = (struct reader){.file = file,
                                     .bytes = bytes,
                                     .size = size,
                                     .random = (i + 1) * FACTOR + begun_ns,
                                     .until_ns = begun_ns + (uint64_t)(seconds * 1e9),
                                     .times_ns = calloc(TIMES_MAX, sizeof(uint64_t))};
        is_good = is_good && readers[i].times_ns != NULL &&
                  pthread_create(&readers[i].thread, NULL, read_on, &readers[i]) == 0;
        if (!is_good) {
            perror("a thread cannot be started");
            return 1;
        }
    }
    for (size_t i = 0; i < threads; i++)
        (void)pthread_join(readers[i].thread, NULL);
    is_good = report(readers, threads, now_ns() - begun_ns);
    for (size_t i = 0; i < threads; i++)
        free(readers[i].times_ns);
    if (!is_good)
        (void)fprintf(stderr, "what was read is not what was written\n");
    return close(file) == 0 && is_good ? 0 : 1;
}
