#include "pkg/agent/abi/entry.h"

const char *sw_guest_end_name(enum sw_guest_end end)
{
    static const char *const names[] = {
        [SW_GUEST_DONE] = "done",
        [SW_GUEST_WAITING] = "waiting",
        [SW_GUEST_FAILED] = "failed",
        [SW_GUEST_TRAPPED] = "trapped",
        [SW_GUEST_DEADLINE] = "deadline",
        [SW_GUEST_NO_MEMORY] = "no-memory",
        [SW_GUEST_OUT_OF_FUEL] = "out-of-fuel",
        [SW_GUEST_CRASHED] = "crashed",
    };

    return names[end];
}
