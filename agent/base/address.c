/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <string.h>

size_t ip_address_size(uint8_t family)
{
    assert(family == AF_INET || family == AF_INET6);
    return family == AF_INET ? 4 : 16;
}

unsigned ip_address_bits(uint8_t family)
{
    return (unsigned)ip_address_size(family) * 8;
}

int ip_address_parse(const char *text, struct ip_address *ret)
{
    struct ip_address address = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};

    if (inet_pton(address.family, text, address.bytes) != 1)
        return -EINVAL;
    *ret = address;
    return 0;
}

const char *ip_address_format(const struct ip_address *address, char text[static IP_ADDRESS_TEXT])
{
    if (address->family == AF_UNSPEC || !inet_ntop(address->family, address->bytes, text, IP_ADDRESS_TEXT))
        memcpy(text, "-", 2);
    return text;
}

struct ip_address ip_address_of(uint8_t family, const void *bytes)
{
    struct ip_address address = {.family = family};

    memcpy(address.bytes, bytes, ip_address_size(family));
    return address;
}

bool ip_address_equal(const struct ip_address *a, const struct ip_address *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

bool ip_address_same_net(const struct ip_address *a, const struct ip_address *b, unsigned prefix)
{
    unsigned whole = prefix / 8, rest = prefix % 8;

    if (a->family != b->family || prefix > ip_address_bits(a->family))
        return false;
    if (memcmp(a->bytes, b->bytes, whole) != 0)
        return false;
    return rest == 0 || ((a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest)) == 0;
}

bool ip_address_is_unspecified(const struct ip_address *address)
{
    static const uint8_t zero[16];

    return memcmp(address->bytes, zero, sizeof zero) == 0;
}

bool ip_address_is_multicast(const struct ip_address *address)
{
    if (address->family == AF_INET6)
        return address->bytes[0] == 0xff;
    return address->family == AF_INET && (address->bytes[0] & 0xf0) == 0xe0;
}

bool ip_address_is_link_local(const struct ip_address *address)
{
    if (address->family == AF_INET6)
        return address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80;
    return address->family == AF_INET && address->bytes[0] == 169 && address->bytes[1] == 254;
}

uint64_t ip_address_hash(const struct ip_address *address, uint64_t seed)
{
    uint64_t high, low;

    memcpy(&high, address->bytes, sizeof high);
    memcpy(&low, address->bytes + 8, sizeof low);
    /* Two rounds of a multiply-and-fold mix: enough spread for a table whose seed is secret. */
    for (int round = 0; round < 2; round++) {
        unsigned __int128 product =
            (unsigned __int128)(high ^ seed ^ address->family) * ((low ^ seed) | 0x9e3779b97f4a7c15);
        high = (uint64_t)product ^ low;
        low = (uint64_t)(product >> 64) ^ high;
    }
    return high ^ low;
}

const char *mac_address_format(const struct mac_address *mac, char text[static MAC_ADDRESS_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    char *out = text;

    for (size_t i = 0; i < sizeof mac->bytes; i++) {
        *out++ = digits[mac->bytes[i] >> 4];
        *out++ = digits[mac->bytes[i] & 0xf];
        *out++ = i + 1 < sizeof mac->bytes ? ':' : '\0';
    }
    return text;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int mac_address_parse(const char *text, struct mac_address *ret)
{
    struct mac_address mac;

    for (size_t i = 0; i < sizeof mac.bytes; i++, text += 3) {
        int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);

        if (low < 0 || text[2] != (i + 1 < sizeof mac.bytes ? ':' : '\0'))
            return -EINVAL;
        mac.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *ret = mac;
    return 0;
}

bool mac_address_equal(const struct mac_address *a, const struct mac_address *b)
{
    return mac_address_compare(a, b) == 0;
}

bool mac_address_is_unset(const struct mac_address *mac)
{
    return mac_address_equal(mac, &(const struct mac_address){{0}});
}

int mac_address_compare(const struct mac_address *a, const struct mac_address *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}
