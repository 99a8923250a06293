/* SPDX-License-Identifier: Apache-2.0 */
/* Frames: what is built is what the RFCs draw, byte by byte, and is read as what it says. */
#include "tests/unit/arp_frames.h"

static const char *const every_frame[FRAMES] = EVERY_FRAME;

static void builds_arp(void **state)
{
    struct mac_address own = mac(OWN_TEXT), owner = mac(OWNER_TEXT), unset = {{0}};
    struct ip_address us = ip("192.0.2.2"), nobody = {0}, zero = ip("0.0.0.0"), target = ip("192.0.2.10");
    struct arp_frame frame;

    (void)state;
    arp_frame_request(&frame, &own, &us, &target, &unset);
    assert_frame(&frame, ARP_REQUEST);
    arp_frame_request(&frame, &own, &us, &target, &owner);
    assert_frame(&frame, ARP_UNICAST);
    arp_frame_request(&frame, &own, &nobody, &target, &unset);
    assert_frame(&frame, ARP_PROBE);
    arp_frame_request(&frame, &own, &zero, &target, &unset);
    assert_frame(&frame, ARP_PROBE);
    arp_frame_announce_request(&frame, &own, &owner, &target);
    assert_frame(&frame, ARP_ANNOUNCE);
    arp_frame_announce_reply(&frame, &own, &owner, &target);
    assert_frame(&frame, ARP_GRATUITOUS);
}

static void builds_nd(void **state)
{
    struct mac_address own = mac(OWN_TEXT), owner = mac(OWNER_TEXT), unset = {{0}};
    struct ip_address us = ip("2001:db8::2"), nobody = {0}, target = ip("2001:db8::1234:5610");
    struct arp_frame frame;

    (void)state;
    arp_frame_request(&frame, &own, &us, &target, &unset);
    assert_frame(&frame, ND_SOLICIT);
    arp_frame_request(&frame, &own, &us, &target, &owner);
    assert_frame(&frame, ND_UNICAST);
    arp_frame_request(&frame, &own, &nobody, &target, &unset);
    assert_frame(&frame, ND_PROBE);
    arp_frame_advertise(&frame, &own, &owner, &target, false);
    assert_frame(&frame, ND_ANNOUNCE);
    arp_frame_advertise(&frame, &own, &owner, &target, true);
    assert_frame(&frame, ND_ROUTER);
}

/* A probe sent to one hardware address still names the group, or it would be invalid (RFC 4861 section 7.1.1). */
static void builds_nd_probe_to_one_host(void **state)
{
    struct mac_address own = mac(OWN_TEXT), peer = mac(OWNER_TEXT);
    struct ip_address nobody = {0}, target = ip("2001:db8::1234:5610");
    struct arp_frame frame;
    struct arp_heard heard;

    (void)state;
    arp_frame_request(&frame, &own, &nobody, &target, &peer);
    assert_int_equal(arp_frame_parse(frame.bytes, frame.length, &heard), 0);
    assert_int_equal(heard.kind, ARP_HEARD_PROBE);
    assert_mac(&heard.ethernet_target, OWNER_TEXT);
}

