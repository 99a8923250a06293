/* SPDX-License-Identifier: Apache-2.0 */
/* What the port hears on a real wire, what it does not, and when. Needs root. */
#include "tests/unit/arp_cable.h"

static void hears_arp(void **state)
{
    struct ear *ear = *state;
    struct arp_port *port = open_near(ear);
    struct ip_address us = ip("192.0.2.2"), target = ip("192.0.2.10"), nobody = {0};
    struct arp_frame frame;

    arp_frame_request(&frame, &far_mac, &us, &target, &unset_mac);
    far_sends_frame(&frame);
    arp_frame_request(&frame, &far_mac, &us, &target, &near_mac);
    far_sends_frame(&frame);
    arp_frame_request(&frame, &far_mac, &nobody, &target, &unset_mac);
    far_sends_frame(&frame);
    arp_frame_announce_request(&frame, &far_mac, &far_mac, &target);
    far_sends_frame(&frame);
    arp_frame_announce_reply(&frame, &far_mac, &far_mac, &target);
    far_sends_frame(&frame);
    /* Turn the gratuitous reply into one to us, which the probes read, and then into one to another. */
    memcpy(frame.bytes, &near_mac, 6);
    memcpy(frame.bytes + 38, us.bytes, 4);
    far_sends_frame(&frame);
    memcpy(frame.bytes, (const uint8_t[]){0x02, 0, 0, 0, 0, 0x77}, 6);
    far_sends_frame(&frame);
    listen_for(port, ear, 6);

    assert_int_equal(ear->heard[0].kind, ARP_HEARD_REQUEST);
    assert_int_equal(ear->heard[1].kind, ARP_HEARD_REQUEST);
    assert_int_equal(ear->heard[2].kind, ARP_HEARD_PROBE);
    assert_int_equal(ear->heard[3].kind, ARP_HEARD_ANNOUNCEMENT);
    assert_int_equal(ear->heard[4].kind, ARP_HEARD_ANNOUNCEMENT);
    assert_int_equal(ear->heard[5].kind, ARP_HEARD_REPLY);
    for (size_t i = 0; i < 6; i++)
        assert_true(mac_address_equal(&ear->heard[i].sender_mac, &far_mac));
    assert_true(ip_address_equal(&ear->heard[5].sender_ip, &target));
    assert_int_equal(arp_port_ifindex(port), if_nametoindex("near"));
    arp_port_close(port);
}

static void sends_nd_of_every_kind(void)
{
    struct ip_address us = ip("2001:db8::2"), target = ip("2001:db8::1234:5610"), nobody = {0};
    struct arp_frame frame;

    arp_frame_request(&frame, &far_mac, &us, &target, &unset_mac);
    far_sends_frame(&frame);
    arp_frame_request(&frame, &far_mac, &nobody, &target, &unset_mac);
    far_sends_frame(&frame);
    arp_frame_advertise(&frame, &far_mac, &far_mac, &target, false);
    far_sends_frame(&frame);
}

static void hears_nd(void **state)
{
    struct ear *ear = *state;
    struct arp_port *port = open_near(ear);

    sends_nd_of_every_kind();
    listen_for(port, ear, 3);
    assert_int_equal(ear->heard[0].kind, ARP_HEARD_REQUEST);
    assert_int_equal(ear->heard[1].kind, ARP_HEARD_PROBE);
    assert_int_equal(ear->heard[2].kind, ARP_HEARD_ANNOUNCEMENT);
    arp_port_close(port);
}

/*
 * A veth passes every group; a macvlan passes only the groups that somebody on it joined, as the filter of a real NIC
 * does. IPv6 is off there, so that nobody but the port asks for solicited-node groups or all nodes.
 */
static void hears_groups_that_nobody_joined(void **state)
{
    struct ear *ear = *state;
    struct arp_port *port = NULL;

    run("ip link add link near name filtered address 02:00:00:00:00:03 type macvlan mode bridge");
    run("ip link set filtered up");
    assert_int_equal(arp_port_open(&port, "filtered", (int)if_nametoindex("filtered"), &callbacks, ear), 0);
    sends_nd_of_every_kind();
    listen_for(port, ear, 3);
    assert_int_equal(ear->heard[1].kind, ARP_HEARD_PROBE);
    arp_port_close(port);
}

static void sends_and_does_not_hear_itself(void **state)
{
    struct ear *ear = *state;
    struct arp_port *port = open_near(ear);
    CLEANUP_CLOSE int far = far_socket();
    struct ip_address target = ip("192.0.2.10");
    struct arp_frame frame;
    uint8_t bytes[128];

    arp_frame_announce_request(&frame, &near_mac, &near_mac, &target);
    assert_int_equal(arp_port_send(port, &frame), 0);
    assert_int_equal(recv(far, bytes, sizeof bytes, 0), frame.length);
    assert_memory_equal(bytes, frame.bytes, frame.length);
    /* Nor when the LAN brings a frame of ours back. */
    far_sends_frame(&frame);
    nothing_but(port, ear, 0);
    arp_port_close(port);
}

