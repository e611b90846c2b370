/* Feeds every file of a fuzz corpus to LLVMFuzzerTestOneInput, in builds without libFuzzer.
 *
 * Usage: fuzz_NAME FILE-OR-FOLDER ...  It fails when there is no input at all, so that a corpus
 * that went missing is noticed. A crash names the input: it is printed before it is run. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_BYTES_MAX (16u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t inputs_count;

/* The bytes are copied into memory of exactly their size, so that a sanitizer sees one too many. */
static int replay_file(const char *path)
{
    uint8_t *bytes = malloc(INPUT_BYTES_MAX), *exact;
    FILE *file = fopen(path, "rb");
    size_t size;

    if (bytes == NULL || file == NULL) {
        fprintf(stderr, "%s: cannot be read\n", path);
        free(bytes);
        if (file != NULL)
            (void)fclose(file);
        return 1;
    }
    size = fread(bytes, 1, INPUT_BYTES_MAX, file);
    (void)fclose(file);
    exact = malloc(size > 0 ? size : 1);
    if (exact == NULL)
        abort();
    (void)memcpy(exact, bytes, size);
    free(bytes);
    printf("%s\n", path);
    (void)fflush(stdout);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    inputs_count++;
    return 0;
}

static int replay(const char *path)
{
    char inner[4096];
    struct dirent *entry;
    struct stat view;
    int failed = 0;
    DIR *folder;

    if (stat(path, &view) != 0) {
        fprintf(stderr, "%s: no such file or folder\n", path);
        return 1;
    }
    if (!S_ISDIR(view.st_mode))
        return replay_file(path);
    folder = opendir(path);
    if (folder == NULL)
        return 1;
    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        if (snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) < (int)sizeof inner)
            failed |= replay(inner);
    }
    (void)closedir(folder);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;

    for (int i = 1; i < argc; i++)
        failed |= replay(argv[i]);
    printf("%zu inputs replayed\n", inputs_count);
    return failed != 0 || inputs_count == 0 ? 1 : 0;
}
