/* HTTP/2 frames from anybody, after the preface and empty settings. */
/* uses: pkg/communication/protocol */
/* covers: pkg/communication/protocol/h2.c */
#include "test/fuzz/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char prologue[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                                   "\0\0\0\4\0\0\0\0\0";

    harness_run(prologue, sizeof prologue - 1, data, size);
    return 0;
}