static void tells_vlans_apart(void **state)
{
    struct ear *ear = *state;
    struct arp_port *port = open_near(ear);
    struct ip_address target = ip("192.0.2.10");
    struct arp_frame frame;

    arp_frame_announce_request(&frame, &far_mac, &far_mac, &target);
    memmove(frame.bytes + 16, frame.bytes + 12, frame.length - 12);
    memcpy(frame.bytes + 12, (const uint8_t[]){0x81, 0x00, 0x00, 0x07}, 4);
    frame.length += 4;
    far_sends_frame(&frame);
    nothing_but(port, ear, 0);
    frame.bytes[15] = 0;
    far_sends_frame(&frame);
    listen_for(port, ear, 1);
    assert_int_equal(ear->heard[0].kind, ARP_HEARD_ANNOUNCEMENT);
    arp_port_close(port);
}

/* Stamps are the kernel's, of the moment of arrival, whenever they are read. */
static void stamps_arrival_on_the_monotonic_clock(void **state)
{
    struct ear *ear = *state;
    struct arp_port *port = open_near(ear);
    struct ip_address target = ip("192.0.2.10");
    nsec_t before_ns, after_ns;
    struct arp_frame frame;

    arp_frame_announce_request(&frame, &far_mac, &far_mac, &target);
    before_ns = clock_now(CLOCK_MONOTONIC);
    far_sends_frame(&frame);
    wait_readable(port);
    after_ns = clock_now(CLOCK_MONOTONIC);
    usleep(50000);
    far_sends_frame(&frame);
    listen_for(port, ear, 2);
    /* The offset is known to 100 us. */
    assert_true(ear->heard_ns[0] >= before_ns - NSEC_PER_MSEC);
    assert_true(ear->heard_ns[0] <= after_ns + NSEC_PER_MSEC);
    assert_true(ear->heard_ns[1] - ear->heard_ns[0] >= 49 * NSEC_PER_MSEC);
    arp_port_close(port);
}

static void hears_watched_traffic(void **state)
{
    struct ear *ear = *state;
    struct arp_port *port = open_near(ear);
    struct ip_address watched[] = {ip("192.0.2.10"), ip("2001:db8::10")};
    struct ip_address host = ip("192.0.2.1"), host6 = ip("2001:db8::1");

    far_sends_packet("192.0.2.1", "192.0.2.10", &near_mac);
    nothing_but(port, ear, 0);
    assert_int_equal(arp_port_watch(port, watched, 2), 0);
    far_sends_packet("192.0.2.1", "192.0.2.10", &near_mac);
    listen_for(port, ear, 1);
    assert_true(ip_address_equal(&ear->from, &host));
    assert_true(ip_address_equal(&ear->to, &watched[0]));
    far_sends_packet("2001:db8::1", "2001:db8::10", &near_mac);
    listen_for(port, ear, 2);
    assert_true(ip_address_equal(&ear->from, &host6));
    assert_true(ip_address_equal(&ear->to, &watched[1]));
    /* To an address that is not watched, to another host, to everybody: no proof. */
    far_sends_packet("192.0.2.1", "192.0.2.11", &near_mac);
    far_sends_packet("192.0.2.1", "192.0.2.10", &(const struct mac_address){{2, 0, 0, 0, 0, 9}});
    far_sends_packet("192.0.2.1", "192.0.2.10", &(const struct mac_address){{255, 255, 255, 255, 255, 255}});
    nothing_but(port, ear, 2);
    /* ARP is heard as before. */
    assert_int_equal(ear->n_traffic, 2);
    assert_int_equal(arp_port_watch(port, NULL, 0), 0);
    far_sends_packet("192.0.2.1", "192.0.2.10", &near_mac);
    nothing_but(port, ear, 2);
    arp_port_close(port);
}

/* Packets that were queued when the filter changed are not told of, even when it changes from within the callback. */
static void forgets_traffic_that_was_queued(void **state)
{
    struct ear *ear = *state;
    struct arp_port *port = open_near(ear);
    struct ip_address watched = ip("192.0.2.10"), other = ip("192.0.2.11");

    assert_int_equal(arp_port_watch(port, &watched, 1), 0);
    far_sends_packet("192.0.2.1", "192.0.2.10", &near_mac);
    assert_int_equal(arp_port_watch(port, &other, 1), 0);
    nothing_but(port, ear, 0);

    ear->unwatch = true;
    for (int i = 0; i < 20; i++)
        far_sends_packet("192.0.2.1", "192.0.2.11", &near_mac);
    listen_for(port, ear, 1);
    nothing_but(port, ear, 1);
    arp_port_close(port);
}

