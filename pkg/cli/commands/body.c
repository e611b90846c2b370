#include "pkg/cli/commands/body.h"
#include "pkg/utils/base/text.h"

#include <string.h>

/* What is in out has a type: what was said, or what it looks like. */
static enum sw_rc settle(struct sw_cli *cli, const struct sw_buffer *out, const char **ret_type,
                         struct sw_err *err)
{
    const char *type = sw_arguments_text(cli->arguments, "type");

    if (sw_buffer_check(out) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "the message is larger than %zu bytes",
                          SW_BODY_BYTES_MAX);
    if (type == NULL)
        type = out->size == 0 || sw_text_is_utf8((const char *)out->data, out->size)
                   ? "text/plain"
                   : "application/octet-stream";
    *ret_type = type;
    return SW_OK;
}

enum sw_rc sw_body_load_file(struct sw_cli *cli, const char *file, struct sw_buffer *out,
                             const char **ret_type, struct sw_err *err)
{
    enum sw_rc rc = strcmp(file, "-") == 0
                        ? cli->terminal->read(cli->terminal->ctx, SW_BODY_BYTES_MAX, out, err)
                        : sw_file_load(cli->system, file, SW_BODY_BYTES_MAX, out, err);

    return rc == SW_OK ? settle(cli, out, ret_type, err) : rc;
}

enum sw_rc sw_body_load(struct sw_cli *cli, size_t index, struct sw_buffer *out,
                        const char **ret_type, struct sw_err *err)
{
    const char *text = sw_arguments_at(cli->arguments, index);
    const char *file = sw_arguments_text(cli->arguments, "filename");

    if ((text == NULL) == (file == NULL))
        return sw_cli_usage(cli, err,
                            text == NULL ? "the message lacks a body: a text, or -f FILE"
                                         : "a text and -f do not go together");
    if (file != NULL)
        return sw_body_load_file(cli, file, out, ret_type, err);
    sw_buffer_put_text(out, text);
    return settle(cli, out, ret_type, err);
}
