/* Namespaces that are being deleted: everything in them is deleted, and when nothing is left they
 * go. Threads: the loop's.  I/O: the store's.  Limits: SW_NAMESPACE_DELETES_MAX deletions in one
 * pass. */
#pragma once
#include "pkg/controller/reconciler/reconciler.h"

#define SW_NAMESPACE_DELETES_MAX 200

/* One pass over the namespace of this name. */
SW_MUST_CHECK enum sw_rc sw_namespace_reconcile(void *ctx, struct sw_pass *pass,
                                                struct sw_err *err);
