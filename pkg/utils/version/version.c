#include "pkg/utils/version/version.h"

#ifndef SW_VERSION
#define SW_VERSION "0.1.0"
#endif
#ifndef SW_VERSION_COMMIT
#define SW_VERSION_COMMIT "unknown"
#endif

const char *sw_version(void)
{
    return SW_VERSION;
}

const char *sw_version_commit(void)
{
    return SW_VERSION_COMMIT;
}