static void reads_arp(void **state)
{
    struct arp_heard heard = heard_in(ARP_REQUEST);

    (void)state;
    assert_int_equal(heard.kind, ARP_HEARD_REQUEST);
    assert_mac(&heard.ethernet_source, OWN_TEXT);
    assert_mac(&heard.ethernet_target, "ffffffffffff");
    assert_mac(&heard.sender_mac, OWN_TEXT);
    assert_mac(&heard.target_mac, "000000000000");
    assert_ip(&heard.sender_ip, "192.0.2.2");
    assert_ip(&heard.target_ip, "192.0.2.10");

    heard = heard_in(ARP_REPLY);
    assert_int_equal(heard.kind, ARP_HEARD_REPLY);
    assert_mac(&heard.sender_mac, OWNER_TEXT);
    assert_mac(&heard.target_mac, OWN_TEXT);
    assert_ip(&heard.sender_ip, "192.0.2.10");
    assert_ip(&heard.target_ip, "192.0.2.2");

    heard = heard_in(ARP_PROBE);
    assert_int_equal(heard.kind, ARP_HEARD_PROBE);
    assert_int_equal(heard.sender_ip.family, AF_UNSPEC);
    assert_ip(&heard.target_ip, "192.0.2.10");

    /* Both forms; the sender's hardware address is the payload's, not the frame's. */
    heard = heard_in(ARP_ANNOUNCE);
    assert_int_equal(heard.kind, ARP_HEARD_ANNOUNCEMENT);
    assert_mac(&heard.sender_mac, OWNER_TEXT);
    heard = heard_in(ARP_GRATUITOUS);
    assert_int_equal(heard.kind, ARP_HEARD_ANNOUNCEMENT);
    assert_mac(&heard.sender_mac, OWNER_TEXT);
    assert_mac(&heard.ethernet_source, OWN_TEXT);
    assert_ip(&heard.sender_ip, "192.0.2.10");
}

static void reads_nd(void **state)
{
    struct arp_heard heard = heard_in(ND_SOLICIT);

    (void)state;
    assert_int_equal(heard.kind, ARP_HEARD_REQUEST);
    assert_mac(&heard.sender_mac, OWN_TEXT);
    assert_mac(&heard.ethernet_target, "3333ff345610");
    assert_ip(&heard.sender_ip, "2001:db8::2");
    assert_ip(&heard.target_ip, "2001:db8::1234:5610");

    heard = heard_in(ND_PROBE);
    assert_int_equal(heard.kind, ARP_HEARD_PROBE);
    assert_int_equal(heard.sender_ip.family, AF_UNSPEC);
    assert_mac(&heard.sender_mac, OWN_TEXT);
    assert_ip(&heard.target_ip, "2001:db8::1234:5610");

    heard = heard_in(ND_ANSWER);
    assert_int_equal(heard.kind, ARP_HEARD_REPLY);
    assert_mac(&heard.sender_mac, OWNER_TEXT);
    assert_ip(&heard.sender_ip, "2001:db8::1234:5610");
    assert_ip(&heard.target_ip, "2001:db8::2");

    heard = heard_in(ND_ANNOUNCE);
    assert_int_equal(heard.kind, ARP_HEARD_ANNOUNCEMENT);
    assert_mac(&heard.sender_mac, OWNER_TEXT);
    assert_mac(&heard.ethernet_source, OWN_TEXT);
    assert_ip(&heard.sender_ip, "2001:db8::1234:5610");
    assert_ip(&heard.target_ip, "ff02::1");
}

/* RFC 5227 section 2.1.1: an answer to a probe is sent to 0.0.0.0. */
static void reads_reply_to_probe(void **state)
{
    struct wire wire = wire_of(ARP_REPLY);
    struct arp_heard heard;

    (void)state;
    memset(wire.bytes + AT_TARGET_IP, 0, 4);
    assert_int_equal(parse(&wire, &heard), 0);
    assert_int_equal(heard.kind, ARP_HEARD_REPLY);
    assert_ip(&heard.target_ip, "0.0.0.0");
}

/* Other options (here a nonce, RFC 3971 section 5.3.2) are passed over, before and after the address. */
static void reads_nd_with_other_options(void **state)
{
    struct wire wire = wire_of(ND_SOLICIT "0e01020304050607");
    struct arp_heard heard;

    (void)state;
    wire.bytes[AT_PAYLOAD_LENGTH + 1] = 40;
    mend(&wire);
    assert_int_equal(parse(&wire, &heard), 0);
    assert_mac(&heard.sender_mac, OWN_TEXT);
    wire.bytes[AT_OPTION] = 14;
    wire.bytes[AT_OPTION + 8] = 1;
    mend(&wire);
    assert_int_equal(parse(&wire, &heard), 0);
    assert_mac(&heard.sender_mac, "020304050607");
}

