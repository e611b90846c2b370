/* A collection of documents in one process: the ranking that examples/librarian must agree with.
 *
 * It shares the definition of words, passages and scores with the agents, and nothing of how they
 * gather statistics and bids.
 * Threads: one at a time.  I/O: none.  Limits: memory. */
#pragma once
#include "pkg/utils/base/buffer.h"

struct collection_check; /* Opaque. */

struct collection_check *collection_check_new(void);
void collection_check_free(struct collection_check *check);
/* Add a document; key and text are copied. False when memory is out. */
bool collection_check_add(struct collection_check *check, const char *key, struct sw_bytes text);
size_t collection_check_count(const struct collection_check *check);
/* Append the answer as the librarian gives it in JSON, with so many results.
 * False when memory is out. */
bool collection_check_ask(struct collection_check *check, const char *question, unsigned limit,
                          struct sw_buffer *out);
