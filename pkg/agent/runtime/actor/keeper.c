#include "pkg/agent/runtime/actor/keeper.h"

#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/runtime/actor/keeper_state.h"
#include "pkg/agent/runtime/actor/pod.h"
#include "pkg/agent/runtime/actor/storage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sw_keeper *sw_keeper_new(void)
{
    struct sw_keeper *keeper = calloc(1, sizeof *keeper);

    if (keeper != NULL)
        pthread_mutex_init(&keeper->mutex, NULL);
    return keeper;
}

static void forget_files(struct sw_keeper *keeper)
{
    pthread_mutex_lock(&keeper->mutex);
    for (size_t i = 0; i < keeper->files_count; i++)
        sw_buffer_done(&keeper->files[i].modules);
    keeper->files_count = 0;
    pthread_mutex_unlock(&keeper->mutex);
}

void sw_keeper_free(struct sw_keeper *keeper)
{
    if (keeper == NULL)
        return;
    forget_files(keeper);
    free(keeper->files);
    free(keeper->agents);
    pthread_mutex_destroy(&keeper->mutex);
    free(keeper);
}

void sw_keeper_ask(struct sw_keeper *keeper, bool (*goes_on)(void *ctx), void *ctx)
{
    keeper->goes_on = goes_on;
    keeper->ctx = ctx;
}

void sw_keeper_tell(struct sw_keeper *keeper, const char *words)
{
    if (keeper->troubles++ == 0)
        (void)snprintf(keeper->words, sizeof keeper->words, "%.399s", words);
}

bool sw_keeper_trouble(struct sw_keeper *keeper, char ret_words[SW_SNAPSHOT_WORDS_MAX])
{
    uint32_t count = keeper->troubles;
    size_t size = strlen(keeper->words);

    keeper->troubles = 0;
    memcpy(ret_words, keeper->words, sizeof keeper->words);
    if (count > 1 && size < SW_SNAPSHOT_WORDS_MAX)
        (void)snprintf(ret_words + size, SW_SNAPSHOT_WORDS_MAX - size, "; and %u more like that",
                       count - 1);
    return count > 0;
}

/* --- Agents ---------------------------------------------------------------------------------- */

