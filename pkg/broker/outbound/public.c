#include "pkg/broker/outbound/public.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

struct net { /* Of IPv4. */
    uint32_t begin;
    unsigned bits;
};

static bool is_in(uint32_t address, const struct net *net)
{
    return (address ^ net->begin) >> (32 - net->bits) == 0;
}

static bool is_public_4(uint32_t address)
{
    static const struct net special[] = {
        {0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},  {0xa9fe0000, 16},
        {0xac100000, 12}, {0xc0000000, 24}, {0xc0000200, 24}, {0xc0586300, 24}, {0xc0a80000, 16},
        {0xc6120000, 15}, {0xc6336400, 24}, {0xcb007100, 24}, {0xe0000000, 3}};

    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
        if (is_in(address, &special[i]))
            return false;
    return true;
}

/* Only what is given out for unicast (2000::/3), without Teredo and the like (2001::/23),
 * documentation (2001:db8::/32, 3fff::/20) and 6to4 (2002::/16). */
static bool is_public_6(const uint8_t bytes[16])
{
    bool is_special =
        (bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] <= 0x01) ||
        (bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] == 0x0d && bytes[3] == 0xb8) ||
        (bytes[0] == 0x20 && bytes[1] == 0x02) ||
        (bytes[0] == 0x3f && bytes[1] == 0xff && bytes[2] <= 0x0f);

    return bytes[0] >> 5 == 1 && !is_special;
}

bool sw_address_is_public(const struct sockaddr *address)
{
    struct sockaddr_in four;
    struct sockaddr_in6 six;

    if (address->sa_family == AF_INET) {
        memcpy(&four, address, sizeof four);
        return is_public_4(ntohl(four.sin_addr.s_addr));
    }
    if (address->sa_family != AF_INET6)
        return false;
    memcpy(&six, address, sizeof six);
    return is_public_6(six.sin6_addr.s6_addr);
}
