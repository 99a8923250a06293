/* SPDX-License-Identifier: Apache-2.0 */
/* The port while its NIC is down, gone, renamed or another one. Needs root. */
#include "tests/unit/arp_cable.h"

/* A NIC that was given another hardware address is watched with it from then on. */
static void follows_the_hardware_address(void **state)
{
    struct ear *ear = *state;
    struct arp_port *port = open_near(ear);
    struct ip_address watched = ip("192.0.2.10");

    assert_int_equal(arp_port_watch(port, &watched, 1), 0);
    far_sends_packet("192.0.2.1", "192.0.2.10", &near_mac);
    wait_readable(port);
    run("ip link set near address 02:00:00:00:00:77");
    assert_int_equal(arp_port_watch(port, &watched, 1), 0);
    nothing_but(port, ear, 0);
    far_sends_packet("192.0.2.1", "192.0.2.10", &(const struct mac_address){{2, 0, 0, 0, 0, 0x77}});
    listen_for(port, ear, 1);
    arp_port_close(port);
}

/* The NIC goes down: told once, and no more wakes; up again: the port goes on by itself. */
static void says_when_the_nic_is_down(void **state)
{
    struct ear *ear = *state;
    struct arp_port *port = open_near(ear);
    struct ip_address target = ip("192.0.2.10");
    struct arp_frame frame;

    run("ip link set near down");
    wait_readable(port);
    assert_int_equal(arp_port_on_readable(port, 0, 10), -ENETDOWN);
    assert_silence(port);
    arp_frame_announce_request(&frame, &near_mac, &near_mac, &target);
    assert_int_equal(arp_port_send(port, &frame), -ENETDOWN);
    run("ip link set near up");
    arp_frame_announce_request(&frame, &far_mac, &far_mac, &target);
    far_sends_frame(&frame);
    listen_for(port, ear, 1);
    arp_port_close(port);
}

static void says_when_the_nic_is_gone(void **state)
{
    struct ear *ear = *state;
    struct arp_port *port = open_near(ear);
    struct ip_address target = ip("192.0.2.10");
    struct arp_frame frame;

    run("ip link delete near");
    wait_readable(port);
    assert_int_equal(arp_port_on_readable(port, 0, 10), -ENODEV);
    arp_frame_announce_request(&frame, &near_mac, &near_mac, &target);
    assert_int_equal(arp_port_send(port, &frame), -ENODEV);
    assert_int_equal(arp_port_watch(port, &target, 1), -ENODEV);
    arp_port_close(port);
}

/* A renamed NIC is the same NIC. */
static void follows_a_rename(void **state)
{
    struct ear *ear = *state;
    struct arp_port *port = open_near(ear);
    struct ip_address watched = ip("192.0.2.10");

    run("ip link set near name moved");
    assert_int_equal(arp_port_on_readable(port, 0, 10), 0);
    assert_int_equal(arp_port_watch(port, &watched, 1), 0);
    far_sends_packet("192.0.2.1", "192.0.2.10", &near_mac);
    listen_for(port, ear, 1);
    arp_port_close(port);
}

static void refuses_to_open(void **state)
{
    struct arp_port *port = NULL;

    assert_int_equal(arp_port_open(&port, "absent", 999, &callbacks, *state), -ENODEV);
    /* The name is another NIC's by now. */
    assert_int_equal(arp_port_open(&port, "near", (int)if_nametoindex("far"), &callbacks, *state), -ENODEV);
    run("ip link set near down");
    assert_int_equal(arp_port_open(&port, "near", (int)if_nametoindex("near"), &callbacks, *state), -ENETDOWN);
    run("ip tuntap add name tunnel mode tun && ip link set tunnel up");
    assert_int_equal(arp_port_open(&port, "tunnel", (int)if_nametoindex("tunnel"), &callbacks, *state),
                     -EPROTONOSUPPORT);
    assert_null(port);
    arp_port_close(NULL);
}

static int open_fds(void)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void leaks_no_descriptor(void **state)
{
    int before = open_fds();
    struct arp_port *port = open_near(*state);

    assert_true(fcntl(arp_port_fd(port), F_GETFD) & FD_CLOEXEC);
    assert_int_equal(open_fds(), before + 1);
    arp_port_close(port);
    assert_int_equal(arp_port_open(&port, "near", (int)if_nametoindex("far"), &callbacks, *state), -ENODEV);
    assert_int_equal(open_fds(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PORT_TEST(follows_the_hardware_address),
        PORT_TEST(says_when_the_nic_is_down),
        PORT_TEST(says_when_the_nic_is_gone),
        PORT_TEST(follows_a_rename),
        PORT_TEST(refuses_to_open),
        PORT_TEST(leaks_no_descriptor),
    };

    return cmocka_run_group_tests_name("arp_nic", tests, NULL, NULL);
}
