/* SPDX-License-Identifier: Apache-2.0 */
/* What neighbours hear of an address that the guard takes off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>

#include "agent/guard/asking.h"
#include "arp/frame.h"
#include "tests/unit/guard_world.h"

/* The other end of the cable. */
static int open_ear(void)
{
    struct sockaddr_ll v1 = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index_of("v1")};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&v1, sizeof v1), 0);
    return fd;
}

/* Waits for a request for `ip`, and returns who asks. Whatever else the two NICs say is passed over. */
static struct arp_heard await_request(int ear, const char *ip)
{
    struct ip_address wanted = ip_of(ip);
    struct arp_heard heard = {0};
    uint8_t bytes[2048];

    while (becomes_readable(ear, PATIENCE_MS)) {
        ssize_t length = recv(ear, bytes, sizeof bytes, 0);

        if (length > 0 && arp_frame_parse(bytes, (size_t)length, &heard) == 0 && heard.kind == ARP_HEARD_REQUEST &&
            ip_address_equal(&heard.target_ip, &wanted))
            return heard;
    }
    fail_msg("nobody asked for %s", ip);
    return heard;
}

static void assert_ip(const struct ip_address *ip, const char *want)
{
    struct ip_address wanted = ip_of(want);

    assert_true(ip_address_equal(ip, &wanted));
}

static void look(struct asking *asking, const struct guard_held *held, size_t n)
{
    struct notes notes = {};

    for (size_t i = 0; i < n; i++)
        assert_int_equal(notes_put(&notes, &held[i], true), 0);
    asking_look(asking, &notes);
    notes_free(&notes);
}

static void test_asks_from_an_address_in_the_subnet(void **state)
{
    struct world *world = *state;
    struct guard_held held[] = {held_of(world, "192.0.2.10", 32), held_of(world, "2001:db8::10", 128)};
    struct asking asking;
    struct arp_heard heard;
    int ear = open_ear();

    run("ip addr add 198.51.100.5/24 dev v0 && ip addr add 192.0.2.5/24 dev v0 && ip addr add 192.0.2.6/24 dev v1");
    run("ip addr add 2001:db8::5/64 dev v0 nodad && ip addr add fe80::5/64 dev v0 nodad");
    asking_open(&asking);
    assert_true(asking.fd >= 0);
    look(&asking, held, 2);
    asking_ask(&asking, &held[0]);
    heard = await_request(ear, "192.0.2.10");
    assert_ip(&heard.sender_ip, "192.0.2.5");
    assert_true(mac_address_is_unset(&heard.target_mac));
    assert_memory_equal(&heard.sender_mac, &heard.ethernet_source, sizeof heard.sender_mac);
    assert_memory_equal(heard.ethernet_target.bytes, "\xff\xff\xff\xff\xff\xff", 6);
    asking_ask(&asking, &held[1]);
    heard = await_request(ear, "2001:db8::10");
    assert_ip(&heard.sender_ip, "2001:db8::5");
    asking_close(&asking);
    close(ear);
}

static void test_asks_from_nothing_that_is_held(void **state)
{
    struct world *world = *state;
    struct guard_held held[] = {held_of(world, "192.0.2.10", 24), held_of(world, "192.0.2.11", 24),
                                held_of(world, "2001:db8::10", 64)};
    struct asking asking;
    struct arp_heard heard;
    int ear = open_ear();

    claim(world, held, 3);
    run("ip addr add fe80::5/64 dev v0 nodad");
    asking_open(&asking);
    look(&asking, held, 3);
    asking_ask(&asking, &held[0]); /* from nowhere */
    asking_ask(&asking, &held[2]); /* from what every NIC has */
    heard = await_request(ear, "2001:db8::10");
    assert_true(ip_address_is_link_local(&heard.sender_ip));
    run("ip addr add 192.0.2.5/24 dev v0");
    look(&asking, held, 3);
    asking_ask(&asking, &held[1]);
    heard = await_request(ear, "192.0.2.11");
    assert_ip(&heard.sender_ip, "192.0.2.5");
    asking_close(&asking);
    close(ear);
}

static void test_without_a_socket_nobody_is_asked(void **state)
{
    struct world *world = *state;
    struct guard_held held = held_of(world, "192.0.2.10", 32);
    struct asking asking = {.fd = -EPERM};

    run("ip addr add 192.0.2.5/24 dev v0");
    look(&asking, &held, 1);
    assert_int_equal(asking.n_own, 0);
    asking_ask(&asking, &held);
    asking_close(&asking);
}

/* It asks once the address is off, and not before. */
static void test_the_guard_asks(void **state)
{
    struct world *world = *state;
    struct guard_held held[] = {held_of(world, "192.0.2.10", 32), held_of(world, "192.0.2.11", 32)};
    struct plan plan = {.held = held, .n_held = 2};
    struct agent *agent;
    struct arp_heard heard;
    int ear;

    run("ip addr add 192.0.2.5/24 dev v0");
    claim(world, held, 2);
    agent = start_agent(world, &plan);
    ear = open_ear();
    kill_agent(agent);
    heard = await_request(ear, "192.0.2.11"); /* the newest goes first */
    assert_false(on_nic("192.0.2.11/32"));
    assert_ip(&heard.sender_ip, "192.0.2.5");
    await_request(ear, "192.0.2.10");
    assert_false(on_nic("192.0.2.10/32"));
    await_end(agent);
    close(ear);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_asks_from_an_address_in_the_subnet, setup, teardown),
        cmocka_unit_test_setup_teardown(test_asks_from_nothing_that_is_held, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_a_socket_nobody_is_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_guard_asks, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
