/* SPDX-License-Identifier: Apache-2.0 */
/* Frames that are refused: wherever an RFC says so, wherever one was cut off, and whatever bit of one is wrong. */
#include "tests/unit/arp_frames.h"

static const char *const every_frame[FRAMES] = EVERY_FRAME;

static void refuses_arp(void **state)
{
    struct wire wire;

    (void)state;
    assert_byte_refused(ARP_REPLY, AT_TYPE + 1, 0x05);
    assert_byte_refused(ARP_REPLY, AT_ARP + 1, 6);     /* hardware type */
    assert_byte_refused(ARP_REPLY, AT_ARP + 2, 0x86);  /* protocol type */
    assert_byte_refused(ARP_REPLY, AT_ARP + 4, 8);     /* hardware address length */
    assert_byte_refused(ARP_REPLY, AT_ARP + 5, 16);    /* protocol address length */
    assert_byte_refused(ARP_REPLY, AT_ARP + 7, 3);     /* RARP request */
    assert_byte_refused(ARP_REPLY, AT_ARP + 6, 2);     /* operation 514 */
    assert_byte_refused(ARP_REPLY, AT_SENDER_MAC, 3);  /* a group speaks */
    assert_byte_refused(ARP_REPLY, AT_SENDER_IP, 224); /* for a group */
    assert_byte_refused(ARP_REPLY, AT_TARGET_IP, 239); /* to a group */

    wire = wire_of(ARP_REPLY);
    memset(wire.bytes + AT_SENDER_MAC, 0, 6);
    assert_refused(&wire);
    memset(wire.bytes + AT_SENDER_MAC, 0xff, 6);
    assert_refused(&wire);
    /* Nobody answers; nobody is asked for. */
    wire = wire_of(ARP_REPLY);
    memset(wire.bytes + AT_SENDER_IP, 0, 4);
    assert_refused(&wire);
    wire = wire_of(ARP_PROBE);
    memset(wire.bytes + AT_TARGET_IP, 0, 4);
    assert_refused(&wire);
}

/* RFC 4861 sections 7.1.1 and 7.1.2, line by line. */
static void refuses_nd(void **state)
{
    static const char *const both[] = {ND_SOLICIT, ND_ANSWER};
    struct wire wire;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_byte_refused(both[i], AT_HOP_LIMIT, 254);
        assert_byte_refused(both[i], AT_ICMP6 + 1, 1); /* code */
        assert_byte_refused(both[i], AT_TARGET, 0xff);
        assert_byte_refused(both[i], AT_SOURCE, 0xff);
        assert_byte_refused(both[i], AT_OPTION + 1, 0);
        assert_byte_refused(both[i], AT_OPTION + 1, 2);
        assert_byte_refused(both[i], AT_OPTION + 2, 1);
        assert_byte_refused(both[i], AT_IP6, 0x40);
        assert_byte_refused(both[i], AT_ICMP6, 134);
        wire = wire_of(both[i]);
        wire.bytes[AT_ICMP6 + 3] ^= 1;
        assert_refused(&wire);
        /* No header may stand between: nobody sends that to a neighbour. */
        wire = wire_of(both[i]);
        wire.bytes[AT_NEXT_HEADER] = 0;
        assert_refused(&wire);
        wire = wire_of(both[i]);
        memset(wire.bytes + AT_TARGET, 0, 16);
        mend(&wire);
        assert_refused(&wire);
    }
    /* From `::`: only to the group, and without an option. */
    assert_byte_refused(ND_PROBE, AT_DESTINATION + 12, 0xfe);
    wire = wire_of(ND_SOLICIT);
    memset(wire.bytes + AT_SOURCE, 0, 16);
    mend(&wire);
    assert_refused(&wire);
    /* Solicited, and to all nodes. */
    assert_byte_refused(ND_ANNOUNCE, AT_FLAGS, 0x60);
}

static void refuses_short_nd_payloads(void **state)
{
    struct wire wire = wire_of(ND_SOLICIT);
    struct arp_heard heard;

    (void)state;
    /* Payload lengths that leave no room for the message, cut its option, or promise more than came. */
    for (unsigned length = 0; length <= 64; length++) {
        wire.bytes[AT_PAYLOAD_LENGTH + 1] = (uint8_t)length;
        if (AT_ICMP6 + length <= wire.length && length % 2 == 0)
            mend(&wire);
        assert_int_equal(parse(&wire, &heard), length == 24 || length == 32 ? 0 : -EBADMSG);
    }
}

