#include "pkg/agent/store/history.h"

#include "pkg/utils/base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t sw_history_agent(struct sw_bytes agent_uid)
{
    static const uint8_t key[16] = "swarm: a history";

    return sw_siphash(key, agent_uid.data, agent_uid.size);
}

void sw_history_name_put(const struct sw_history_name *name, bool is_draft,
                         char ret_text[SW_HISTORY_NAME_MAX])
{
    (void)snprintf(ret_text, SW_HISTORY_NAME_MAX,
                   "history-%016" PRIx64 "-%016" PRIx64 "-%016" PRIx64 "%s", name->agent,
                   name->from, name->to, is_draft ? ".new" : ".hist");
}

bool sw_history_name_take(const char *text, struct sw_history_name *ret_name, bool *ret_is_draft)
{
    char check[SW_HISTORY_NAME_MAX];
    struct sw_history_name name;

    if (sscanf(text, "history-%16" SCNx64 "-%16" SCNx64 "-%16" SCNx64, &name.agent, &name.from,
               &name.to) != 3 ||
        name.from > name.to)
        return false;
    for (int is_draft = 0; is_draft <= 1; is_draft++) {
        sw_history_name_put(&name, is_draft != 0, check);
        if (strcmp(text, check) != 0)
            continue;
        *ret_name = name;
        *ret_is_draft = is_draft != 0;
        return true;
    }
    return false;
}

/* --- Lists ----------------------------------------------------------------------------------- */

struct listing {
    struct sw_history_list *list;
    const uint64_t *agent;
    size_t room;
    bool lacks_memory;
};

static bool add_name(void *ctx, const char *text)
{
    struct listing *listing = ctx;
    struct sw_history_list *list = listing->list;
    struct sw_history_name name, *grown;
    bool is_draft;

    if (!sw_history_name_take(text, &name, &is_draft) || is_draft ||
        (listing->agent != NULL && name.agent != *listing->agent))
        return true;
    if (list->count == SW_HISTORY_FILES_MAX) {
        list->is_cut = true;
        return true;
    }
    if (list->count == listing->room) {
        listing->room = listing->room == 0 ? 16 : listing->room * 2;
        grown = realloc(list->names, listing->room * sizeof *grown);
        if (grown == NULL) {
            listing->lacks_memory = true;
            return false;
        }
        list->names = grown;
    }
    list->names[list->count++] = name;
    return true;
}

/* By Agent, then by where it begins, the longest first. */
static int compare_names(const void *one, const void *other)
{
    const struct sw_history_name *a = one, *b = other;

    if (a->agent != b->agent)
        return a->agent < b->agent ? -1 : 1;
    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    return a->to > b->to ? -1 : a->to < b->to;
}

static void swap(struct sw_history_name *one, struct sw_history_name *other)
{
    struct sw_history_name kept = *one;

    *one = *other;
    *other = kept;
}

enum sw_rc sw_history_list(const struct sw_system *system, const char *folder,
                           const uint64_t *agent, struct sw_history_list *ret_list,
                           struct sw_err *err)
{
    struct sw_history_list list = {.names = NULL};
    struct listing listing = {.list = &list, .agent = agent};
    enum sw_rc rc = system->folder_list(system->ctx, folder, add_name, &listing, err);
    size_t kept = 0;

    list.all = list.count;
    if (rc == SW_OK && listing.lacks_memory)
        rc = sw_err_set(err, SW_E_EXHAUSTED, "no memory for a list of histories");
    if (rc != SW_OK) {
        free(list.names);
        return rc;
    }
    if (list.count > 1)
        qsort(list.names, list.count, sizeof *list.names, compare_names);
    for (size_t i = 0; i < list.count; i++)
        if (kept == 0 || !sw_history_is_within(&list.names[i], &list.names[kept - 1]))
            swap(&list.names[kept++], &list.names[i]);
    list.count = kept;
    *ret_list = list;
    return SW_OK;
}

void sw_history_list_done(struct sw_history_list *list)
{
    free(list->names);
    *list = (struct sw_history_list){.names = NULL};
}

/* --- One file -------------------------------------------------------------------------------- */

/* Whether what stands in it is what its name says. */
static bool is_meant(const struct sw_history_file *file, const struct sw_snapshot_report *report,
                     const struct sw_snapshot_history *history)
{
    return memcmp(report->uuid, file->uuid, sizeof report->uuid) == 0 &&
           report->lsn == file->name.from && history->from == file->name.from &&
           history->to == file->name.to && sw_history_agent(history->agent_uid) == file->name.agent;
}

enum sw_rc sw_history_open(const struct sw_history_file *file, struct sw_buffer *out,
                           struct sw_snapshot **ret_snapshot,
                           struct sw_snapshot_history *ret_history, struct sw_err *err)
{
    SW_CLEANUP(sw_snapshot_closep) struct sw_snapshot *snapshot = NULL;
    char path[SW_PATH_MAX], name[SW_HISTORY_NAME_MAX];
    struct sw_snapshot_history history;
    struct sw_snapshot_report report;
    uint64_t end;
    enum sw_rc rc;

    sw_history_name_put(&file->name, false, name);
    if (snprintf(path, sizeof path, "%s/%s", file->folder, name) >= (int)sizeof path)
        return sw_err_set(err, SW_E_INVALID, "the path of a file of history is too long");
    rc = sw_snapshot_open_path(file->system, path, &snapshot, &report, err);
    if (rc != SW_OK)
        return rc;
    rc = sw_snapshot_read_history(snapshot, out, &history, &end, err);
    if (rc == SW_OK && !is_meant(file, &report, &history))
        rc = sw_err_set(err, SW_E_CORRUPT, "it holds something else than its name says");
    if (rc != SW_OK)
        return (void)sw_err_context(err, "%s", path), rc;
    *ret_history = history;
    *ret_snapshot = SW_TAKE(snapshot);
    return SW_OK;
}
