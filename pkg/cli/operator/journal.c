#include "pkg/agent/hosts/hosts.h"
#include "pkg/agent/store/journal.h"
#include "pkg/agent/store/record_text.h"
#include "pkg/agent/store/shelf.h"
#include "pkg/agent/store/snapshot.h"
#include "pkg/backup/archive/names.h"
#include "pkg/backup/lineage.h"
#include "pkg/broker/budget/ledger.h"
#include "pkg/cli/operator/operator.h"
#include "pkg/utils/base/map.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES_MAX 512
#define LINE_BYTES_MAX ((size_t)32 * 1024 * 1024)

struct instance {    /* Who a number in a journal is. */
    const char *key; /* NULL: neither its start nor a snapshot tells. */
    const char *agent;
};

/* One dump: names of what was met so far, and what is wanted. */
struct dump {
    struct sw_cli *cli;
    struct sw_map *pods;      /* Number: name of the Agent. */
    struct sw_map *instances; /* Number: struct instance. */
    const char *agent, *key;  /* Only these; NULL: all. */
    uint64_t shown;
    struct sw_buffer line;
};

static const char *copy_text(struct dump *dump, struct sw_bytes bytes)
{
    return sw_arena_copy(dump->cli->arena, bytes.data, bytes.size);
}

static enum sw_rc note_pod(struct dump *dump, const struct sw_record_pod *pod, struct sw_err *err)
{
    const char *agent = copy_text(dump, pod->agent);
    void *old;

    /* The value cannot be NULL, so the arena's text serves. */
    if (agent == NULL ||
        sw_map_put(dump->pods, &pod->pod, sizeof pod->pod, (void *)(uintptr_t)agent, &old) != SW_OK)
        return sw_cli_no_memory(err);
    return SW_OK;
}

static enum sw_rc note_instance(struct dump *dump, const struct sw_record_segment *segment,
                                const struct instance **ret_instance, struct sw_err *err)
{
    uint64_t number = segment->instance;
    struct instance *instance = sw_map_find(dump->instances, &number, sizeof number);
    void *old;

    if (instance == NULL) {
        instance = sw_arena_get(dump->cli->arena, sizeof *instance);
        if (instance == NULL ||
            sw_map_put(dump->instances, &number, sizeof number, instance, &old) != SW_OK)
            return sw_cli_no_memory(err);
    }
    if (segment->entry == SW_ENTRY_START)
        instance->key = copy_text(dump, segment->key);
    if (instance->agent == NULL)
        instance->agent = sw_map_find(dump->pods, &segment->pod, sizeof segment->pod);
    *ret_instance = instance;
    return SW_OK;
}

/* Who was there already when the journal's first segment that is left began. */
static enum sw_rc note_block(void *ctx, const struct sw_snapshot_block *block, struct sw_err *err)
{
    struct dump *dump = ctx;
    const struct instance *instance;
    struct sw_record_segment birth = {.entry = SW_ENTRY_START};

    if (block->kind == SW_SNAPSHOT_POD)
        return note_pod(dump, &block->pod, err);
    if (block->kind != SW_SNAPSHOT_INSTANCE)
        return SW_OK;
    birth.instance = block->instance.id;
    birth.pod = block->instance.pod;
    birth.key = block->instance.key;
    return note_instance(dump, &birth, &instance, err);
}

static bool is_wanted(const struct dump *dump, const char *agent, const char *key)
{
    if (dump->agent != NULL && (agent == NULL || strcmp(agent, dump->agent) != 0))
        return false;
    return dump->key == NULL || (key != NULL && strcmp(key, dump->key) == 0);
}

static void print_record(struct dump *dump, const struct sw_journal_entry *entry,
                         const struct sw_record *record, const char *name)
{
    struct sw_buffer safe = {0};

    sw_buffer_reset(&dump->line);
    sw_record_print(record, &dump->line);
    sw_buffer_init(&safe, LINE_BYTES_MAX);
    sw_buffer_print(&safe, "%" PRIu64 "\t%" PRIu64 "\t%s\t", entry->place.lsn, entry->place.epoch,
                    name);
    if (!dump->line.failed)
        sw_output_put_safe(&safe, (const char *)dump->line.data, dump->line.size, false);
    sw_buffer_put_text(&safe, "\n");
    sw_cli_put(dump->cli, &safe);
    sw_buffer_done(&safe);
    dump->shown++;
}

