/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of quiet share: we hold addresses on v0, and on v1, in a namespace beside, anybody asks for them by
 * frames made here. Comes after cmocka.h and what that needs.
 */
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip6.h>
#include <netpacket/packet.h>

#include "agent/base/cleanup.h"
#include "netlink/quiet.h"
#include "tests/unit/netlink_world.h"

#define FRAME_BYTES 128
#define SOURCE "02:00:00:00:00:02"
#define OTHER "02:00:00:00:00:03"
/* We hold these; the last of each family is asked for only to see that all before it was served. */
#define HELD_V4 "192.0.2.10"
#define HELD_V6 "2001:db8::10"
#define BESIDE_V4 "192.0.2.11"
#define BESIDE_V6 "2001:db8::11"
#define FENCE_V4 "192.0.2.250"
#define FENCE_V6 "2001:db8::fe"

/* Our NIC v0, and v1 in a namespace beside, from which anybody is played. */
struct world {
    struct quiet *quiet;
    pid_t other;
    int theirs; /* packet socket on v1 */
    int tap;    /* packet socket on our v0 */
};

/* An ARP packet for IPv4 over Ethernet. */
struct arp_frame {
    struct ether_header ethernet;
    struct ether_arp arp;
};

struct solicitation_frame {
    struct ether_header ethernet;
    struct ip6_hdr ip;
    struct nd_neighbor_solicit solicitation;
    uint8_t option[8]; /* the sender's MAC; not in a probe */
} __attribute__((packed));

__attribute__((unused)) static struct mac_address mac_of(const char *text)
{
    struct mac_address mac;

    assert_int_equal(mac_address_parse(text, &mac), 0);
    return mac;
}

__attribute__((unused)) static int packet_socket(const char *nic)
{
    struct sockaddr_ll at = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(nic)};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

    assert_true(fd >= 0);
    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

__attribute__((unused)) static int packet_socket_of(pid_t pid, const char *nic)
{
    CLEANUP_CLOSE int ours = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), theirs = -1;
    char path[64];
    int fd;

    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    theirs = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(setns(theirs, CLONE_NEWNET), 0);
    fd = packet_socket(nic);
    assert_int_equal(setns(ours, CLONE_NEWNET), 0);
    return fd;
}

/* On one CPU, so that packets arrive in the order of sending. */
__attribute__((unused)) static int setup(void **state)
{
    struct world *world;
    cpu_set_t one;

    if (enter_namespace(state) < 0)
        return -1;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one);
    world = calloc(1, sizeof *world);
    world->other = enter_other();
    run("ip link add v0 type veth peer name v1 address " SOURCE " netns %d", (int)world->other);
    run("ip link set v0 up");
    run("nsenter -t %d -n ip link set v1 up", (int)world->other);
    run("for ip in " HELD_V4 " " BESIDE_V4 " " FENCE_V4 "; do ip addr add $ip/24 dev v0; done");
    run("for ip in " HELD_V6 " " BESIDE_V6 " " FENCE_V6 "; do ip addr add $ip/64 dev v0 nodad; done");
    world->theirs = packet_socket_of(world->other, "v1");
    world->tap = packet_socket("v0");
    if (quiet_open(&world->quiet) < 0)
        return -1;
    *state = world;
    return 0;
}

__attribute__((unused)) static int teardown(void **state)
{
    struct world *world = *state;

    quiet_close(world->quiet);
    close(world->theirs);
    close(world->tap);
    leave_other(world->other);
    free(world);
    return 0;
}

__attribute__((unused)) static void add(struct quiet *quiet, const char *ip_text, const char *mac_text)
{
    struct ip_address ip = ip_of(ip_text);
    struct mac_address mac = mac_of(mac_text);

    assert_int_equal(quiet_add(quiet, &ip, &mac), 0);
}

__attribute__((unused)) static void take_off(struct quiet *quiet, const char *ip_text, const char *mac_text)
{
    struct ip_address ip = ip_of(ip_text);
    struct mac_address mac = mac_of(mac_text);

    quiet_remove(quiet, &ip, &mac);
}

/* Returns the number of sends. */
__attribute__((unused)) static unsigned flush(struct quiet *quiet)
{
    unsigned n = 0;
    int left;

    do {
        left = quiet_flush(quiet);
        assert_true(left >= 0);
        n++;
    } while (left > 0);
    return n;
}

__attribute__((unused)) static size_t build_arp(void *buffer, const char *mac_text, const char *sender_ip,
                                                const char *ip_text)
{
    struct arp_frame *frame = buffer;
    struct ip_address sender = ip_of(sender_ip), ip = ip_of(ip_text);
    struct mac_address mac = mac_of(mac_text);

    *frame = (struct arp_frame){.ethernet.ether_type = htons(ETHERTYPE_ARP),
                                .arp.ea_hdr = {.ar_hrd = htons(ARPHRD_ETHER),
                                               .ar_pro = htons(ETHERTYPE_IP),
                                               .ar_hln = ETH_ALEN,
                                               .ar_pln = 4,
                                               .ar_op = htons(ARPOP_REQUEST)}};
    memset(frame->ethernet.ether_dhost, 0xff, ETH_ALEN);
    memcpy(frame->ethernet.ether_shost, mac.bytes, ETH_ALEN);
    memcpy(frame->arp.arp_sha, mac.bytes, ETH_ALEN);
    memcpy(frame->arp.arp_spa, sender.bytes, 4);
    memcpy(frame->arp.arp_tpa, ip.bytes, 4);
    return sizeof *frame;
}

