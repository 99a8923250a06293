/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a frame: nothing is read beyond them, what is read holds its promises, means the same with padding, and,
 * where this program builds such frames itself, comes back the same from the frame built anew.
 */
#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "arp/frame.h"

#define PADDING 46
/* Where things stand in an untagged frame, and the checksum in its message. */
#define IP6_LENGTH 18
#define IP6_SOURCE 22
#define IP6_END 54
#define ICMP6_CHECKSUM 2

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static bool heard_equal(const struct arp_heard *a, const struct arp_heard *b)
{
    return a->kind == b->kind && mac_address_equal(&a->ethernet_source, &b->ethernet_source) &&
           mac_address_equal(&a->ethernet_target, &b->ethernet_target) &&
           mac_address_equal(&a->sender_mac, &b->sender_mac) && mac_address_equal(&a->target_mac, &b->target_mac) &&
           ip_address_equal(&a->sender_ip, &b->sender_ip) && ip_address_equal(&a->target_ip, &b->target_ip);
}

static struct arp_heard parse_built(const struct arp_frame *frame)
{
    struct arp_heard heard;

    assert(frame->length <= sizeof frame->bytes);
    assert(arp_frame_parse(frame->bytes, frame->length, &heard) == 0);
    return heard;
}

/* The request built from what was heard: to the hardware address that it was sent to, and to everybody. */
static void check_request(const struct arp_heard *heard)
{
    const struct mac_address nobody = {{0}};
    struct arp_heard expected = *heard, again;
    struct arp_frame frame;

    arp_frame_request(&frame, &heard->sender_mac, &heard->sender_ip, &heard->target_ip, &heard->ethernet_target);
    again = parse_built(&frame);
    expected.ethernet_source = heard->sender_mac;
    expected.target_mac = nobody;
    if (mac_address_is_unset(&heard->ethernet_target))
        expected.ethernet_target = again.ethernet_target;
    assert(heard_equal(&again, &expected));

    arp_frame_request(&frame, &heard->sender_mac, &heard->sender_ip, &heard->target_ip, &nobody);
    again = parse_built(&frame);
    assert(again.ethernet_target.bytes[0] & 1);
    expected.ethernet_target = again.ethernet_target;
    assert(heard_equal(&again, &expected));
}

static void check_announcement(const struct arp_heard *heard)
{
    const struct mac_address *own = &heard->ethernet_source, *owner = &heard->sender_mac;
    struct arp_frame frames[2];

    if (heard->sender_ip.family == AF_INET) {
        arp_frame_announce_request(&frames[0], own, owner, &heard->sender_ip);
        arp_frame_announce_reply(&frames[1], own, owner, &heard->sender_ip);
    } else {
        arp_frame_advertise(&frames[0], own, owner, &heard->sender_ip, false);
        arp_frame_advertise(&frames[1], own, owner, &heard->sender_ip, true);
    }
    for (size_t i = 0; i < 2; i++) {
        struct arp_heard again = parse_built(&frames[i]);

        assert(again.kind == ARP_HEARD_ANNOUNCEMENT);
        assert(mac_address_equal(&again.ethernet_source, own) && mac_address_equal(&again.sender_mac, owner));
        assert(ip_address_equal(&again.sender_ip, &heard->sender_ip));
    }
}

static void check_heard(const struct arp_heard *heard)
{
    assert(!mac_address_is_unset(&heard->sender_mac) && (heard->sender_mac.bytes[0] & 1) == 0);
    assert(ip_address_is_unspecified(&heard->sender_ip) == (heard->kind == ARP_HEARD_PROBE));
    assert(!ip_address_is_multicast(&heard->sender_ip));

    switch (heard->kind) {
    case ARP_HEARD_REQUEST:
    case ARP_HEARD_PROBE:
        check_request(heard);
        return;
    case ARP_HEARD_ANNOUNCEMENT:
        check_announcement(heard);
        return;
    case ARP_HEARD_REPLY:
        return;
    }
    abort();
}

/* Whatever a reader of captured frames may meet: the frame padded, or its end cut off. */
static void check_padding(const uint8_t *bytes, size_t length, const struct arp_heard *heard)
{
    uint8_t *padded = malloc(length + PADDING);
    struct arp_heard again;

    assert(padded);
    memcpy(padded, bytes, length);
    memset(padded + length, 0xa5, PADDING);
    assert(arp_frame_parse(padded, length + PADDING, &again) == 0);
    assert(heard_equal(&again, heard));
    free(padded);
}

static void check(const uint8_t *bytes, size_t length)
{
    struct arp_heard heard;
    struct arp_traffic traffic;
    int is_heard = arp_frame_parse(bytes, length, &heard);
    int is_traffic = arp_frame_parse_traffic(bytes, length, &traffic);

    /* No frame is both. */
    assert(is_heard < 0 || is_traffic < 0);
    if (is_heard == 0) {
        check_heard(&heard);
        check_padding(bytes, length, &heard);
    }
    if (is_traffic == 0) {
        assert(traffic.from.family == traffic.to.family);
        assert(!ip_address_is_unspecified(&traffic.from) && !ip_address_is_multicast(&traffic.from));
        assert(!ip_address_is_multicast(&traffic.to));
    }
}

/* Gives a whole ICMPv6 packet the checksum it needs: chance alone hardly gets past that check. */
static bool mend_checksum(uint8_t *bytes, size_t length)
{
    size_t message = length < IP6_END ? 0 : (size_t)bytes[IP6_LENGTH] << 8 | bytes[IP6_LENGTH + 1];
    uint32_t sum = IPPROTO_ICMPV6 + (uint32_t)message;

    if (message < ICMP6_CHECKSUM + 2 || message % 2 != 0 || message > length - IP6_END)
        return false;
    memset(bytes + IP6_END + ICMP6_CHECKSUM, 0, 2);
    for (size_t i = IP6_SOURCE; i < IP6_END + message; i += 2)
        sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    bytes[IP6_END + ICMP6_CHECKSUM] = (uint8_t)(~sum >> 8);
    bytes[IP6_END + ICMP6_CHECKSUM + 1] = (uint8_t)~sum;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    uint8_t *mended = malloc(length > 0 ? length : 1);

    check(bytes, length);
    assert(mended);
    if (length > 0)
        memcpy(mended, bytes, length);
    if (mend_checksum(mended, length))
        check(mended, length);
    free(mended);
    return 0;
}