/* Learn what the record says about who is who, and find out whom it is about. */
static enum sw_rc note_record(struct dump *dump, const struct sw_record *record,
                              struct instance *ret_who, struct sw_err *err)
{
    const struct instance *instance = NULL;
    const uint64_t *pod = NULL;
    enum sw_rc rc = SW_OK;

    *ret_who = (struct instance){0};
    if (record->kind == SW_RECORD_POD) {
        rc = note_pod(dump, &record->pod, err);
        pod = &record->pod.pod;
    } else if (record->kind == SW_RECORD_POD_DROP) {
        pod = &record->dropped_pod;
    } else if (record->kind == SW_RECORD_SEGMENT) {
        rc = note_instance(dump, &record->segment, &instance, err);
    }
    if (rc == SW_OK && instance != NULL)
        *ret_who = *instance;
    else if (rc == SW_OK && pod != NULL)
        ret_who->agent = sw_map_find(dump->pods, pod, sizeof *pod);
    return rc;
}

static enum sw_rc visit(void *ctx, const struct sw_journal_entry *entry, struct sw_err *err)
{
    struct dump *dump = ctx;
    struct sw_record record;
    struct instance who;
    char name[NAME_BYTES_MAX];
    const char *agent;
    enum sw_rc rc = sw_record_take(entry->record, &record, err);

    if (rc == SW_OK)
        rc = note_record(dump, &record, &who, err);
    if (rc != SW_OK || !is_wanted(dump, who.agent, who.key))
        return rc;
    agent = who.agent == NULL ? "-" : who.agent;
    if (record.kind != SW_RECORD_SEGMENT)
        (void)snprintf(name, sizeof name, "%s", agent);
    else if (who.key != NULL)
        (void)snprintf(name, sizeof name, "%s/%s", agent, who.key);
    else
        (void)snprintf(name, sizeof name, "%s/#%" PRIu64, agent, record.segment.instance);
    print_record(dump, entry, &record, name);
    return SW_OK;
}

static void print_cut(struct sw_cli *cli, const char *folder,
                      const struct sw_journal_report *report)
{
    sw_cli_say(cli, "%s: %" PRIu64 " records in %" PRIu64 " epochs and %" PRIu64 " segments",
               sw_operator_journal_title(cli, folder), report->records, report->epochs,
               report->segments);
    if (report->torn_bytes > 0)
        sw_cli_say(cli, ", then %" PRIu64 " bytes of an unfinished epoch", report->torn_bytes);
    sw_cli_say(cli, "\n");
}

struct verify {
    struct sw_record_snapshot snapshot; /* That the last record of one names; bytes 0: none. */
    char name[SW_SNAPSHOT_NAME_MAX];
};

/* Each record must be readable, not only its checksum right. */
static enum sw_rc check_record(void *ctx, const struct sw_journal_entry *entry, struct sw_err *err)
{
    struct verify *verify = ctx;
    struct sw_record record;
    enum sw_rc rc = sw_record_take(entry->record, &record, err);

    if (rc == SW_OK && record.kind == SW_RECORD_SNAPSHOT) {
        if (record.snapshot.file.size >= sizeof verify->name)
            rc = sw_err_set(err, SW_E_CORRUPT, "it names a snapshot that is none");
        else
            memcpy(verify->name, record.snapshot.file.data, record.snapshot.file.size);
        verify->snapshot = record.snapshot;
        verify->snapshot.file.data = verify->name;
    }
    if (rc != SW_OK)
        (void)sw_err_context(err, "record %" PRIu64 " of epoch %" PRIu64, entry->place.lsn,
                             entry->place.epoch);
    return rc;
}

/* Names that the records do not tell any more. Of a damaged folder they are left out: a dump is
 * what people make of that as well. */