/* An advertisement without the option speaks for the frame's source. */
static void reads_nd_without_option(void **state)
{
    struct wire wire = wire_of(ND_ANSWER);
    struct arp_heard heard;

    (void)state;
    wire.bytes[AT_PAYLOAD_LENGTH + 1] = 24;
    wire.bytes[11] = 0xbc;
    mend(&wire);
    assert_int_equal(parse(&wire, &heard), 0);
    assert_mac(&heard.sender_mac, "0255667788bc");
    wire.bytes[6] = 0x33;
    assert_refused(&wire);
}

static void reads_padded_frames(void **state)
{
    (void)state;
    for (size_t i = 0; i < FRAMES; i++) {
        struct wire wire = wire_of(every_frame[i]);
        struct arp_heard plain = heard_in(every_frame[i]), padded;

        /* Ethernet's shortest frame is 60 bytes; what pads it may be anything. */
        memset(wire.bytes + wire.length, 0xa5, 33);
        wire.length += 33;
        memset(&padded, 0, sizeof padded);
        assert_int_equal(parse(&wire, &padded), 0);
        assert_int_equal(padded.kind, plain.kind);
        assert_memory_equal(&padded.ethernet_source, &plain.ethernet_source,
                            sizeof plain - offsetof(struct arp_heard, ethernet_source));
    }
}

/* IEEE 802.1Q: identifier 0 is a priority and no VLAN; any other belongs to another NIC. */
static void tells_vlans_apart(void **state)
{
    struct wire wire = wire_of("0211223344aa 0255667788bb 8100 e000 0806 0001 0800 06 04 0002"
                               "0255667788bb c000020a 0211223344aa c0000202");
    struct arp_heard heard;

    (void)state;
    assert_int_equal(parse(&wire, &heard), 0);
    assert_int_equal(heard.kind, ARP_HEARD_REPLY);
    assert_ip(&heard.sender_ip, "192.0.2.10");
    wire.bytes[15] = 7;
    assert_refused(&wire);
    wire.bytes[15] = 0;
    wire.bytes[14] = 0x0f;
    assert_refused(&wire);
    wire.bytes[14] = 0;
    while (wire.length-- > 0)
        assert_refused(&wire);
}

static void reads_traffic(void **state)
{
    struct wire wire = wire_of(V4_TRAFFIC);
    struct arp_traffic traffic;

    (void)state;
    assert_int_equal(arp_frame_parse_traffic(wire.bytes, wire.length, &traffic), 0);
    assert_mac(&traffic.ethernet_source, OWNER_TEXT);
    assert_mac(&traffic.ethernet_target, OWN_TEXT);
    assert_ip(&traffic.from, "192.0.2.2");
    assert_ip(&traffic.to, "192.0.2.10");
    wire = wire_of(V6_TRAFFIC);
    assert_int_equal(arp_frame_parse_traffic(wire.bytes, wire.length, &traffic), 0);
    assert_ip(&traffic.from, "2001:db8::2");
    assert_ip(&traffic.to, "2001:db8::1234:5610");
    wire.bytes[AT_NEXT_HEADER] = 6;
    assert_int_equal(arp_frame_parse_traffic(wire.bytes, wire.length, &traffic), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_arp),
        cmocka_unit_test(builds_nd),
        cmocka_unit_test(builds_nd_probe_to_one_host),
        cmocka_unit_test(reads_arp),
        cmocka_unit_test(reads_nd),
        cmocka_unit_test(reads_reply_to_probe),
        cmocka_unit_test(reads_nd_with_other_options),
        cmocka_unit_test(reads_nd_without_option),
        cmocka_unit_test(reads_padded_frames),
        cmocka_unit_test(tells_vlans_apart),
        cmocka_unit_test(reads_traffic),
    };

    return cmocka_run_group_tests_name("arp_frame", tests, NULL, NULL);
}
