/* The file in which workers note what they enter, mapped so that it outlives a crash. */
#include "cmd/swarm-agent-host/driver.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

void notes_open(struct driver *driver, bool has_crashed)
{
    char path[SW_PATH_MAX];
    void *at = MAP_FAILED;
    int file;

    snprintf(path, sizeof path, "%s/running", driver->folder);
    file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    /* With its room on the disk taken now, no later store can meet a full one. */
    if (file >= 0 && posix_fallocate(file, 0, sizeof(struct sw_notes)) == 0)
        at = mmap(NULL, sizeof(struct sw_notes), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (file >= 0)
        (void)close(file);
    if (at == MAP_FAILED) { /* A full disk: then a crash accuses nobody. */
        fprintf(stderr, "swarm-agent-host: %s cannot be mapped; crashes are not traced\n", path);
        return;
    }
    sw_notes_settle(at, has_crashed);
    driver->notes = at;
}