static void note_names(struct dump *dump, const char *folder)
{
    SW_CLEANUP(sw_snapshot_closep) struct sw_snapshot *snapshot = NULL;
    struct sw_journal_report report = {0};
    struct verify verify = {0};
    struct sw_snapshot_source source = {.system = dump->cli->system,
                                        .folder = folder,
                                        .uuid = report.uuid,
                                        .record = &verify.snapshot};
    struct sw_shelf_options shelf = {.system = dump->cli->system, .folder = folder};
    struct sw_shelf_visitor visitor = {.visit = note_block, .ctx = dump};
    enum sw_rc rc =
        sw_journal_scan(dump->cli->system, folder, check_record, &verify, &report, NULL);

    if (rc != SW_OK || report.first_lsn == SW_JOURNAL_BIRTH_LSN || verify.snapshot.bytes == 0)
        return;
    shelf.uuid = report.uuid;
    rc = sw_shelf_new(&shelf, &visitor.shelf, NULL);
    if (rc == SW_OK)
        rc = sw_snapshot_open(&source, sw_shelf_visit, &visitor, &snapshot, NULL);
    sw_buffer_done(&visitor.block);
    sw_shelf_free(visitor.shelf);
    if (rc != SW_OK)
        sw_cli_say(dump->cli, "%s: its snapshot cannot be read, so some names are missing\n",
                   folder);
}

static enum sw_rc dump_one(struct sw_cli *cli, const char *folder, struct sw_err *err)
{
    struct dump dump = {.cli = cli,
                        .pods = sw_map_new(1),
                        .instances = sw_map_new(2),
                        .agent = sw_arguments_text(cli->arguments, "agent"),
                        .key = sw_arguments_text(cli->arguments, "key")};
    struct sw_journal_report report = {0};
    enum sw_rc rc;

    sw_buffer_init(&dump.line, LINE_BYTES_MAX);
    rc = dump.pods == NULL || dump.instances == NULL ? sw_cli_no_memory(err) : SW_OK;
    if (rc == SW_OK) {
        note_names(&dump, folder);
        rc = sw_journal_scan(cli->system, folder, visit, &dump, &report, err);
    }
    sw_buffer_done(&dump.line);
    sw_map_free(dump.pods);
    sw_map_free(dump.instances);
    if (rc == SW_OK)
        print_cut(cli, folder, &report);
    return rc;
}

enum sw_rc sw_operator_journal_dump(struct sw_cli *cli, struct sw_err *err)
{
    struct sw_operator_journals journals;
    enum sw_rc rc = sw_operator_find_journals(cli, sw_operator_data_folder(cli), &journals, err);

    for (size_t i = 0; i < journals.count && rc == SW_OK; i++)
        rc = dump_one(cli, journals.folders[i], err);
    return rc;
}

/* What the journal begins with is in this file: without it nothing is recovered. */
static enum sw_rc check_snapshot(const struct sw_system *system, const char *folder,
                                 const struct sw_journal_report *report, struct verify *verify,
                                 struct sw_err *err)
{
    SW_CLEANUP(sw_snapshot_closep) struct sw_snapshot *snapshot = NULL;
    struct sw_snapshot_source source = {
        .system = system, .folder = folder, .uuid = report->uuid, .record = &verify->snapshot};
    enum sw_rc rc;

    if (verify->snapshot.bytes == 0 && report->first_lsn == SW_JOURNAL_BIRTH_LSN)
        return SW_OK;
    if (verify->snapshot.bytes == 0 || verify->snapshot.lsn < report->first_lsn)
        return sw_err_set(err, SW_E_CORRUPT,
                          "its beginning is missing, and no snapshot stands for it");
    rc = sw_snapshot_open(&source, NULL, NULL, &snapshot, err);
    if (rc == SW_E_CORRUPT) /* What is damaged was just told. */
        sw_err_hint(err, "without this file no agent of the folder starts: restore the folder from "
                         "a copy");
    return rc;
}

/* Check a journal with the snapshot that it names. */
static enum sw_rc verify_one(struct sw_cli *cli, const char *folder,
                             struct sw_journal_report *ret_report, struct verify *ret_verify,
                             struct sw_err *err)
{
    enum sw_rc rc;

    memset(ret_verify, 0, sizeof *ret_verify);
    rc = sw_journal_scan(cli->system, folder, check_record, ret_verify, ret_report, err);
    if (rc == SW_OK)
        rc = check_snapshot(cli->system, folder, ret_report, ret_verify, err);
    if (rc != SW_OK && strstr(err->message, folder) == NULL)
        (void)sw_err_context(err, "%s", folder);
    return rc;
}

/* --- Snapshots ------------------------------------------------------------------------------- */

