/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that claim to be an echo reply. The first byte chooses the family, the next two the identifier, the rest is the
 * message. What is accepted must be, but for type and checksum, the very request of the token that it yields; and the
 * reply to a request with a token made of the same bytes must yield that token.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "probes/icmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* Type and checksum are all that a host may change. */
static bool is_reply_to(const uint8_t *reply, const uint8_t *request)
{
    return reply[1] == request[1] && memcmp(reply + 4, request + 4, ICMP_PROBE_BYTES - 4) == 0;
}

static void round_trip(uint8_t family, uint16_t identifier, const struct probe_token *token)
{
    uint8_t bytes[ICMP_PROBE_BYTES];
    struct probe_token back;

    icmp_probe_build(bytes, family, identifier, token);
    check(icmp_probe_parse(bytes, sizeof bytes, family, identifier, &back) < 0);
    if (family == AF_INET) {
        uint32_t sum;

        /* RFC 1624: the type falls by 8 in the high byte, so the complement of the sum rises by 0x800. */
        bytes[0] = 0;
        sum = ((uint32_t)bytes[2] << 8 | bytes[3]) + 0x800;
        sum = (sum & 0xffff) + (sum >> 16);
        bytes[2] = (uint8_t)(sum >> 8);
        bytes[3] = (uint8_t)sum;
    } else {
        bytes[0] = 129;
    }
    check(icmp_probe_parse(bytes, sizeof bytes, family, identifier, &back) == 0);
    check(memcmp(&back, token, sizeof back) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t family, request[ICMP_PROBE_BYTES];
    uint16_t identifier;
    struct probe_token token;

    if (size < 3)
        return 0;
    family = data[0] & 1 ? AF_INET6 : AF_INET;
    identifier = (uint16_t)(data[1] << 8 | data[2]);
    data += 3;
    size -= 3;
    if (icmp_probe_parse(data, size, family, identifier, &token) == 0) {
        icmp_probe_build(request, family, identifier, &token);
        check(size == sizeof request && is_reply_to(data, request));
    }
    if (size >= sizeof token) {
        memcpy(&token, data, sizeof token);
        if (token.sequence != 0)
            round_trip(family, identifier, &token);
    }
    return 0;
}
