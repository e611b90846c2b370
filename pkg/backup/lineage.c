#include "pkg/backup/lineage.h"

#include "pkg/utils/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FILE_BYTES_MAX 1024u
#define RESTORING "swarm-restoring 1\n"

static enum sw_rc path_of(const char *data_folder, char ret_path[SW_PATH_MAX], struct sw_err *err)
{
    return snprintf(ret_path, SW_PATH_MAX, "%s/" SW_LINEAGE_FILE, data_folder) < SW_PATH_MAX
               ? SW_OK
               : sw_err_set(err, SW_E_INVALID, "the data folder has too long a path");
}

void sw_lineage_of(const struct sw_manifest *manifest, uint64_t now_ns,
                   struct sw_lineage *ret_lineage)
{
    *ret_lineage = (struct sw_lineage){
        .point_ns = manifest->utc_ns, .restored_ns = now_ns, .timeline = manifest->timeline + 1};
    memcpy(ret_lineage->backup, manifest->id, sizeof ret_lineage->backup);
    memcpy(ret_lineage->cluster, manifest->cluster, sizeof ret_lineage->cluster);
    memcpy(ret_lineage->node, manifest->node, sizeof ret_lineage->node);
}

enum sw_rc sw_lineage_begin(const struct sw_system *system, const char *data_folder,
                            struct sw_err *err)
{
    char path[SW_PATH_MAX];
    enum sw_rc rc = path_of(data_folder, path, err);

    return rc == SW_OK ? sw_file_save(system, path, RESTORING, sizeof RESTORING - 1, err) : rc;
}

enum sw_rc sw_lineage_save(const struct sw_system *system, const char *data_folder,
                           const struct sw_lineage *lineage, struct sw_err *err)
{
    char path[SW_PATH_MAX], point[SW_TIME_TEXT_SIZE], restored[SW_TIME_TEXT_SIZE];
    struct sw_buffer text;
    enum sw_rc rc = path_of(data_folder, path, err);

    sw_time_print(lineage->point_ns, point);
    sw_time_print(lineage->restored_ns, restored);
    sw_buffer_init(&text, FILE_BYTES_MAX);
    sw_buffer_print(&text,
                    "swarm-restored 1\nbackup %s\npoint %s\nrestored %s\ntimeline %" PRIu64
                    "\ncluster %s\nnode %s\n",
                    lineage->backup, point, restored, lineage->timeline, lineage->cluster,
                    lineage->node);
    if (rc == SW_OK)
        rc = sw_buffer_check(&text);
    if (rc == SW_OK)
        rc = sw_file_save(system, path, text.data, text.size, err);
    sw_buffer_done(&text);
    return rc;
}

/* The text of a NUL-terminated file.  False: it is not such a note. */
static bool parse(const char *text, struct sw_lineage *ret_lineage)
{
    char point[SW_TIME_TEXT_SIZE], restored[SW_TIME_TEXT_SIZE], timeline[21];
    int end = 0;

    return sscanf(text,
                  "swarm-restored 1\nbackup %32[0-9a-f]\npoint %35[0-9TZ:.-]\nrestored "
                  "%35[0-9TZ:.-]\ntimeline %20[0-9]\ncluster %63[a-z0-9-]\nnode %63[a-z0-9-]%n",
                  ret_lineage->backup, point, restored, timeline, ret_lineage->cluster,
                  ret_lineage->node, &end) == 6 &&
           strcmp(text + end, "\n") == 0 && sw_time_parse(point, &ret_lineage->point_ns) == SW_OK &&
           sw_time_parse(restored, &ret_lineage->restored_ns) == SW_OK &&
           sw_text_to_u64(timeline, &ret_lineage->timeline) == SW_OK;
}

enum sw_rc sw_lineage_load(const struct sw_system *system, const char *data_folder,
                           struct sw_lineage *ret_lineage, struct sw_err *err)
{
    char path[SW_PATH_MAX];
    struct sw_buffer text;
    enum sw_rc rc = path_of(data_folder, path, err);

    *ret_lineage = (struct sw_lineage){.timeline = 1};
    sw_buffer_init(&text, FILE_BYTES_MAX + 1);
    if (rc == SW_OK)
        rc = sw_file_load(system, path, FILE_BYTES_MAX, &text, err);
    sw_buffer_put_u8(&text, 0);
    if (rc == SW_OK && !text.failed && strcmp((const char *)text.data, RESTORING) == 0) {
        rc = sw_err_set(err, SW_E_PRECONDITION, "%.300s was not restored to its end", data_folder);
        sw_err_hint(err, "remove it, and restore the backup again");
    } else if (rc == SW_OK && (text.failed || !parse((const char *)text.data, ret_lineage))) {
        rc = sw_err_set(err, SW_E_CORRUPT, "%.300s does not say what was restored here", path);
        sw_err_hint(err, "put it back as the restore made it");
    }
    sw_buffer_done(&text);
    return rc;
}
