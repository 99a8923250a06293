/* SPDX-License-Identifier: Apache-2.0 */
/* Frames as the RFCs draw them, and what the tests of building, reading and refusing share. */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "arp/frame.h"

/* The frames that the tests start from; the checksums were worked out apart from the code under test. */
#define OWN_TEXT "0211223344aa"
#define OWNER_TEXT "0255667788bb"
/* RFC 826 "Packet format"; RFC 5227 section 2.1.1 for the zero target hardware address. */
#define ARP_REQUEST "ffffffffffff 0211223344aa 0806 0001 0800 06 04 0001 0211223344aa c0000202 000000000000 c000020a"
#define ARP_UNICAST "0255667788bb 0211223344aa 0806 0001 0800 06 04 0001 0211223344aa c0000202 000000000000 c000020a"
#define ARP_REPLY "0211223344aa 0255667788bb 0806 0001 0800 06 04 0002 0255667788bb c000020a 0211223344aa c0000202"
/* RFC 5227 section 1.1: ARP Probe, ARP Announcement. */
#define ARP_PROBE "ffffffffffff 0211223344aa 0806 0001 0800 06 04 0001 0211223344aa 00000000 000000000000 c000020a"
#define ARP_ANNOUNCE "ffffffffffff 0211223344aa 0806 0001 0800 06 04 0001 0255667788bb c000020a 000000000000 c000020a"
#define ARP_GRATUITOUS "ffffffffffff 0211223344aa 0806 0001 0800 06 04 0002 0255667788bb c000020a 0255667788bb c000020a"
/* RFC 4861 sections 4.3, 4.4, 4.6.1; RFC 2464 section 7; RFC 4291 section 2.7.1. */
#define V6_OWN "20010db8000000000000000000000002"
#define V6_TARGET "20010db8000000000000000012345610"
#define V6_GROUP "ff0200000000000000000001ff345610"
#define V6_NODES "ff020000000000000000000000000001"
#define ND_SOLICIT                                                                                       \
    "3333ff345610 0211223344aa 86dd 60000000 0020 3a ff" V6_OWN V6_GROUP "87 00 f6b3 00000000" V6_TARGET \
    "01 01 0211223344aa"
#define ND_UNICAST                                                                                        \
    "0255667788bb 0211223344aa 86dd 60000000 0020 3a ff" V6_OWN V6_TARGET "87 00 b4ff 00000000" V6_TARGET \
    "01 01 0211223344aa"
/* RFC 4862 section 5.4.2: from ::, without the option. */
#define ND_PROBE                                                                                   \
    "3333ff345610 0211223344aa 86dd 60000000 0018 3a ff 00000000000000000000000000000000" V6_GROUP \
    "87 00 8e66 00000000" V6_TARGET
/* RFC 4861 section 7.2.6. */
#define ND_ANNOUNCE                                                                                         \
    "333300000001 0211223344aa 86dd 60000000 0020 3a ff" V6_TARGET V6_NODES "88 00 391d 20000000" V6_TARGET \
    "02 01 0255667788bb"
#define ND_ROUTER                                                                                           \
    "333300000001 0211223344aa 86dd 60000000 0020 3a ff" V6_TARGET V6_NODES "88 00 b91c a0000000" V6_TARGET \
    "02 01 0255667788bb"
#define ND_ANSWER                                                                                         \
    "0211223344aa 0255667788bb 86dd 60000000 0020 3a ff" V6_TARGET V6_OWN "88 00 ca65 60000000" V6_TARGET \
    "02 01 0255667788bb"

#define EVERY_FRAME                                                                                           \
    {                                                                                                         \
        ARP_REQUEST, ARP_UNICAST, ARP_REPLY, ARP_PROBE, ARP_ANNOUNCE, ARP_GRATUITOUS, ND_SOLICIT, ND_UNICAST, \
            ND_PROBE, ND_ANNOUNCE, ND_ROUTER, ND_ANSWER                                                       \
    }
#define FRAMES 12

/* ICMP echo replies, cut off after the addresses. */
#define V4_TRAFFIC "0211223344aa 0255667788bb 0800 45000054000040004001 b6a8 c0000202 c000020a 0000"
#define V6_TRAFFIC "0211223344aa 0255667788bb 86dd 60000000 0040 3a 40" V6_OWN V6_TARGET "81"

