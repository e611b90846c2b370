#include "pkg/backup/archive/names.h"

#include "pkg/utils/base/text.h"

#include <string.h>

#define LABEL_MAX 63u
#define DIGEST_DIGITS 64u

/* Take a prefix away.  False: it is not there. */
static bool skip(const char **at, const char *prefix)
{
    size_t size = strlen(prefix);

    if (strncmp(*at, prefix, size) != 0)
        return false;
    *at += size;
    return true;
}

static bool skip_hex(const char **at, size_t digits)
{
    if (strspn(*at, "0123456789abcdef") < digits)
        return false;
    *at += digits;
    return true;
}

/* A label and the slash after it. */
static bool skip_label(const char **at)
{
    char label[LABEL_MAX + 1];
    size_t size = strcspn(*at, "/");

    if (size == 0 || size > LABEL_MAX || (*at)[size] != '/')
        return false;
    memcpy(label, *at, size);
    label[size] = '\0';
    *at += size + 1;
    return sw_text_is_label(label, LABEL_MAX);
}

static bool is_journal_file(const char *at)
{
    static const struct {
        const char *prefix, *suffix;
        size_t digits;
    } forms[] = {{"journal-", ".seg", 16}, {"snapshot-", ".snap", 16}, {"shelf-", ".shelf", 8}};

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const char *rest = at;

        if (skip(&rest, forms[i].prefix) && skip_hex(&rest, forms[i].digits) &&
            strcmp(rest, forms[i].suffix) == 0)
            return true;
    }
    return false;
}

static bool is_segment(const char *at)
{
    return skip(&at, "journal-") && skip_hex(&at, 16) && strcmp(at, ".seg") == 0;
}

static bool is_history_file(const char *at)
{
    return skip(&at, "history-") && skip_hex(&at, 16) && skip(&at, "-") && skip_hex(&at, 16) &&
           skip(&at, "-") && skip_hex(&at, 16) && strcmp(at, ".hist") == 0;
}

/* What is in the folder of a host. */
static bool is_of_host(const char *at)
{
    return strcmp(at, "agents-journal") == 0 ||
           (skip(&at, "agents/") && (is_journal_file(at) || is_history_file(at)));
}

static bool is_engine_file(const char *at)
{
    return skip_hex(&at, DIGEST_DIGITS) && skip(&at, "/") &&
           (strcmp(at, "swarm-agent-host") == 0 || strcmp(at, "swarm-compiler") == 0 ||
            strcmp(at, "libwasmtime.so") == 0);
}

bool sw_archive_name_is_valid(const char *name)
{
    const char *at = name;

    if (strlen(name) > SW_ARCHIVE_NAME_MAX)
        return false;
    if (strcmp(name, SW_ARCHIVE_STORE) == 0 || is_of_host(name))
        return true;
    if (skip(&at, "modules/"))
        return skip_label(&at) && skip_hex(&at, DIGEST_DIGITS) && strcmp(at, ".wasm") == 0;
    if (skip(&at, "engines/"))
        return is_engine_file(at);
    if (skip(&at, SW_ARCHIVE_LEDGER "/"))
        return is_segment(at);
    if (strcmp(name, "hosts/usage") == 0)
        return true;
    if (!skip(&at, "hosts/") || (!skip(&at, "namespace-") && !skip(&at, "agent-")))
        return false;
    return skip_label(&at) &&
           (strcmp(at, "host") == 0 || strcmp(at, "usage") == 0 || is_of_host(at));
}
