/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/base/cleanup.h"
#include "netlink/links.h"
#include "tests/unit/netlink_world.h"

#define MAX 8

struct world {
    struct links *links;
    int v0;
};

static int setup(void **state)
{
    static const struct links_callbacks no_callbacks = {};
    struct world *world;

    if (enter_namespace(state) < 0)
        return -1;
    run("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up");
    run("ip addr add 192.0.2.5/24 dev v0 && ip addr add 2001:db8::5/64 dev v0 nodad");
    run("ip addr add 198.51.100.5/24 dev v1");
    world = calloc(1, sizeof *world);
    world->v0 = index_of("v0");
    if (links_open(&world->links, &no_callbacks, world) < 0)
        return -1;
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    links_close(world->links);
    free(world);
    return 0;
}

static void read_all(struct world *world)
{
    while (becomes_readable(links_fd(world->links), 0))
        assert_int_equal(links_on_readable(world->links), 0);
}

static size_t gateways(struct world *world, uint8_t family, struct ip_address *ret)
{
    read_all(world);
    return links_gateways(world->links, world->v0, family, ret, MAX);
}

static size_t neighbours(struct world *world, uint8_t family, struct link_neighbour *ret)
{
    read_all(world);
    return links_neighbours(world->links, world->v0, family, ret, MAX);
}

static bool is(const struct ip_address *ip, const char *text)
{
    struct ip_address wanted = ip_of(text);

    return ip_address_equal(ip, &wanted);
}

static void add_neighbour(const char *ip, const char *state)
{
    run("ip neigh replace %s lladdr 02:00:00:00:00:%02x nud %s dev v0", ip, ip_of(ip).bytes[3], state);
}

static void test_only_usable_neighbours_of_the_nic(void **state)
{
    struct link_neighbour found[MAX];
    struct world *world = *state;
    char mac[MAC_ADDRESS_TEXT];

    add_neighbour("192.0.2.20", "stale");
    add_neighbour("192.0.2.21", "noarp");
    run("ip neigh replace 192.0.2.22 nud failed dev v0");
    run("ip neigh replace 198.51.100.20 lladdr 02:00:00:00:00:30 nud reachable dev v1");
    run("ip neigh replace 2001:db8::20 lladdr 02:00:00:00:00:31 nud reachable dev v0");
    assert_int_equal(neighbours(world, AF_INET, found), 1);
    assert_true(is(&found[0].ip, "192.0.2.20"));
    assert_string_equal(mac_address_format(&found[0].mac, mac), "02:00:00:00:00:14");
    assert_false(found[0].fresh || found[0].gateway);
    assert_int_equal(neighbours(world, AF_INET6, found), 1);
    assert_true(is(&found[0].ip, "2001:db8::20"));
    assert_true(found[0].fresh);
}

static void test_gateways_first_then_fresh_ones(void **state)
{
    struct link_neighbour found[MAX];
    struct world *world = *state;

    add_neighbour("192.0.2.20", "stale");
    add_neighbour("192.0.2.21", "permanent");
    add_neighbour("192.0.2.1", "stale");
    add_neighbour("192.0.2.2", "reachable");
    run("ip route add default nexthop via 192.0.2.1 nexthop via 192.0.2.2");
    assert_int_equal(neighbours(world, AF_INET, found), 4);
    assert_true(is(&found[0].ip, "192.0.2.2") && found[0].gateway && found[0].fresh);
    assert_true(is(&found[1].ip, "192.0.2.1") && found[1].gateway && !found[1].fresh);
    assert_true(is(&found[2].ip, "192.0.2.21") && !found[2].gateway && found[2].fresh);
    assert_true(is(&found[3].ip, "192.0.2.20") && !found[3].gateway && !found[3].fresh);
    assert_int_equal(links_neighbours(world->links, world->v0, AF_INET, found, 2), 2);
    assert_true(is(&found[1].ip, "192.0.2.1"));
    assert_int_equal(links_neighbours(world->links, world->v0, AF_INET, found, 0), 0);
}

static void test_neighbours_change_and_go(void **state)
{
    struct link_neighbour found[MAX];
    struct world *world = *state;

    add_neighbour("192.0.2.20", "permanent");
    assert_int_equal(neighbours(world, AF_INET, found), 1);
    assert_true(found[0].fresh);
    add_neighbour("192.0.2.20", "stale");
    assert_int_equal(neighbours(world, AF_INET, found), 1);
    assert_false(found[0].fresh);
    run("ip neigh del 192.0.2.20 dev v0");
    assert_int_equal(neighbours(world, AF_INET, found), 0);
}

