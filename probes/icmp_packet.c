/* SPDX-License-Identifier: Apache-2.0 */
/* The echo messages as bytes: RFC 792 (IPv4) and RFC 4443 section 4 (IPv6). Pure. */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "probes/icmp.h"

/* The header is laid out alike in both families. */
struct echo {
    uint8_t type;        /* request or reply */
    uint8_t code;        /* always 0 */
    uint16_t checksum;   /* of all that follows IPv4's header; IPv6: with a pseudo-header */
    uint16_t identifier; /* which process asked */
    uint16_t sequence;   /* low half of the token's */
    char magic[8];       /* tells our echoes from another program's with the same identifier */
    uint32_t token_id;
    uint32_t token_sequence;
    uint64_t token_nonce; /* as it is in memory: only this process reads it */
};
_Static_assert(sizeof(struct echo) == ICMP_PROBE_BYTES, "no gaps");

static const char magic[8] = "standin";

/* RFC 1071. 0 over a message that holds its own right checksum. */
static uint16_t checksum(const uint8_t *bytes, size_t length)
{
    uint32_t sum = 0;

    assert(length % 2 == 0);
    for (size_t i = 0; i < length; i += 2) {
        uint16_t word;

        memcpy(&word, bytes + i, sizeof word);
        sum += word;
    }
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

void icmp_probe_build(uint8_t bytes[static ICMP_PROBE_BYTES], uint8_t family, uint16_t identifier,
                      const struct probe_token *token)
{
    struct echo echo = {
        .type = family == AF_INET ? ICMP_ECHO : ICMP6_ECHO_REQUEST,
        .identifier = htons(identifier),
        .sequence = htons((uint16_t)token->sequence),
        .token_id = htonl(token->id),
        .token_sequence = htonl(token->sequence),
        .token_nonce = token->nonce,
    };

    assert(family == AF_INET || family == AF_INET6);
    memcpy(echo.magic, magic, sizeof magic);
    memcpy(bytes, &echo, sizeof echo);
    if (family == AF_INET) {
        echo.checksum = checksum(bytes, sizeof echo);
        memcpy(bytes, &echo, sizeof echo);
    }
}

int icmp_probe_parse(const uint8_t *bytes, size_t length, uint8_t family, uint16_t identifier, struct probe_token *ret)
{
    struct echo echo;
    struct probe_token token;

    /* RFC 1122 section 3.2.2.6: the data comes back whole, so any other length is another's. */
    if (length != sizeof echo)
        return -EBADMSG;
    memcpy(&echo, bytes, sizeof echo);
    if (echo.type != (family == AF_INET ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY) || echo.code != 0)
        return -EBADMSG;
    /* Raw IPv4 sockets are given damaged messages too; for ICMPv6 the kernel checks. */
    if (family == AF_INET && checksum(bytes, length) != 0)
        return -EBADMSG;
    if (echo.identifier != htons(identifier) || memcmp(echo.magic, magic, sizeof magic) != 0)
        return -EBADMSG;
    token.id = ntohl(echo.token_id);
    token.sequence = ntohl(echo.token_sequence);
    token.nonce = echo.token_nonce;
    if (token.sequence == 0 || echo.sequence != htons((uint16_t)token.sequence))
        return -EBADMSG;
    *ret = token;
    return 0;
}
