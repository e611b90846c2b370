#include "pkg/cli/operator/operator.h"
#include "pkg/agent/hosts/hosts.h"

#include <string.h>

#define SYSTEM_FOLDER "/var/lib/swarm"
#define DEPTH_MAX 4
#define SEGMENT_PREFIX "journal-"
#define LEDGER_FOLDER "ledger"
#define SEGMENT_SUFFIX ".seg"

static bool is_folder(struct sw_cli *cli, const char *path)
{
    struct sw_file_view view = {0};
    struct sw_err ignored = {0};

    return cli->system->path_view(cli->system->ctx, path, &view, &ignored) == SW_OK &&
           view.is_folder;
}

const char *sw_operator_data_folder(struct sw_cli *cli)
{
    const struct sw_terminal *terminal = cli->terminal;
    const char *given = sw_arguments_text(cli->arguments, "data");
    const char *xdg = terminal->variable(terminal->ctx, "XDG_DATA_HOME");
    const char *home = terminal->variable(terminal->ctx, "HOME");
    const char *folder;

    if (given == NULL)
        given = terminal->variable(terminal->ctx, "SWARM_DATA");
    if (given != NULL && given[0] != '\0')
        return given;
    folder = xdg != NULL && xdg[0] == '/'
                 ? sw_cli_format(cli, "%s/swarm", xdg)
                 : sw_cli_format(cli, "%s/.local/share/swarm", home == NULL ? "" : home);
    return is_folder(cli, folder) ? folder : SYSTEM_FOLDER;
}

const char *sw_operator_store_path(struct sw_cli *cli)
{
    const char *file = sw_arguments_text(cli->arguments, "file");

    return file != NULL
               ? file
               : sw_cli_format(cli, "%s/" SW_OPERATOR_STORE_FILE, sw_operator_data_folder(cli));
}

/* A walk through the data folder. */
struct search {
    struct sw_cli *cli;
    struct sw_operator_journals *journals;
    const char *folder; /* That is being listed. */
    const char *deeper[SW_OPERATOR_JOURNALS_MAX];
    size_t deeper_count;
    bool has_segments;
};

static bool visit(void *ctx, const char *name)
{
    struct search *search = ctx;
    size_t size = strlen(name);
    const char *path;

    if (size > strlen(SEGMENT_PREFIX SEGMENT_SUFFIX) &&
        strncmp(name, SEGMENT_PREFIX, strlen(SEGMENT_PREFIX)) == 0 &&
        strcmp(name + size - strlen(SEGMENT_SUFFIX), SEGMENT_SUFFIX) == 0) {
        search->has_segments = true;
        return true;
    }
    if (strcmp(name, LEDGER_FOLDER) == 0)
        return true; /* Its records are the ledger's, not of agents. */
    path = sw_cli_format(search->cli, "%s/%s", search->folder, name);
    if (search->deeper_count < SW_OPERATOR_JOURNALS_MAX && is_folder(search->cli, path))
        search->deeper[search->deeper_count++] = path;
    return true;
}

static enum sw_rc search_level(struct sw_cli *cli, struct sw_operator_journals *journals,
                               const char *const *folders, size_t count, struct search *ret_next,
                               struct sw_err *err)
{
    enum sw_rc rc = SW_OK;

    *ret_next = (struct search){.cli = cli, .journals = journals};
    for (size_t i = 0; i < count && rc == SW_OK; i++) {
        ret_next->folder = folders[i];
        ret_next->has_segments = false;
        rc = cli->system->folder_list(cli->system->ctx, folders[i], visit, ret_next, err);
        if (ret_next->has_segments && journals->count < SW_OPERATOR_JOURNALS_MAX)
            journals->folders[journals->count++] = folders[i];
    }
    return rc;
}

enum sw_rc sw_operator_find_journals(struct sw_cli *cli, const char *data,
                                     struct sw_operator_journals *ret_journals, struct sw_err *err)
{
    const char *level[SW_OPERATOR_JOURNALS_MAX] = {data};
    struct search next;
    size_t count = 1;
    enum sw_rc rc = SW_OK;

    ret_journals->count = 0;
    for (size_t depth = 0; depth < DEPTH_MAX && count > 0 && rc == SW_OK; depth++) {
        rc = search_level(cli, ret_journals, level, count, &next, err);
        memcpy(level, next.deeper, sizeof level);
        count = next.deeper_count;
    }
    if (rc == SW_OK && ret_journals->count == 0)
        rc = sw_err_set(err, SW_E_NOT_FOUND, "there is no journal below %s", data);
    if (rc == SW_E_NOT_FOUND)
        sw_err_hint(err, "name the daemon's folder with --data");
    return rc;
}

const char *sw_operator_journal_title(struct sw_cli *cli, const char *folder)
{
    char name[SW_HOST_NAME_SIZE];

    sw_hosts_name_of(cli->system, folder, name);
    return strcmp(name, "shared") == 0 ? folder : sw_cli_format(cli, "%s of %s", folder, name);
}
