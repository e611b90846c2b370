/* uses: pkg/agent/modules */
/* covers: pkg/agent/modules/parse.c pkg/agent/modules/code.c pkg/agent/modules/validate.c */
#include "pkg/agent/modules/validate.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever arrives is judged, twice alike, and a refusal has words. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sw_module_view view = {0};
    struct sw_err err = {0};
    enum sw_rc rc = sw_module_validate((struct sw_bytes){data, size}, &view, &err);

    assert(rc == SW_OK || (err.rc == rc && err.message[0] != '\0'));
    assert(rc != SW_OK || view.memory_bytes <= view.memory_max_bytes);
    assert(sw_module_validate((struct sw_bytes){data, size}, NULL, NULL) == rc);
    return 0;
}