static void watches_as_many_as_it_says(void **state)
{
    struct ear *ear = *state;
    struct arp_port *port = open_near(ear);
    struct ip_address watched[ARP_PORT_WATCHED_MAX + 1], bad = {0};
    char text[IP_ADDRESS_TEXT];

    for (size_t i = 0; i < ARP_PORT_WATCHED_MAX + 1; i++) {
        /* The longest texts that addresses have. */
        snprintf(text, sizeof text, "2001:db8:1111:1111:1111:1111:1111:11%02zx", i + 16);
        watched[i] = ip(text);
    }
    assert_int_equal(arp_port_watch(port, watched, ARP_PORT_WATCHED_MAX), 0);
    assert_int_equal(arp_port_watch(port, watched, ARP_PORT_WATCHED_MAX + 1), -EINVAL);
    assert_int_equal(arp_port_watch(port, &bad, 1), -EINVAL);
    bad = ip("ff02::1");
    assert_int_equal(arp_port_watch(port, &bad, 1), -EINVAL);
    /* What was refused changed nothing. */
    far_sends_packet("2001:db8::1", ip_address_format(&watched[0], text), &near_mac);
    far_sends_packet("2001:db8::1", ip_address_format(&watched[ARP_PORT_WATCHED_MAX - 1], text), &near_mac);
    far_sends_packet("2001:db8::1", ip_address_format(&watched[ARP_PORT_WATCHED_MAX], text), &near_mac);
    listen_for(port, ear, 2);
    nothing_but(port, ear, 2);
    arp_port_close(port);
}

static void reads_no_more_than_the_limit(void **state)
{
    struct ear *ear = *state;
    struct arp_port *port = open_near(ear);
    struct ip_address target = ip("192.0.2.10");
    struct arp_frame frame;

    arp_frame_announce_request(&frame, &far_mac, &far_mac, &target);
    for (int i = 0; i < 10; i++)
        far_sends_frame(&frame);
    wait_readable(port);
    assert_int_equal(arp_port_on_readable(port, 0, 0), 0);
    assert_int_equal(ear->n_heard, 0);
    while (ear->n_heard < 10) {
        size_t before = ear->n_heard;
        int n;

        wait_readable(port);
        n = arp_port_on_readable(port, 0, 3);
        assert_true(n >= 1 && n <= 3);
        assert_int_equal(ear->n_heard - before, n);
    }
    /* Nothing left: does not block. */
    assert_int_equal(arp_port_on_readable(port, 0, UINT32_MAX), 0);
    far_sends_frame(&frame);
    wait_readable(port);
    assert_int_equal(arp_port_on_readable(port, 0, UINT32_MAX), 1);
    arp_port_close(port);
}

static void counts_what_it_lost(void **state)
{
    struct ear *ear = *state;
    struct arp_port *port = open_near(ear);
    CLEANUP_CLOSE int far = far_socket();
    struct ip_address target = ip("192.0.2.10");
    struct arp_frame frame;
    uint64_t dropped;
    int n, read = 0;

    assert_int_equal(arp_port_dropped(port), 0);
    arp_frame_announce_request(&frame, &far_mac, &far_mac, &target);
    for (int i = 0; i < 6000; i++)
        assert_int_equal(send(far, frame.bytes, frame.length, 0), frame.length);
    while ((n = arp_port_on_readable(port, 0, 100)) > 0)
        read += n;
    assert_silence(port);
    dropped = arp_port_dropped(port);
    assert_true(dropped > 0);
    assert_int_equal(arp_port_dropped(port), dropped);
    assert_true(read + dropped <= 6000);
    /* The answers that a big claim brings at once do not overrun it. */
    assert_true(read >= 1500);
    arp_port_close(port);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PORT_TEST(hears_arp),
        PORT_TEST(hears_nd),
        PORT_TEST(hears_groups_that_nobody_joined),
        PORT_TEST(sends_and_does_not_hear_itself),
        PORT_TEST(tells_vlans_apart),
        PORT_TEST(stamps_arrival_on_the_monotonic_clock),
        PORT_TEST(hears_watched_traffic),
        PORT_TEST(forgets_traffic_that_was_queued),
        PORT_TEST(watches_as_many_as_it_says),
        PORT_TEST(reads_no_more_than_the_limit),
        PORT_TEST(counts_what_it_lost),
    };

    return cmocka_run_group_tests_name("arp_port", tests, NULL, NULL);
}
