/* Records in words, for Events, dead letters and people.
 *
 * Threads: any.  I/O: none.  Limits: those of the buffer. */
#pragma once
#include "pkg/agent/store/record.h"

const char *sw_entry_name(enum sw_entry entry);       /* "message" */
const char *sw_outcome_name(enum sw_outcome outcome); /* "trapped" */
/* The same as a reason of Events and dead letters: "Trapped". */
const char *sw_outcome_reason(enum sw_outcome outcome);
const char *sw_record_kind_name(enum sw_record_kind kind);
/* One line about a record for people, without its lsn and epoch, appended to out. */
void sw_record_print(const struct sw_record *record, struct sw_buffer *out);
