#include "pkg/cli/commands/body.h"
#include "pkg/utils/base/text.h"

#include <string.h>

enum sw_rc sw_body_load(struct sw_cli *cli, size_t index, struct sw_buffer *out,
                        const char **ret_type, struct sw_err *err)
{
    const char *text = sw_arguments_at(cli->arguments, index);
    const char *file = sw_arguments_text(cli->arguments, "filename");
    const char *type = sw_arguments_text(cli->arguments, "type");
    enum sw_rc rc = SW_OK;

    if ((text == NULL) == (file == NULL))
        return sw_cli_usage(cli, err,
                            text == NULL ? "the message lacks a body: a text, or -f FILE"
                                         : "a text and -f do not go together");
    if (text != NULL)
        sw_buffer_put_text(out, text);
    else if (strcmp(file, "-") == 0)
        rc = cli->terminal->read(cli->terminal->ctx, SW_BODY_BYTES_MAX, out, err);
    else
        rc = sw_file_load(cli->system, file, SW_BODY_BYTES_MAX, out, err);
    if (rc != SW_OK)
        return rc;
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
