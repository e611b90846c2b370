#include "cmd/swarm-agent-host/driver.h"

#include "pkg/agent/store/shelf.h"

#include <stdlib.h>

#define READER_STACK_BYTES ((size_t)128 << 10)

/* Threads that wait for the disk so that no worker has to: each takes the next block that somebody
 * wants, reads it, and hands it to the worker. */

/* The next one; NULL: the threads end. */
static struct sw_item_read *take(struct driver *driver)
{
    struct sw_item *item;

    pthread_mutex_lock(&driver->reads_mutex);
    while (driver->reads == NULL && !driver->is_reading_ended)
        pthread_cond_wait(&driver->reads_due, &driver->reads_mutex);
    item = driver->is_reading_ended ? NULL : sw_item_get(&driver->reads);
    pthread_mutex_unlock(&driver->reads_mutex);
    return (struct sw_item_read *)(void *)item;
}

static void *reader_main(void *ctx)
{
    struct driver *driver = ctx;
    struct sw_item_read *read;

    while ((read = take(driver)) != NULL) {
        struct lane *lane = &driver->lanes[read->worker];

        sw_item_read_run(&driver->shared, read);
        pthread_mutex_lock(&lane->mutex);
        sw_item_put(&lane->loaded, &read->item);
        atomic_store(&lane->has_loaded, true);
        pthread_mutex_unlock(&lane->mutex);
        lane_wake(lane);
    }
    return NULL;
}

enum sw_rc readers_start(struct driver *driver, struct sw_err *err)
{
    pthread_attr_t attributes;
    enum sw_rc rc = SW_OK;

    pthread_mutex_init(&driver->reads_mutex, NULL);
    pthread_cond_init(&driver->reads_due, NULL);
    pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, READER_STACK_BYTES);
    for (uint32_t i = 0; rc == SW_OK && i < READERS; i++) {
        if (pthread_create(&driver->readers[i], &attributes, reader_main, driver) == 0)
            driver->readers_count++;
        else
            rc = sw_err_set(err, SW_E_EXHAUSTED, "no thread for reading");
    }
    pthread_attr_destroy(&attributes);
    return rc;
}

void readers_join(struct driver *driver)
{
    struct sw_item *item;

    pthread_mutex_lock(&driver->reads_mutex);
    driver->is_reading_ended = true;
    pthread_cond_broadcast(&driver->reads_due);
    pthread_mutex_unlock(&driver->reads_mutex);
    for (uint32_t i = 0; i < driver->readers_count; i++)
        pthread_join(driver->readers[i], NULL);
    while ((item = sw_item_get(&driver->reads)) != NULL)
        sw_item_free(item, &driver->engine);
}

void lane_read(struct lane *lane)
{
    struct driver *driver = lane->driver;
    struct sw_item_read *read = sw_worker_read(lane->worker);
    uint32_t count = 0;

    if (read == NULL)
        return;
    pthread_mutex_lock(&driver->reads_mutex);
    for (; read != NULL; read = sw_worker_read(lane->worker), count++)
        sw_item_put(&driver->reads, &read->item);
    if (count == 1)
        pthread_cond_signal(&driver->reads_due);
    else
        pthread_cond_broadcast(&driver->reads_due);
    pthread_mutex_unlock(&driver->reads_mutex);
}

uint32_t lane_take_loaded(struct lane *lane)
{
    struct sw_item *loaded, *item;
    uint32_t count = 0;

    if (!atomic_load_explicit(&lane->has_loaded, memory_order_relaxed))
        return 0;
    pthread_mutex_lock(&lane->mutex);
    loaded = lane->loaded;
    lane->loaded = NULL;
    atomic_store(&lane->has_loaded, false);
    pthread_mutex_unlock(&lane->mutex);
    for (; (item = sw_item_get(&loaded)) != NULL; count++)
        sw_worker_put(lane->worker, item);
    return count;
}

bool shelf_write(struct driver *driver)
{
    struct sw_err err = {0};
    enum sw_rc rc = SW_OK;

    if (sw_shelf_has_work(driver->shared.shelf))
        rc = sw_shelf_write(driver->shared.shelf, &err);
    if (rc == SW_OK || rc == SW_E_EXHAUSTED)
        rc = rc == SW_OK ? sw_shelf_failure(driver->shared.shelf) : rc;
    if (rc != SW_OK && rc != SW_E_EXHAUSTED)
        driver_die(SW_HOST_EXIT_JOURNAL,
                   err.message[0] != 0 ? err.message : "instances that sleep cannot be written");
    return rc == SW_OK;
}
