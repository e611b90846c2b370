/* Which addresses are machines on the internet. For the files of this room, and its tests.
 *
 * Threads, I/O, Limits: none. */
#pragma once
#include <stdbool.h>

struct sockaddr;

/* False for what is private, local, reserved, or no address of IP: IANA's registries of special
 * addresses (RFC 6890), and those of IPv6 in which one of IPv4 may hide. */
bool sw_address_is_public(const struct sockaddr *address);
