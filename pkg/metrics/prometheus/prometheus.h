/* The figures of a collector in the text format of Prometheus, version 0.0.4.
 *
 * Threads: the collector's.  I/O: none. */
#pragma once
#include "pkg/metrics/collector/collector.h"
#include "pkg/utils/base/buffer.h"

#define SW_PROMETHEUS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Append all figures. Check the buffer: what does not fit its size_max marks it failed. */
void sw_prometheus_print(struct sw_collector *collector, struct sw_buffer *out);
