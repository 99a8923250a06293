/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include "agent/base/cleanup.h"
#include "netlink/links.h"
#include "tests/unit/netlink_world.h"

/* A tap's carrier is switched at will, and its link events are held back as those of real NICs are. */
struct world {
    struct links *links;
    int tap;
};

static int open_tap(const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

    assert_true(fd >= 0);
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
    return fd;
}

static void set_carrier(int tap, int carrier)
{
    assert_int_equal(ioctl(tap, TUNSETCARRIER, &carrier), 0);
}

static int setup(void **state)
{
    static const struct links_callbacks no_callbacks = {};
    struct world *world;

    if (enter_namespace(state) < 0)
        return -1;
    run("sysctl -qw net.ipv6.conf.default.disable_ipv6=1");
    world = calloc(1, sizeof *world);
    world->tap = open_tap("tap0");
    run("ip link set tap0 up");
    if (links_open(&world->links, &no_callbacks, world) < 0)
        return -1;
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    links_close(world->links);
    close(world->tap);
    free(world);
    return 0;
}

static void read_all(struct world *world)
{
    while (becomes_readable(links_fd(world->links), 0))
        assert_int_equal(links_on_readable(world->links), 0);
}

static int ask(struct world *world, const char *name)
{
    read_all(world);
    return links_ask_carrier(world->links, index_of(name));
}

static bool notified(struct world *world, const char *name)
{
    struct link_info info;

    read_all(world);
    assert_int_equal(links_by_name(world->links, name, &info), 0);
    return info.carrier;
}

static void await_notified(struct world *world, const char *name, bool carrier)
{
    while (notified(world, name) != carrier)
        assert_true(becomes_readable(links_fd(world->links), PATIENCE_MS));
}

static void test_the_device_knows_before_the_notification(void **state)
{
    struct world *world = *state;
    unsigned behind = 0;

    for (unsigned i = 0; i < 20; i++) {
        /* Asking may make the kernel notify at once: so what was notified is looked at before. */
        set_carrier(world->tap, 0);
        behind += notified(world, "tap0");
        assert_int_equal(links_ask_carrier(world->links, index_of("tap0")), 0);
        set_carrier(world->tap, 1);
        assert_int_equal(links_ask_carrier(world->links, index_of("tap0")), 1);
    }
    /* The kernel tells of one loss a second, so that most of these came late. */
    assert_true(behind >= 10);
    set_carrier(world->tap, 0);
    await_notified(world, "tap0", false);
}

static void test_a_veth_of_equal_index_lags_as_well(void **state)
{
    struct world *world = *state;
    pid_t other = enter_other();
    unsigned behind = 0;

    /* The kernel takes a device whose link has its own index for a real NIC. */
    run("ip link add v0 index 50 type veth peer name v1 index 50 netns %d", other);
    run("ip link set v0 up && nsenter -t %d -n ip link set v1 up", other);
    await_notified(world, "v0", true);
    for (unsigned i = 0; i < 5; i++) {
        run("nsenter -t %d -n ip link set v1 down", other);
        behind += notified(world, "v0");
        assert_int_equal(links_ask_carrier(world->links, 50), 0);
        run("nsenter -t %d -n ip link set v1 up", other);
        behind += !notified(world, "v0");
        assert_int_equal(links_ask_carrier(world->links, 50), 1);
    }
    assert_true(behind > 0);
    leave_other(other);
}

static void test_down_is_no_carrier_and_gone_is_an_error(void **state)
{
    struct world *world = *state;
    int ifindex = index_of("tap0");

    assert_int_equal(ask(world, "tap0"), 1);
    run("ip link set tap0 down");
    assert_int_equal(links_ask_carrier(world->links, ifindex), 0);
    close(world->tap);
    world->tap = -EBADF;
    assert_true(links_ask_carrier(world->links, ifindex) < 0);
    read_all(world);
    assert_int_equal(links_ask_carrier(world->links, ifindex), -ENODEV);
}

static void test_a_renamed_nic_is_not_mistaken_for_another(void **state)
{
    struct world *world = *state;
    int ifindex = index_of("tap0");
    CLEANUP_CLOSE int second = open_tap("tap1");

    assert_true(second >= 0);
    run("ip link set tap1 up");
    read_all(world);
    set_carrier(world->tap, 0);
    run("ip link set tap0 name t && ip link set tap1 name tap0");
    assert_int_equal(links_ask_carrier(world->links, ifindex), 0);
}

static void test_a_bridge_has_the_carrier_of_any_port(void **state)
{
    struct world *world = *state;
    CLEANUP_CLOSE int second = open_tap("tap1");

    run("ip link add br0 type bridge && ip link set br0 up && ip link set tap1 up");
    assert_int_equal(ask(world, "br0"), 0); /* no port: nothing to send through */
    run("ip link set tap0 master br0 && ip link set tap1 master br0");
    assert_int_equal(ask(world, "br0"), 1);
    set_carrier(world->tap, 0);
    assert_int_equal(ask(world, "br0"), 1);
    set_carrier(second, 0);
    assert_int_equal(ask(world, "br0"), 0);
    set_carrier(world->tap, 1);
    assert_int_equal(ask(world, "br0"), 1);
    run("ip link set tap0 nomaster");
    assert_int_equal(ask(world, "br0"), 0);
    run("ip link set tap0 master br0 && ip link set br0 down");
    assert_int_equal(ask(world, "br0"), 0);
}

static void test_stacked_nics_ask_the_lowest(void **state)
{
    struct world *world = *state;

    run("ip link add br0 type bridge && ip link set br0 up && ip link set tap0 master br0");
    run("ip link add m0 link br0 type macvlan && ip link set m0 up");
    assert_int_equal(ask(world, "m0"), 1);
    set_carrier(world->tap, 0);
    assert_int_equal(ask(world, "m0"), 0);
    set_carrier(world->tap, 1);
    assert_int_equal(ask(world, "m0"), 1);
    run("ip link set m0 down");
    assert_int_equal(ask(world, "m0"), 0);
}

static void test_a_device_without_ethtool_is_asked_by_netlink(void **state)
{
    struct world *world = *state;

    run("(ip link add x0 type dummy || ip link add x0 type ifb) 2>&1 | grep -v 'Unknown device type' || true");
    assert_int_equal(ask(world, "x0"), 0);
    run("ip link set x0 up");
    assert_int_equal(ask(world, "x0"), 1);
    run("ip link set x0 down");
    assert_int_equal(ask(world, "x0"), 0);
}

static void test_loopback_is_asked_too(void **state)
{
    assert_int_equal(ask(*state, "lo"), 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_device_knows_before_the_notification),     TEST(test_a_veth_of_equal_index_lags_as_well),
        TEST(test_down_is_no_carrier_and_gone_is_an_error),      TEST(test_a_renamed_nic_is_not_mistaken_for_another),
        TEST(test_a_bridge_has_the_carrier_of_any_port),         TEST(test_stacked_nics_ask_the_lowest),
        TEST(test_a_device_without_ethtool_is_asked_by_netlink), TEST(test_loopback_is_asked_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
