#include "pkg/cli/commands/body.h"
#include "pkg/cli/commands/commands.h"

#include <inttypes.h>

enum sw_rc sw_command_publish(struct sw_cli *cli, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer body = {0};
    const char *type = NULL;
    uint64_t subscribers = 0;
    enum sw_rc rc;

    sw_buffer_init(&body, SW_BODY_BYTES_MAX);
    rc = sw_body_load(cli, 1, &body, &type, err);
    if (rc == SW_OK)
        rc = sw_cli_connect(cli, err);
    if (rc == SW_OK)
        rc = sw_client_publish(cli->client,
                               &(struct sw_client_publication){
                                   .namespace = cli->namespace,
                                   .subject = sw_arguments_at(cli->arguments, 0),
                                   .content_type = type,
                                   .request_id = sw_arguments_text(cli->arguments, "request-id"),
                                   .body = {body.data, body.size}},
                               &subscribers, err);
    if (rc == SW_OK && !cli->is_quiet)
        sw_cli_print(cli, "published to %" PRIu64 " subscriber%s\n", subscribers,
                     subscribers == 1 ? "" : "s");
    return rc;
}