/* Where things stand in those frames. */
enum {
    AT_TYPE = 12,
    AT_ARP = 14,
    AT_SENDER_MAC = 22,
    AT_SENDER_IP = 28,
    AT_TARGET_IP = 38,
    AT_IP6 = 14,
    AT_PAYLOAD_LENGTH = 18,
    AT_NEXT_HEADER = 20,
    AT_HOP_LIMIT = 21,
    AT_SOURCE = 22,
    AT_DESTINATION = 38,
    AT_ICMP6 = 54,
    AT_FLAGS = 58,
    AT_TARGET = 62,
    AT_OPTION = 78,
};

struct wire {
    uint8_t bytes[256];
    size_t length;
};

static inline struct wire wire_of(const char *text)
{
    struct wire wire = {.length = 0};
    char pair[3] = "";

    for (; *text != '\0'; text++) {
        if (*text == ' ')
            continue;
        assert_true(wire.length < sizeof wire.bytes && text[1] != '\0');
        memcpy(pair, text++, 2);
        wire.bytes[wire.length++] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return wire;
}

/* Copies to memory of just that length, so that a sanitizer sees any byte read beyond. */
static inline int parse(const struct wire *wire, struct arp_heard *ret)
{
    uint8_t *bytes = malloc(wire->length > 0 ? wire->length : 1);
    int r;

    assert_non_null(bytes);
    memcpy(bytes, wire->bytes, wire->length);
    r = arp_frame_parse(bytes, wire->length, ret);
    free(bytes);
    return r;
}

static inline struct ip_address ip(const char *text)
{
    struct ip_address address = {0};

    assert_int_equal(ip_address_parse(text, &address), 0);
    return address;
}

static inline struct mac_address mac(const char *text)
{
    struct wire wire = wire_of(text);
    struct mac_address address;

    memcpy(&address, wire.bytes, sizeof address);
    return address;
}

static inline void assert_mac(const struct mac_address *address, const char *text)
{
    struct mac_address expected = mac(text);

    assert_memory_equal(address, &expected, sizeof expected);
}

static inline void assert_ip(const struct ip_address *address, const char *text)
{
    char is[IP_ADDRESS_TEXT];

    assert_string_equal(ip_address_format(address, is), text);
}

static inline void assert_frame(const struct arp_frame *frame, const char *text)
{
    struct wire wire = wire_of(text);

    assert_int_equal(frame->length, wire.length);
    assert_memory_equal(frame->bytes, wire.bytes, wire.length);
}

/* The checksum is mended, so that a test meets the check that it is about. */
static inline void mend(struct wire *wire)
{
    size_t length = (size_t)wire->bytes[AT_PAYLOAD_LENGTH] << 8 | wire->bytes[AT_PAYLOAD_LENGTH + 1];
    uint32_t sum = 58 + (uint32_t)length;

    wire->bytes[AT_ICMP6 + 2] = wire->bytes[AT_ICMP6 + 3] = 0;
    for (size_t i = AT_SOURCE; i < AT_ICMP6 + length; i++)
        sum += i % 2 == 0 ? (uint32_t)wire->bytes[i] << 8 : wire->bytes[i];
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    wire->bytes[AT_ICMP6 + 2] = (uint8_t)(~sum >> 8);
    wire->bytes[AT_ICMP6 + 3] = (uint8_t)~sum;
}

static inline void assert_refused(const struct wire *wire)
{
    struct arp_heard heard, before;

    memset(&heard, 0x5a, sizeof heard);
    before = heard;
    assert_int_equal(parse(wire, &heard), -EBADMSG);
    assert_memory_equal(&heard, &before, sizeof heard);
}

/* The frame with one byte changed is refused; with it as it was, it is read. */
static inline void assert_byte_refused(const char *text, size_t at, uint8_t value)
{
    struct wire wire = wire_of(text);
    struct arp_heard heard;

    assert_int_equal(parse(&wire, &heard), 0);
    assert_int_not_equal(wire.bytes[at], value);
    wire.bytes[at] = value;
    if (wire.bytes[AT_TYPE] == 0x86)
        mend(&wire);
    assert_refused(&wire);
}

static inline struct arp_heard heard_in(const char *text)
{
    struct wire wire = wire_of(text);
    struct arp_heard heard;

    assert_int_equal(parse(&wire, &heard), 0);
    return heard;
}