static void test_gateways_of_the_main_table_only(void **state)
{
    struct ip_address found[MAX];
    struct world *world = *state;

    run("ip route add default via 192.0.2.1 && ip route add default via 192.0.2.2 metric 100");
    run("ip route add default via 192.0.2.3 table 99 && ip route add 10.0.0.0/8 via 192.0.2.4");
    run("ip route add default via 198.51.100.1 metric 200 && ip route add 0.0.0.0/1 via 192.0.2.6");
    run("ip -6 route add default via 2001:db8::1");
    assert_int_equal(gateways(world, AF_INET, found), 2);
    assert_true(is(&found[0], "192.0.2.1") || is(&found[1], "192.0.2.1"));
    assert_true(is(&found[0], "192.0.2.2") || is(&found[1], "192.0.2.2"));
    assert_int_equal(gateways(world, AF_INET6, found), 1);
    assert_true(is(&found[0], "2001:db8::1"));
    assert_int_equal(links_gateways(world->links, index_of("v1"), AF_INET, found, MAX), 1);
    assert_true(is(&found[0], "198.51.100.1"));

    run("ip route replace default via 192.0.2.9");
    run("ip route del default via 192.0.2.2 metric 100");
    assert_int_equal(gateways(world, AF_INET, found), 1);
    assert_true(is(&found[0], "192.0.2.9"));
    assert_int_equal(links_gateways(world->links, world->v0, AF_INET, found, 0), 0);
}

static void test_gateways_that_were_there_at_open(void **state)
{
    static const struct links_callbacks no_callbacks = {};
    struct ip_address found[MAX];
    struct world *world = *state;

    links_close(world->links);
    run("ip route add default nexthop via 192.0.2.1 nexthop via 198.51.100.1");
    run("ip -6 route add default via 2001:db8::1");
    assert_int_equal(links_open(&world->links, &no_callbacks, NULL), 0);
    assert_int_equal(gateways(world, AF_INET, found), 1);
    assert_true(is(&found[0], "192.0.2.1"));
    assert_int_equal(links_gateways(world->links, index_of("v1"), AF_INET, found, MAX), 1);
    assert_int_equal(gateways(world, AF_INET6, found), 1);
}

static void test_an_ipv6_next_hop_of_an_ipv4_route(void **state)
{
    struct ip_address found[MAX];
    struct world *world = *state;

    run("ip route add default via inet6 2001:db8::1 dev v0");
    assert_int_equal(gateways(world, AF_INET, found), 0);
    assert_int_equal(gateways(world, AF_INET6, found), 1);
    assert_true(is(&found[0], "2001:db8::1"));
}

static void test_routes_that_go_without_a_word(void **state)
{
    struct ip_address found[MAX];
    struct world *world = *state;

    /* The kernel flushes IPv4 routes of a NIC that goes down, and notifies nobody. */
    run("ip route add default via 192.0.2.1");
    assert_int_equal(gateways(world, AF_INET, found), 1);
    run("ip link set v0 down && ip link set v0 up");
    assert_false(output_has("ip route", "default"));
    assert_int_equal(gateways(world, AF_INET, found), 0);

    run("ip route add default via 192.0.2.2");
    assert_int_equal(gateways(world, AF_INET, found), 1);
    assert_true(is(&found[0], "192.0.2.2"));
}

static void test_all_is_right_after_an_overrun(void **state)
{
    struct link_neighbour neighbour[MAX];
    struct ip_address found[MAX];
    struct world *world = *state;
    int least = 0;

    run("ip route add default via 192.0.2.1");
    add_neighbour("192.0.2.1", "permanent");
    read_all(world);
    assert_int_equal(setsockopt(links_fd(world->links), SOL_SOCKET, SO_RCVBUF, &least, sizeof least), 0);
    for (unsigned i = 20; i < 60; i++) {
        run("ip neigh replace 192.0.2.%u lladdr 02:00:00:00:00:01 nud stale dev v0", i);
        run("ip neigh del 192.0.2.%u dev v0", i);
    }
    run("ip neigh del 192.0.2.1 dev v0 && ip route replace default via 192.0.2.9");
    add_neighbour("192.0.2.9", "stale");
    assert_int_equal(gateways(world, AF_INET, found), 1);
    assert_true(is(&found[0], "192.0.2.9"));
    assert_int_equal(neighbours(world, AF_INET, neighbour), 1);
    assert_true(is(&neighbour[0].ip, "192.0.2.9") && neighbour[0].gateway);
    assert_true(links_overruns(world->links) >= 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_only_usable_neighbours_of_the_nic), TEST(test_gateways_first_then_fresh_ones),
        TEST(test_neighbours_change_and_go),          TEST(test_gateways_of_the_main_table_only),
        TEST(test_gateways_that_were_there_at_open),  TEST(test_an_ipv6_next_hop_of_an_ipv4_route),
        TEST(test_routes_that_go_without_a_word),     TEST(test_all_is_right_after_an_overrun),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