/* Read each instance that sleeps by what the snapshot says. */
static enum sw_rc check_shelves(struct sw_cli *cli, const char *path,
                                const struct sw_snapshot_report *report, struct sw_err *err)
{
    struct sw_shelf_visitor visitor = {.shelf = NULL};
    struct sw_snapshot_report again;
    char folder[SW_PATH_MAX];
    struct sw_shelf_options options = {
        .system = cli->system, .folder = folder, .uuid = report->uuid};
    char *slash;
    enum sw_rc rc;

    (void)snprintf(folder, sizeof folder, "%s", path);
    slash = strrchr(folder, '/');
    if (slash == NULL)
        (void)snprintf(folder, sizeof folder, ".");
    else
        *slash = '\0';
    rc = sw_shelf_new(&options, &visitor.shelf, err);
    if (rc == SW_OK)
        rc = sw_snapshot_scan(cli->system, path, sw_shelf_visit, &visitor, &again, err);
    sw_buffer_done(&visitor.block);
    sw_shelf_free(visitor.shelf);
    return rc;
}

/* Read each instance that sleeps by the snapshot that the journal names. */
static enum sw_rc check_sleepers(struct sw_cli *cli, const char *folder,
                                 const struct verify *verify, struct sw_err *err)
{
    struct sw_snapshot_report found = {0};
    char path[SW_PATH_MAX], name[SW_SNAPSHOT_NAME_MAX];
    enum sw_rc rc;

    if (verify->snapshot.bytes == 0)
        return SW_OK;
    sw_snapshot_name(verify->snapshot.lsn, name);
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    rc = sw_snapshot_scan(cli->system, path, NULL, NULL, &found, err);
    return rc == SW_OK && found.asleep > 0 ? check_shelves(cli, path, &found, err) : rc;
}

static enum sw_rc print_snapshot(struct sw_cli *cli, const char *path, const char *what,
                                 struct sw_snapshot_report *report, struct sw_err *err)
{
    enum sw_rc rc = sw_snapshot_scan(cli->system, path, NULL, NULL, report, err);

    if (rc == SW_OK && report->asleep > 0)
        rc = check_shelves(cli, path, report, err);
    if (rc == SW_OK)
        sw_cli_print(cli,
                     "sound %s: %" PRIu64 " instances in %" PRIu64 " Pods, %" PRIu64
                     " of them asleep, %" PRIu64 " waiting messages, %" PRIu64
                     " records to replay, %" PRIu64 " bytes, taken at %" PRIu64 "%s\n",
                     path, report->instances, report->pods, report->asleep, report->messages,
                     report->replayed, report->bytes, report->lsn, what);
    return rc;
}

/* The snapshot of a journal's folder is the one that the journal names. */
static enum sw_rc verify_folder(struct sw_cli *cli, const char *folder, struct sw_err *err)
{
    struct sw_journal_report report;
    struct sw_snapshot_report found;
    struct verify verify;
    char path[SW_PATH_MAX], name[SW_SNAPSHOT_NAME_MAX];
    enum sw_rc rc = verify_one(cli, folder, &report, &verify, err);

    if (rc == SW_OK && verify.snapshot.bytes == 0) {
        sw_cli_print(cli, "none %s: its journal goes back to its birth\n",
                     sw_operator_journal_title(cli, folder));
        return SW_OK;
    }
    if (rc != SW_OK)
        return rc;
    sw_snapshot_name(verify.snapshot.lsn, name);
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return print_snapshot(cli, path, ", named by its journal", &found, err);
}

enum sw_rc sw_operator_check_journal(struct sw_cli *cli, const char *folder,
                                     struct sw_journal_report *ret_report, struct sw_err *err)
{
    struct verify verify;
    enum sw_rc rc = verify_one(cli, folder, ret_report, &verify, err);

    return rc == SW_OK ? check_sleepers(cli, folder, &verify, err) : rc;
}

enum sw_rc sw_operator_snapshot_verify(struct sw_cli *cli, struct sw_err *err)
{
    const char *path =
        sw_arguments_count(cli->arguments) > 0 ? sw_arguments_at(cli->arguments, 0) : NULL;
    struct sw_operator_journals journals = {.count = 0};
    struct sw_snapshot_report report;
    struct sw_file_view view;
    enum sw_rc rc = SW_OK;

