/* HTTP/1.1 as it arrives from anybody: heads, bodies, chunks, pipelines. */
/* uses: pkg/communication/protocol */
/* covers: pkg/communication/protocol/h1_head.c pkg/communication/protocol/h1.c */
#include "test/fuzz/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    harness_run("", 0, data, size);
    return 0;
}
