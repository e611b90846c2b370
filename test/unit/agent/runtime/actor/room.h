/* What the namespace "default" takes on the disk, and what it may; for test_storage.c and
 * test_keeper.c, behind the header that has `actors`. */
#pragma once
#include "test/support/actors.h"

static inline struct sw_account *space(void)
{
    struct sw_account *account = sw_map_find(actors.shared.accounts.spaces, "default", 7);

    assert_non_null(account);
    return account;
}

static inline uint64_t used(void)
{
    return atomic_load(&space()->quota.storage_bytes);
}

static inline void set_storage(uint64_t bytes)
{
    const struct sw_quota_limits limits = {SW_QUOTA_NONE, SW_QUOTA_NONE, 0, 0, bytes, 0, 0};

    assert_int_equal(
        sw_accounts_set_quota(&actors.shared.accounts, script_text("default"), &limits, 0), SW_OK);
}
