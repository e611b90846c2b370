/* What bridges and swarmd hand to each other: a message between two agent hosts, as laid out in the
 * body of a call of the service and of the message that it becomes. Numbers are little-endian.
 *
 *     struct sw_envelope, then: name, to, subject, type, body
 *
 * A/a writes to R/k of another host: its bridge there, the instance R/k, writes name "A/a" and to
 * "R/k"; swarmd checks that A runs in the host that says so and R in another one, and hands it to
 * the bridge of A in that: the instance A/a. So whoever writes is known by its own name.
 * Threads: values.  I/O: none.  Limits: SW_ENVELOPE_BYTES_MAX. */
#pragma once
#include <stdint.h>

#define SW_ENVELOPE_BYTES_MAX (4u << 20)
#define SW_ENVELOPE_NAME_MAX 319u /* "agent/key" */
#define SW_ENVELOPE_TEXT_MAX 255u
#define SW_BRIDGE_SERVICE "swarm.bridge"
/* Agents of ours in a host, beside the bridges; nobody else has such a name. */
#define SW_BRIDGE_OUT "_out" /* Each of its instances has one envelope under way, and waits. */
#define SW_BRIDGE_BUS "_bus" /* Hears what is published. */

enum sw_envelope_kind {
    SW_ENVELOPE_SEND = 1, /* A message of `name` to `to`. */
    SW_ENVELOPE_REPLY,    /* The answer of `name` to the SEND of `to` with this `asked`. */
    SW_ENVELOPE_PUBLISH   /* What `name` published: for all other hosts. */
};

struct sw_envelope {
    uint8_t kind, priority;
    uint16_t name_size, to_size, subject_size, type_size;
    uint16_t zero;
    int32_t status;          /* REPLY. */
    uint64_t stream, number; /* Of its sender: pkg/communication/streams. */
    uint64_t asked;          /* SEND: its number if an answer is wanted, else 0. REPLY: that. */
    uint32_t body_size, zero_too;
};
_Static_assert(sizeof(struct sw_envelope) == 48, "the layout that both sides have");