const struct keeper_agent *sw_keeper_agent(const struct sw_keeper *keeper, uint64_t hash)
{
    size_t low = 0, high = keeper->agents_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (keeper->agents[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low < keeper->agents_count && keeper->agents[low].hash == hash ? &keeper->agents[low]
                                                                          : NULL;
}

bool sw_keeper_is_wanted(const struct sw_keeper *keeper)
{
    return keeper->agents_count > 0;
}

static bool keeps(const struct sw_pod *pod)
{
    return pod->config.is_durable && sw_history_is_kept(&pod->config.history) &&
           pod->config.agent_uid.size <= sizeof((struct keeper_agent *)0)->uid;
}

static void agent_of(const struct sw_pod *pod, struct keeper_agent *ret_agent)
{
    const struct sw_pod_config *config = &pod->config;

    *ret_agent = (struct keeper_agent){.hash = sw_history_agent(config->agent_uid),
                                       .generation = config->generation,
                                       .policy = config->history,
                                       .account = pod->account,
                                       .uid_size = (uint8_t)config->agent_uid.size};
    memcpy(ret_agent->uid, config->agent_uid.data, config->agent_uid.size);
    (void)snprintf(ret_agent->name, sizeof ret_agent->name, "%.*s/%.*s",
                   (int)config->name_space.size, (const char *)config->name_space.data,
                   (int)config->agent.size, (const char *)config->agent.data);
}

/* By hash; of one Agent what is newest first. */
static int compare_agents(const void *one, const void *other)
{
    const struct keeper_agent *a = one, *b = other;

    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return a->generation > b->generation ? -1 : a->generation < b->generation;
}

static bool is_noted(const void *ctx, struct sw_bytes agent_uid)
{
    return sw_keeper_agent(ctx, sw_history_agent(agent_uid)) != NULL;
}

/* Histories count with what they may take. Of those without room no more is kept than before. After
 * a restart what the snapshot says is kept, until the next one. */
static void reserve(struct sw_shared *shared, bool is_recovered)
{
    struct sw_keeper *keeper = shared->snapshots->keeper;

    sw_storage_forget_histories(&shared->accounts, is_noted, keeper);
    for (size_t i = 0; i < keeper->agents_count; i++) {
        struct keeper_agent *agent = &keeper->agents[i];
        uint64_t before = atomic_load(&agent->account->history_bytes);

        if ((is_recovered && agent->policy.bytes > before) ||
            !sw_storage_keep_history(agent->account, agent->policy.bytes)) {
            agent->has_no_room = before == 0;
            agent->policy.bytes = before;
        }
        agent->account = NULL;
    }
}

enum sw_rc sw_keeper_note(struct sw_shared *shared, struct sw_worker **workers, uint32_t count,
                          bool is_recovered)
{
    struct sw_keeper *keeper = shared->snapshots->keeper;
    struct keeper_agent *agents;
    size_t pods = 0, met = 0, kept = 0;

    for (uint32_t i = 0; i < count; i++)
        pods += sw_map_count(workers[i]->pods);
    agents = malloc((pods + 1) * sizeof *agents);
    if (agents == NULL)
        return SW_E_EXHAUSTED;
    for (uint32_t i = 0; i < count; i++) {
        struct sw_map_entry entry;
        size_t cursor = 0;

        while (sw_map_next(workers[i]->pods, &cursor, &entry))
            if (keeps(entry.value))
                agent_of(entry.value, &agents[met++]);
    }
    if (met > 1)
        qsort(agents, met, sizeof *agents, compare_agents);
    for (size_t i = 0; i < met; i++)
        if (kept == 0 || agents[kept - 1].hash != agents[i].hash)
            agents[kept++] = agents[i];
    free(keeper->agents);
    keeper->agents = agents;
    keeper->agents_count = kept;
    reserve(shared, is_recovered);
    return SW_OK;
}

/* --- Modules --------------------------------------------------------------------------------- */

static bool has_module(struct sw_bytes modules, struct sw_bytes digest)
{
    struct sw_reader reader = sw_reader_of(modules.data, modules.size);

    while (reader.at < reader.size && !reader.failed)
        if (sw_bytes_is_equal(sw_reader_bytes(&reader, SW_HISTORY_DIGEST_MAX), digest))
            return true;
    return false;
}

size_t sw_keeper_modules(const struct sw_buffer *modules)
{
    struct sw_reader reader = sw_reader_of(modules->data, modules->size);
    size_t count = 0;

    for (; reader.at < reader.size && !reader.failed; count++)
        (void)sw_reader_bytes(&reader, SW_HISTORY_DIGEST_MAX);
    return count;
}

bool sw_keeper_join(struct sw_buffer *modules, struct sw_bytes others)
{
    struct sw_reader reader = sw_reader_of(others.data, others.size);

    while (reader.at < reader.size && !reader.failed) {
        struct sw_bytes digest = sw_reader_bytes(&reader, SW_HISTORY_DIGEST_MAX);

        if (!has_module((struct sw_bytes){modules->data, modules->size}, digest))
            sw_buffer_put_bytes(modules, digest);
    }
    return !modules->failed && sw_keeper_modules(modules) <= SW_HISTORY_MODULES_MAX;
}

void sw_keeper_await(struct sw_keeper *keeper, bool is_awaited)
{
    pthread_mutex_lock(&keeper->mutex);
    keeper->is_awaited = is_awaited;
    pthread_mutex_unlock(&keeper->mutex);
}

bool sw_keeper_needs(struct sw_keeper *keeper, struct sw_bytes digest)
{
    bool is_needed;

    pthread_mutex_lock(&keeper->mutex);
    is_needed = !keeper->is_loaded || keeper->is_awaited;
    for (size_t i = 0; !is_needed && i < keeper->files_count; i++) {
        const struct sw_buffer *modules = &keeper->files[i].modules;

        is_needed = has_module((struct sw_bytes){modules->data, modules->size}, digest);
    }
    pthread_mutex_unlock(&keeper->mutex);
    return is_needed;
}

/* --- Files ----------------------------------------------------------------------------------- */

static void path_of(const char *folder, const struct sw_history_name *name,
                    char ret_path[SW_PATH_MAX])
{
    char text[SW_HISTORY_NAME_MAX];

    sw_history_name_put(name, false, text);
    (void)snprintf(ret_path, SW_PATH_MAX, "%s/%s", folder, text);
}

/* The first file that is not before that one. */
static size_t place_of(const struct sw_keeper *keeper, const struct sw_history_name *name)
{
    size_t low = 0, high = keeper->files_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct sw_history_name *other = &keeper->files[middle].name;

        if (other->agent < name->agent || (other->agent == name->agent && other->from < name->from))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t sw_keeper_files(const struct sw_keeper *keeper, uint64_t agent, size_t *ret_first)
{
    size_t first = place_of(keeper, &(struct sw_history_name){.agent = agent}), count = 0;

    while (first + count < keeper->files_count && keeper->files[first + count].name.agent == agent)
        count++;
    *ret_first = first;
    return count;
}

enum sw_rc sw_keeper_add(struct sw_keeper *keeper, struct keeper_file *file)
{
    size_t at = place_of(keeper, &file->name);
    struct keeper_file *grown = keeper->files;
    enum sw_rc rc = SW_OK;

    pthread_mutex_lock(&keeper->mutex);
    if (keeper->files_count == keeper->files_room) {
        size_t room = keeper->files_room == 0 ? 16 : keeper->files_room * 2;

        grown = realloc(keeper->files, room * sizeof *grown);
        keeper->files = grown == NULL ? keeper->files : grown;
        keeper->files_room = grown == NULL ? keeper->files_room : room;
    }
    if (grown == NULL || keeper->files_count >= SW_HISTORY_FILES_MAX) {
        rc = SW_E_EXHAUSTED;
    } else {
        memmove(grown + at + 1, grown + at, (keeper->files_count - at) * sizeof *grown);
        grown[at] = *file;
        keeper->files_count++;
    }
    pthread_mutex_unlock(&keeper->mutex);
    return rc;
}

void sw_keeper_remove(struct sw_shared *shared, const char *folder, size_t first, size_t count)
{
    const struct sw_system *system = shared->system;
    struct sw_keeper *keeper = shared->snapshots->keeper;
    size_t behind = first + count;
    char path[SW_PATH_MAX];

    for (size_t i = first; i < behind; i++) {
        path_of(folder, &keeper->files[i].name, path);
        (void)system->path_remove(system->ctx, path, NULL); /* The next start tries it again. */
    }
    pthread_mutex_lock(&keeper->mutex);
    for (size_t i = first; i < behind; i++)
        sw_buffer_done(&keeper->files[i].modules);
    if (count > 0)
        memmove(keeper->files + first, keeper->files + behind,
                (keeper->files_count - behind) * sizeof *keeper->files);
    keeper->files_count -= count;
    pthread_mutex_unlock(&keeper->mutex);
}

/* --- What is there at a start ---------------------------------------------------------------- */

struct loading {
    struct sw_shared *shared;
    const char *folder;
};

/* What was being written when its host ended. */
static bool remove_draft(void *ctx, const char *text)
{
    const struct loading *loading = ctx;
    const struct sw_system *system = loading->shared->system;
    struct sw_history_name name;
    char path[SW_PATH_MAX];
    bool is_draft;

    if (!sw_history_name_take(text, &name, &is_draft) || !is_draft)
        return true;
    (void)snprintf(path, sizeof path, "%s/%s", loading->folder, text);
    (void)system->path_remove(system->ctx, path, NULL);
    return true;
}

static enum sw_rc load_file(const struct loading *loading, const struct sw_history_name *name,
                            struct sw_err *err)
{
    struct sw_shared *shared = loading->shared;
    const struct sw_history_file which = {.system = shared->system,
                                          .folder = loading->folder,
                                          .uuid = sw_journal_uuid(shared->journal),
                                          .name = *name};
    struct keeper_file file = {.name = *name};
    struct sw_snapshot_history history;
    struct sw_snapshot *snapshot = NULL;
    struct sw_buffer bytes;
    enum sw_rc rc;

    sw_buffer_init(&bytes, SIZE_MAX / 2);
    sw_buffer_init(&file.modules, SIZE_MAX / 2);
    rc = sw_history_open(&which, &bytes, &snapshot, &history, err);
    if (rc == SW_OK) {
        file.bytes = sw_snapshot_bytes(snapshot);
        file.turns = history.turns;
        file.first_ns = history.first_ns;
        file.last_ns = history.last_ns;
        sw_buffer_put(&file.modules, history.modules.data, history.modules.size);
        rc = file.modules.failed ? SW_E_EXHAUSTED : sw_keeper_add(shared->snapshots->keeper, &file);
    }
    if (rc != SW_OK)
        sw_buffer_done(&file.modules);
    sw_snapshot_close(snapshot);
    sw_buffer_done(&bytes);
    return rc;
}

/* One that cannot be read is a gap. It goes, unless another release of Swarm may read it. */
static enum sw_rc load_or_drop(const struct loading *loading, const struct sw_history_name *name)
{
    const struct sw_system *system = loading->shared->system;
    char path[SW_PATH_MAX], words[SW_SNAPSHOT_WORDS_MAX];
    struct sw_err err = {0};
    enum sw_rc rc = load_file(loading, name, &err);

    if (rc == SW_OK || rc == SW_E_EXHAUSTED)
        return rc;
    (void)snprintf(words, sizeof words, "a file of history cannot be read: %.300s", err.message);
    sw_keeper_tell(loading->shared->snapshots->keeper, words);
    path_of(loading->folder, name, path);
    if (rc == SW_E_CORRUPT)
        (void)system->path_remove(system->ctx, path, NULL);
    return SW_OK;
}

enum sw_rc sw_keeper_load(struct sw_shared *shared, const char *folder, struct sw_err *err)
{
    struct sw_keeper *keeper = shared->snapshots->keeper;
    struct loading loading = {.shared = shared, .folder = folder};
    const struct sw_system *system = shared->system;
    struct sw_history_list list;
    char path[SW_PATH_MAX];
    enum sw_rc rc;

    if (keeper->is_loaded)
        return SW_OK;
    rc = system->folder_list(system->ctx, folder, remove_draft, &loading, err);
    if (rc == SW_OK)
        rc = sw_history_list(system, folder, NULL, &list, err);
    if (rc != SW_OK)
        return rc;
    if (list.is_cut)
        sw_keeper_tell(keeper, "there are more files of history than are kept");
    for (size_t i = list.count; i < list.all; i++) {
        path_of(folder, &list.names[i], path);
        (void)system->path_remove(system->ctx, path, NULL);
    }
    for (size_t i = 0; rc == SW_OK && i < list.count; i++)
        rc = load_or_drop(&loading, &list.names[i]);
    sw_history_list_done(&list);
    if (rc != SW_OK) {
        forget_files(keeper);
        return sw_err_set(err, rc, "no memory for the files of history");
    }
    pthread_mutex_lock(&keeper->mutex);
    keeper->is_loaded = true;
    pthread_mutex_unlock(&keeper->mutex);
    return SW_OK;
}

static bool find_any(void *ctx, const char *text)
{
    struct sw_history_name name;
    bool *is_there = ctx, is_draft;

    *is_there = sw_history_name_take(text, &name, &is_draft);
    return !*is_there;
}

enum sw_rc sw_keeper_begin(struct sw_shared *shared, const char *folder, struct sw_err *err)
{
    bool is_there = false;
    enum sw_rc rc =
        shared->system->folder_list(shared->system->ctx, folder, find_any, &is_there, err);

    shared->snapshots->keeper->is_loaded = rc == SW_OK && !is_there;
    return rc;
}

/* --- Trimming -------------------------------------------------------------------------------- */

/* How many of an Agent's files, the oldest, are beyond what it keeps. */
static size_t count_needless(const struct keeper_file *files, size_t count,
                             const struct sw_history_policy *policy, uint64_t now_ns)
{
    uint64_t bytes = 0, turns = 0;
    size_t needless = 0;

    for (size_t i = 0; i < count; i++) {
        bytes += files[i].bytes;
        turns += files[i].turns;
    }
    for (; needless < count; needless++) {
        const struct keeper_file *file = &files[needless];
        bool is_old = policy->age_ns != 0 && now_ns > policy->age_ns &&
                      file->last_ns < now_ns - policy->age_ns;
        bool is_over = (policy->bytes != 0 && bytes > policy->bytes) ||
                       (policy->turns != 0 && turns - file->turns >= policy->turns);

        if (!is_old && !is_over)
            break;
        bytes -= file->bytes;
        turns -= file->turns;
    }
    return needless;
}

bool sw_keeper_trim(struct sw_shared *shared, const char *folder)
{
    struct sw_keeper *keeper = shared->snapshots->keeper;
    uint64_t now_ns = shared->system->utc_ns(shared->system->ctx);
    struct sw_err err = {0};
    size_t at = 0;

    if (sw_keeper_load(shared, folder, &err) != SW_OK) {
        sw_keeper_tell(keeper, err.message);
        return true;
    }
    while (at < keeper->files_count) {
        uint64_t hash = keeper->files[at].name.agent;
        const struct keeper_agent *agent = sw_keeper_agent(keeper, hash);
        size_t first, count = sw_keeper_files(keeper, hash, &first);
        size_t needless =
            agent == NULL || agent->has_no_room
                ? count
                : count_needless(keeper->files + first, count, &agent->policy, now_ns);

        sw_keeper_remove(shared, folder, first, needless);
        at = first + count - needless;
    }
    return keeper->files_count > 0;
}