/* Options that are not understood are still measured. */
static void refuses_options_of_a_wrong_length(void **state)
{
    struct wire wire = wire_of(ND_SOLICIT);
    struct arp_heard heard;

    (void)state;
    wire.bytes[AT_OPTION] = 14;
    mend(&wire);
    assert_int_equal(parse(&wire, &heard), 0);
    wire.bytes[AT_OPTION + 1] = 0;
    mend(&wire);
    assert_refused(&wire);
    wire.bytes[AT_OPTION + 1] = 2;
    mend(&wire);
    assert_refused(&wire);
    /* A hardware address of two units, both there: no Ethernet address. */
    wire = wire_of(ND_SOLICIT "0000000000000000");
    wire.bytes[AT_PAYLOAD_LENGTH + 1] = 40;
    wire.bytes[AT_OPTION + 1] = 2;
    mend(&wire);
    assert_refused(&wire);
}

static void refuses_every_truncation(void **state)
{
    (void)state;
    for (size_t i = 0; i < FRAMES; i++) {
        struct wire wire = wire_of(every_frame[i]);

        while (wire.length-- > 0)
            assert_refused(&wire);
    }
}

/* One bit wrong: ND is refused by its checksum, or earlier. ARP has none, but what is still read keeps its promises. */
static void survives_bit_flips(void **state)
{
    (void)state;
    for (size_t i = 0; i < FRAMES; i++) {
        struct wire wire = wire_of(every_frame[i]);

        for (size_t bit = 0; bit < wire.length * 8; bit++) {
            struct arp_heard heard;
            int r;

            wire.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            r = parse(&wire, &heard);
            assert_true(r == 0 || r == -EBADMSG);
            if (r == 0) {
                assert_int_equal(heard.sender_mac.bytes[0] & 1, 0);
                assert_true(ip_address_is_unspecified(&heard.sender_ip) == (heard.kind == ARP_HEARD_PROBE));
            }
            /* What no checksum covers: Ethernet addresses, traffic class and flow label. */
            if (wire.bytes[AT_TYPE] == 0x86 && bit / 8 >= AT_PAYLOAD_LENGTH)
                assert_int_equal(r, -EBADMSG);
            wire.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

static void assert_no_traffic(const char *text, size_t at, uint8_t value)
{
    struct wire wire = wire_of(text);
    struct arp_traffic traffic, before;

    memset(&traffic, 0x5a, sizeof traffic);
    before = traffic;
    wire.bytes[at] = value;
    assert_int_equal(arp_frame_parse_traffic(wire.bytes, wire.length, &traffic), -EBADMSG);
    assert_memory_equal(&traffic, &before, sizeof traffic);
}

static void refuses_traffic(void **state)
{
    struct arp_traffic traffic;
    struct wire wire;

    (void)state;
    assert_no_traffic(V4_TRAFFIC, AT_TYPE + 1, 0x06);
    assert_no_traffic(V4_TRAFFIC, 14, 0x65); /* version */
    assert_no_traffic(V4_TRAFFIC, 14, 0x44); /* header length below its least */
    assert_no_traffic(V4_TRAFFIC, 17, 19);   /* total length below the header's */
    assert_no_traffic(V4_TRAFFIC, 26, 224);  /* from a group */
    assert_no_traffic(V4_TRAFFIC, 30, 224);  /* to a group */
    assert_no_traffic(V6_TRAFFIC, AT_IP6, 0x40);
    assert_no_traffic(V6_TRAFFIC, AT_SOURCE, 0xff);
    assert_no_traffic(V6_TRAFFIC, AT_DESTINATION, 0xff);
    /* Neighbour discovery is no proof of the neighbour's own entry. */
    assert_no_traffic(V6_TRAFFIC, AT_ICMP6, 135);
    assert_no_traffic(V6_TRAFFIC, AT_ICMP6, 136);
    wire = wire_of(V4_TRAFFIC);
    memset(wire.bytes + 26, 0, 4);
    assert_int_equal(arp_frame_parse_traffic(wire.bytes, wire.length, &traffic), -EBADMSG);
    wire = wire_of(V6_TRAFFIC);
    while (wire.length-- > 0)
        assert_int_equal(arp_frame_parse_traffic(wire.bytes, wire.length, &traffic), -EBADMSG);
    wire = wire_of(V4_TRAFFIC);
    for (wire.length = 0; wire.length < 34; wire.length++)
        assert_int_equal(arp_frame_parse_traffic(wire.bytes, wire.length, &traffic), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_arp),
        cmocka_unit_test(refuses_nd),
        cmocka_unit_test(refuses_short_nd_payloads),
        cmocka_unit_test(refuses_options_of_a_wrong_length),
        cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(survives_bit_flips),
        cmocka_unit_test(refuses_traffic),
    };

    return cmocka_run_group_tests_name("arp_refuse", tests, NULL, NULL);
}