    if (path == NULL) {
        rc = sw_operator_find_journals(cli, sw_operator_data_folder(cli), &journals, err);
        for (size_t i = 0; rc == SW_OK && i < journals.count; i++)
            rc = verify_folder(cli, journals.folders[i], err);
        return rc;
    }
    rc = cli->system->path_view(cli->system->ctx, path, &view, err);
    if (rc != SW_OK)
        return rc;
    return view.is_folder ? verify_folder(cli, path, err)
                          : print_snapshot(cli, path, "", &report, err);
}

/* All journals, with what their snapshots say of instances that sleep or without. */
static enum sw_rc verify_journals(struct sw_cli *cli, bool reads_shelves, struct sw_err *err)
{
    struct sw_operator_journals journals;
    struct sw_journal_report report;
    struct verify verify;
    enum sw_rc rc = sw_operator_find_journals(cli, sw_operator_data_folder(cli), &journals, err);

    for (size_t i = 0; i < journals.count && rc == SW_OK; i++) {
        const char *folder = journals.folders[i];

        rc = verify_one(cli, folder, &report, &verify, err);
        if (rc == SW_OK && reads_shelves)
            rc = check_sleepers(cli, folder, &verify, err);
        if (rc != SW_OK)
            return rc;
        sw_cli_print(cli,
                     "sound %s: %" PRIu64 " records, %" PRIu64 " epochs, %" PRIu64
                     " segments, the last epoch is %" PRIu64,
                     sw_operator_journal_title(cli, folder), report.records, report.epochs,
                     report.segments, report.last_epoch);
        if (verify.snapshot.bytes > 0)
            sw_cli_print(cli, ", a snapshot of %" PRIu64 " bytes", verify.snapshot.bytes);
        if (report.torn_bytes > 0)
            sw_cli_print(cli, "; %" PRIu64 " bytes of an unfinished epoch follow",
                         report.torn_bytes);
        sw_cli_print(cli, "\n");
    }
    return rc;
}

enum sw_rc sw_operator_journal_verify(struct sw_cli *cli, struct sw_err *err)
{
    return verify_journals(cli, false, err);
}

/* --- All of it ------------------------------------------------------------------------------- */

static enum sw_rc check_usage(struct sw_cli *cli, struct sw_err *err)
{
    const char *data = sw_operator_data_folder(cli);
    uint64_t spaces;
    enum sw_rc rc = sw_hosts_usage_check(cli->system, data, &spaces, err);

    if (rc == SW_OK)
        sw_cli_print(cli, "sound %s/" SW_HOSTS_USAGE_FILE ", %" PRIu64 " namespaces\n", data,
                     spaces);
    return rc == SW_E_NOT_FOUND ? SW_OK : rc;
}

static enum sw_rc check_ledger(struct sw_cli *cli, struct sw_err *err)
{
    const char *folder = sw_cli_format(cli, "%s/" SW_ARCHIVE_LEDGER, sw_operator_data_folder(cli));
    struct sw_journal_report report = {0};
    enum sw_rc rc = sw_ledger_check(cli->system, folder, &report, err);

    if (rc == SW_OK)
        sw_cli_print(cli, "sound %s, %" PRIu64 " records\n", folder, report.records);
    return rc == SW_E_NOT_FOUND ? SW_OK : rc;
}

enum sw_rc sw_operator_check(struct sw_cli *cli, struct sw_err *err)
{
    struct sw_operator_journals journals;
    struct sw_err none = {0};
    struct sw_lineage lineage;
    enum sw_rc rc = sw_lineage_load(cli->system, sw_operator_data_folder(cli), &lineage, err);

    if (rc == SW_OK || rc == SW_E_NOT_FOUND)
        rc = sw_operator_store_verify(cli, err);
    if (rc == SW_OK)
        rc = check_usage(cli, err);
    if (rc == SW_OK)
        rc = check_ledger(cli, err);
    if (rc != SW_OK)
        return rc;
    /* A node that has never run an agent has no journal. */
    if (sw_operator_find_journals(cli, sw_operator_data_folder(cli), &journals, &none) ==
        SW_E_NOT_FOUND) {
        sw_cli_print(cli, "no journals below %s\n", sw_operator_data_folder(cli));
        return SW_OK;
    }
    return verify_journals(cli, true, err);
}