/* Over the addresses, what follows the header of IPv6, and the pseudo header's length and protocol (RFC 8200, 8.1). */
__attribute__((unused)) static uint16_t checksum_of(const struct solicitation_frame *frame, size_t payload)
{
    const uint8_t *bytes = (const uint8_t *)frame + offsetof(struct solicitation_frame, ip.ip6_src);
    uint32_t sum = (uint32_t)payload + IPPROTO_ICMPV6;

    for (size_t i = 0; i < 32 + payload; i += 2)
        sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)~sum);
}

__attribute__((unused)) static size_t build_solicitation(void *buffer, const char *mac_text, const char *sender_ip,
                                                         const char *ip_text)
{
    struct solicitation_frame *frame = buffer;
    struct ip_address sender = ip_of(sender_ip), ip = ip_of(ip_text);
    bool probe = ip_address_is_unspecified(&sender);
    size_t payload = sizeof frame->solicitation + (probe ? 0 : sizeof frame->option);
    struct ip_address group = ip_of("ff02::1:ff00:0");
    struct mac_address mac = mac_of(mac_text);

    *frame = (struct solicitation_frame){.ethernet = {.ether_type = htons(ETHERTYPE_IPV6), .ether_dhost = {0x33, 0x33}},
                                         .ip = {.ip6_hlim = 255, .ip6_nxt = IPPROTO_ICMPV6},
                                         .solicitation.nd_ns_type = ND_NEIGHBOR_SOLICIT,
                                         .option = {ND_OPT_SOURCE_LINKADDR, 1}};
    memcpy(group.bytes + 13, ip.bytes + 13, 3);
    memcpy(frame->ethernet.ether_dhost + 2, group.bytes + 12, 4);
    memcpy(frame->ethernet.ether_shost, mac.bytes, ETH_ALEN);
    frame->ip.ip6_vfc = 6 << 4;
    frame->ip.ip6_plen = htons((uint16_t)payload);
    memcpy(&frame->ip.ip6_src, sender.bytes, 16);
    memcpy(&frame->ip.ip6_dst, group.bytes, 16);
    memcpy(&frame->solicitation.nd_ns_target, ip.bytes, 16);
    memcpy(frame->option + 2, mac.bytes, ETH_ALEN);
    frame->solicitation.nd_ns_cksum = checksum_of(frame, payload);
    return sizeof frame->ethernet + sizeof frame->ip + payload;
}

__attribute__((unused)) static void ask(const struct world *world, const char *mac, const char *sender_ip,
                                        const char *ip)
{
    uint8_t frame[FRAME_BYTES];
    bool v4 = ip_of(ip).family == AF_INET;
    size_t length = v4 ? build_arp(frame, mac, sender_ip, ip) : build_solicitation(frame, mac, sender_ip, ip);

    assert_int_equal(send(world->theirs, frame, length, 0), (ssize_t)length);
}

/* Whether the frame is an ARP packet with this operation, or a message of ND with this type, about the address. */
__attribute__((unused)) static bool is_about(const uint8_t *bytes, ssize_t length, uint16_t operation, uint8_t type,
                                             const char *ip_text)
{
    struct ip_address ip = ip_of(ip_text);
    struct solicitation_frame nd;
    struct arp_frame arp;

    if (ip.family == AF_INET) {
        if (length < (ssize_t)sizeof arp)
            return false;
        memcpy(&arp, bytes, sizeof arp);
        return arp.ethernet.ether_type == htons(ETHERTYPE_ARP) && arp.arp.ea_hdr.ar_op == htons(operation) &&
               memcmp(operation == ARPOP_REPLY ? arp.arp.arp_spa : arp.arp.arp_tpa, ip.bytes, 4) == 0;
    }
    if (length < (ssize_t)offsetof(struct solicitation_frame, option))
        return false;
    memcpy(&nd, bytes, offsetof(struct solicitation_frame, option));
    return nd.ethernet.ether_type == htons(ETHERTYPE_IPV6) && nd.ip.ip6_nxt == IPPROTO_ICMPV6 &&
           nd.solicitation.nd_ns_type == type && memcmp(&nd.solicitation.nd_ns_target, ip.bytes, 16) == 0;
}

/* Whether the question is answered before one that comes after it, which must be answered. */
__attribute__((unused)) static bool answers(const struct world *world, const char *mac, const char *sender_ip,
                                            const char *ip)
{
    bool v4 = ip_of(ip).family == AF_INET, answered = false;
    const char *fence = v4 ? FENCE_V4 : FENCE_V6;
    uint8_t frame[FRAME_BYTES];
    ssize_t length;

    ask(world, mac, sender_ip, ip);
    ask(world, OTHER, v4 ? "0.0.0.0" : "::", fence);
    for (;;) {
        assert_true(becomes_readable(world->theirs, PATIENCE_MS));
        length = recv(world->theirs, frame, sizeof frame, 0);
        if (is_about(frame, length, ARPOP_REPLY, ND_NEIGHBOR_ADVERT, fence))
            return answered;
        answered |= is_about(frame, length, ARPOP_REPLY, ND_NEIGHBOR_ADVERT, ip);
    }
}

__attribute__((unused)) static bool answers_probe(const struct world *world, const char *mac, const char *ip)
{
    return answers(world, mac, ip_of(ip).family == AF_INET ? "0.0.0.0" : "::", ip);
}

__attribute__((unused)) static bool tap_heard(const struct world *world, const char *ip)
{
    uint8_t frame[FRAME_BYTES];
    ssize_t length;

    while ((length = recv(world->tap, frame, sizeof frame, 0)) > 0)
        if (is_about(frame, length, ARPOP_REQUEST, ND_NEIGHBOR_SOLICIT, ip))
            return true;
    return false;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
