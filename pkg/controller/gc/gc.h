/* Objects whose owners are all gone are deleted. An owner is the same only with the same uid: one
 * of that name made anew keeps nothing alive. Threads: the loop's.  I/O: the store's.  Limits:
 * SW_GC_DELETES_MAX deletions in one pass. */
#pragma once
#include "pkg/controller/reconciler/reconciler.h"

#define SW_GC_DELETES_MAX 200

/* One pass over the objects of the namespace of this name; "-": those outside of namespaces. */
SW_MUST_CHECK enum sw_rc sw_gc_reconcile(void *ctx, struct sw_pass *pass, struct sw_err *err);
