#include "pkg/cli/operator/operator.h"
#include "pkg/store/sqlite/sqlite.h"

#include <inttypes.h>

static void print_report(struct sw_cli *cli, const char *word, const char *path,
                         const struct sw_sqlite_report *report)
{
    sw_cli_print(cli,
                 "%s %s: revision %" PRIu64 ", %" PRIu64 " objects, %.1f KiB, format %" PRIu32 "\n",
                 word, path, report->revision, report->items, (double)report->bytes / 1024.0,
                 report->format);
}

enum sw_rc sw_operator_store_backup(struct sw_cli *cli, struct sw_err *err)
{
    const char *target = sw_arguments_at(cli->arguments, 0);
    struct sw_sqlite_report report = {0};
    enum sw_rc rc =
        sw_sqlite_backup(cli->system, sw_operator_store_path(cli), target, &report, err);

    if (rc == SW_OK)
        print_report(cli, "saved and verified", target, &report);
    return rc;
}

enum sw_rc sw_operator_store_restore(struct sw_cli *cli, struct sw_err *err)
{
    const char *backup = sw_arguments_at(cli->arguments, 0);
    const char *path = sw_operator_store_path(cli);
    struct sw_sqlite_report report = {0};
    enum sw_rc rc;

    if (!sw_arguments_is(cli->arguments, "yes", false)) {
        (void)sw_cli_usage(cli, err, "%s would take the place of %s", backup, path);
        sw_err_hint(err,
                    "say --yes to do it; keep the present one with: swarmctl store backup FILE");
        return SW_E_INVALID;
    }
    rc = sw_sqlite_restore(cli->system, backup, path, &report, err);
    if (rc == SW_E_PRECONDITION)
        sw_err_hint(err, "stop the daemon first");
    if (rc == SW_OK)
        print_report(cli, "restored", path, &report);
    return rc;
}

enum sw_rc sw_operator_store_verify(struct sw_cli *cli, struct sw_err *err)
{
    const char *file = sw_arguments_at(cli->arguments, 0);
    struct sw_sqlite_report report = {0};
    enum sw_rc rc;

    if (file == NULL)
        file = sw_operator_store_path(cli);
    rc = sw_sqlite_verify(file, &report, err);
    if (rc == SW_OK)
        print_report(cli, "sound", file, &report);
    return rc;
}
