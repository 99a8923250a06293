/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "agent/base/cleanup.h"
#include "netlink/links.h"
#include "netlink/links_internal.h"
#include "tests/unit/netlink_world.h"

#define MANY 1000

/* What the callbacks told since the last forget(). */
struct world {
    struct links *links;
    unsigned link_changes;
    int changed; /* the newest NIC */
    unsigned came, went;
    struct link_address address; /* the newest */
    unsigned resyncs;
};

static void on_link(void *userdata, int ifindex)
{
    struct world *world = userdata;

    world->link_changes++;
    world->changed = ifindex;
}

static void on_address(void *userdata, const struct link_address *address, bool present)
{
    struct world *world = userdata;

    if (present)
        world->came++;
    else
        world->went++;
    world->address = *address;
}

static void on_resync(void *userdata)
{
    ((struct world *)userdata)->resyncs++;
}

static int setup(void **state)
{
    static const struct links_callbacks callbacks = {
        .link_changed = on_link, .address_changed = on_address, .resynced = on_resync};
    struct world *world;

    if (enter_namespace(state) < 0)
        return -1;
    run("sysctl -qw net.ipv6.conf.default.disable_ipv6=1");
    run("ip link add v0 type veth peer name v1");
    run("ip addr add 192.0.2.5/24 dev v0");
    world = calloc(1, sizeof *world);
    if (links_open(&world->links, &callbacks, world) < 0)
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

/* Reads what the commands before it caused. The kernel queues that before they return, but for carrier. */
static void read_all(struct world *world)
{
    while (becomes_readable(links_fd(world->links), 0))
        assert_int_equal(links_on_readable(world->links), 0);
}

static void forget(struct world *world)
{
    read_all(world);
    *world = (struct world){.links = world->links};
}

static bool count(void *userdata, const struct link_address *address)
{
    (void)address;
    ++*(unsigned *)userdata;
    return true;
}

static unsigned n_addresses(const struct world *world, int ifindex)
{
    unsigned n = 0;

    links_each_address(world->links, ifindex, count, &n);
    return n;
}

static bool stop_at_once(void *userdata, const struct link_address *address)
{
    *(struct link_address *)userdata = *address;
    return false;
}

static void test_what_is_there_is_seen_at_open_without_callbacks(void **state)
{
    struct world *world = *state;
    struct link_address address;
    struct link_info info;

    assert_int_equal(world->link_changes + world->came + world->went, 0);
    assert_int_equal(links_by_name(world->links, "v0", &info), 0);
    assert_int_equal(info.ifindex, index_of("v0"));
    assert_string_equal(info.name, "v0");
    assert_true(info.ethernet);
    assert_false(info.up || info.carrier || mac_address_is_unset(&info.mac));
    assert_int_equal(links_by_name(world->links, "lo", &info), 0);
    assert_true(info.up && info.carrier && !info.ethernet);
    assert_int_equal(links_by_name(world->links, "v9", &info), -ENODEV);
    assert_int_equal(links_by_index(world->links, 9999, &info), -ENODEV);

    assert_int_equal(n_addresses(world, index_of("v0")), 1);
    assert_int_equal(n_addresses(world, index_of("v1")), 0);
    assert_int_equal(n_addresses(world, 9999), 0);
    assert_true(n_addresses(world, 0) >= 2); /* with 127.0.0.1 */
    links_each_address(world->links, index_of("v0"), stop_at_once, &address);
    assert_true(ip_address_equal(&address.ip, &(struct ip_address){AF_INET, {192, 0, 2, 5}}));
    assert_int_equal(address.prefix, 24);
}

static void test_up_down_and_carrier_are_told(void **state)
{
    struct world *world = *state;
    struct link_info info;
    int v0 = index_of("v0");

    run("ip link set v0 up");
    read_all(world);
    assert_true(world->link_changes >= 1);
    assert_int_equal(links_by_index(world->links, v0, &info), 0);
    assert_true(info.up && !info.carrier);
    run("ip link set v1 up");
    while (links_by_index(world->links, v0, &info) == 0 && !info.carrier) {
        assert_true(becomes_readable(links_fd(world->links), PATIENCE_MS));
        assert_int_equal(links_on_readable(world->links), 0);
    }
    forget(world);
    run("ip link set v0 down");
    read_all(world);
    assert_true(world->link_changes >= 1);
    assert_int_equal(links_by_index(world->links, v0, &info), 0);
    assert_false(info.up || info.carrier);
}

static void test_changes_that_show_nowhere_are_not_told(void **state)
{
    struct world *world = *state;

    run("ip link set v0 mtu 1400 && ip link set v0 alias x && ip link set v0 txqueuelen 7");
    assert_true(becomes_readable(links_fd(world->links), 0)); /* else this tests nothing */
    read_all(world);
    assert_int_equal(world->link_changes, 0);
    run("ip link set v0 address 02:00:00:00:00:01");
    read_all(world);
    assert_int_equal(world->link_changes, 1);
}

static void test_a_rename_keeps_the_index(void **state)
{
    struct world *world = *state;
    int v0 = index_of("v0"), v1 = index_of("v1");
    struct link_info info;

    run("ip link set v0 name x0");
    read_all(world);
    assert_true(world->link_changes == 1 && world->changed == v0);
    assert_int_equal(links_by_name(world->links, "v0", &info), -ENODEV);
    assert_int_equal(links_by_name(world->links, "x0", &info), 0);
    assert_int_equal(info.ifindex, v0);
    assert_int_equal(n_addresses(world, v0), 1);

    /* The names change places, told in one go. */
    run("ip link set v1 name y0 && ip link set x0 name v1 && ip link set y0 name x0");
    read_all(world);
    assert_int_equal(links_by_name(world->links, "v1", &info), 0);
    assert_int_equal(info.ifindex, v0);
    assert_int_equal(links_by_name(world->links, "x0", &info), 0);
    assert_int_equal(info.ifindex, v1);
}

static void test_a_nic_goes_and_comes_back_with_a_new_index(void **state)
{
    struct world *world = *state;
    int v0 = index_of("v0");
    struct link_info info;

    run("ip link del v0");
    read_all(world);
    assert_int_equal(world->link_changes, 2); /* v1 went along */
    assert_int_equal(world->went, 1);
    assert_int_equal(links_by_name(world->links, "v0", &info), -ENODEV);
    assert_int_equal(links_by_index(world->links, v0, &info), -ENODEV);
    assert_int_equal(n_addresses(world, v0), 0);

    forget(world);
    run("ip link add v0 type veth peer name v1 && ip addr add 192.0.2.5/24 dev v0");
    read_all(world);
    assert_true(world->link_changes >= 2);
    assert_int_equal(world->came, 1);
    assert_int_equal(links_by_name(world->links, "v0", &info), 0);
    assert_int_equal(info.ifindex, index_of("v0"));
    assert_int_not_equal(info.ifindex, v0);
}

static void test_a_nic_moves_to_another_namespace(void **state)
{
    struct world *world = *state;
    pid_t other = enter_other();
    struct link_info info;

    run("ip link set v0 netns %d", other);
    read_all(world);
    assert_int_equal(links_by_name(world->links, "v0", &info), -ENODEV);
    assert_int_equal(links_by_name(world->links, "v1", &info), 0);
    assert_int_equal(world->went, 1);
    leave_other(other);
}

static void test_ports_and_bridges_come_and_go(void **state)
{
    struct world *world = *state;
    struct link_info info;

    run("ip link add br0 type bridge && ip link set v0 master br0 && ip link set v0 nomaster");
    read_all(world);
    assert_int_equal(links_by_name(world->links, "v0", &info), 0);
    assert_int_equal(links_by_name(world->links, "br0", &info), 0);
    run("ip link set v0 master br0 && ip link del br0");
    read_all(world);
    assert_int_equal(links_by_name(world->links, "v0", &info), 0);
    assert_int_equal(links_by_name(world->links, "br0", &info), -ENODEV);
}

static void test_addresses_are_told_as_they_come_and_go(void **state)
{
    struct world *world = *state;
    struct ip_address ip = ip_of("192.0.2.6");

    run("ip addr add 192.0.2.6/24 dev v0");
    read_all(world);
    assert_true(world->came == 1 && world->went == 0);
    assert_true(ip_address_equal(&world->address.ip, &ip));
    assert_int_equal(world->address.ifindex, index_of("v0"));
    assert_int_equal(world->address.prefix, 24);

    /* A new lifetime is no new address. */
    run("ip addr change 192.0.2.6/24 dev v0 valid_lft 1000 preferred_lft 1000");
    assert_true(becomes_readable(links_fd(world->links), 0));
    read_all(world);
    assert_true(world->came == 1 && world->went == 0);

    run("ip addr del 192.0.2.6/24 dev v0");
    read_all(world);
    assert_true(world->came == 1 && world->went == 1);
    assert_int_equal(n_addresses(world, index_of("v0")), 1);
}

static void add_many(void)
{
    run("seq 1 %d | awk '{ printf \"addr add 10.1.%%d.%%d/32 dev v0\\n\", $1 / 250, $1 %% 250 + 1 }' | ip -batch -",
        MANY);
}

static void test_a_thousand_addresses_at_once(void **state)
{
    struct world *world = *state;

    run("ip link set v0 up");
    forget(world);
    add_many();
    read_all(world);
    assert_int_equal(world->came, MANY);
    assert_int_equal(n_addresses(world, index_of("v0")), MANY + 1);
    run("ip addr flush dev v0 to 10.1.0.0/16");
    read_all(world);
    assert_int_equal(world->went, MANY);
    assert_int_equal(links_overruns(world->links), 0);
}

static void test_an_overrun_is_made_good(void **state)
{
    struct world *world = *state;
    struct link_info info;
    int least = 0, v0 = index_of("v0");

    assert_int_equal(setsockopt(links_fd(world->links), SOL_SOCKET, SO_RCVBUF, &least, sizeof least), 0);
    run("ip addr add 192.0.2.6/24 dev v0"); /* told, and stands in the queue */
    add_many();
    run("ip addr del 192.0.2.5/24 dev v0 && ip addr flush dev v0 to 192.0.2.6");
    run("ip link set v0 up && ip link set v0 name x0 && ip link del v1 || true");
    run("ip link add w0 type veth peer name w1 && ip addr add 192.0.2.7/24 dev w0");
    read_all(world);
    assert_true(links_overruns(world->links) >= 1);
    assert_int_equal(world->resyncs, links_overruns(world->links));

    /* v0 went with its peer, and all its addresses. */
    assert_int_equal(links_by_name(world->links, "x0", &info), -ENODEV);
    assert_int_equal(links_by_index(world->links, v0, &info), -ENODEV);
    assert_int_equal(n_addresses(world, v0), 0);
    assert_int_equal(links_by_name(world->links, "w0", &info), 0);
    assert_int_equal(n_addresses(world, info.ifindex), 1);
    assert_int_equal(world->came - world->went, 0); /* 192.0.2.7 came, 192.0.2.5 went; each other pair cancels out */

    /* And it goes on. */
    forget(world);
    run("ip addr add 192.0.2.8/24 dev w0");
    read_all(world);
    assert_int_equal(world->came, 1);
}

/* While the kernel cannot be asked, what an overrun lost stays wanted: the next notification asks again. */
static void test_a_failed_resync_is_tried_again(void **state)
{
    struct world *world = *state;
    int least = 0, questions = nl_socket_get_fd(world->links->questions);
    CLEANUP_CLOSE int broken = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct link_info info;

    assert_int_equal(setsockopt(links_fd(world->links), SOL_SOCKET, SO_RCVBUF, &least, sizeof least), 0);
    add_many();
    run("ip link add w0 type veth peer name w1");
    assert_int_equal(dup2(broken, questions), questions);
    assert_true(links_on_readable(world->links) < 0);
    assert_int_equal(world->resyncs, 0);
    run("ip link set v0 mtu 1300");
    read_all(world);
    assert_int_equal(world->resyncs, 1);
    assert_int_equal(links_by_name(world->links, "w0", &info), 0);
}

/* In front of the C library's, for libnl. */
static bool unsendable;

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (unsendable) {
        errno = ENOBUFS;
        return -1;
    }
    return syscall(SYS_sendmsg, fd, message, flags);
}

/* libnl passes over a question of a cache that could not be sent: its answer must not be waited for. */
static void test_what_cannot_be_asked_is_not_waited_for(void **state)
{
    struct world *world = *state;
    int least = 0, error;

    assert_int_equal(setsockopt(links_fd(world->links), SOL_SOCKET, SO_RCVBUF, &least, sizeof least), 0);
    add_many();
    unsendable = true;
    alarm(30); /* of patience */
    error = links_on_readable(world->links);
    alarm(0);
    unsendable = false;
    assert_true(error < 0);
    assert_int_equal(world->resyncs, 0);
    run("ip link set v0 mtu 1300");
    read_all(world);
    assert_int_equal(world->resyncs, 1);
}

static void test_nothing_is_waited_for_at_open_either(void **state)
{
    static const struct links_callbacks callbacks = {.link_changed = on_link};
    struct links *second = NULL;
    int error;

    unsendable = true;
    alarm(30); /* of patience */
    error = links_open(&second, &callbacks, *state);
    alarm(0);
    unsendable = false;
    assert_true(error < 0);
    assert_null(second);
}

/* It ends with an error, wherever descriptors run out, and with nothing left open. */
static void test_no_descriptor_is_no_end(void **state)
{
    static const struct links_callbacks callbacks = {.link_changed = on_link};
    int next = fcntl(0, F_DUPFD_CLOEXEC, 0), error = -EMFILE;
    struct world *world = *state;
    struct links *second = NULL;
    struct rlimit before, few;

    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    for (few.rlim_cur = (rlim_t)next; error < 0 && few.rlim_cur < (rlim_t)next + 8; few.rlim_cur++) {
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        error = links_open(&second, &callbacks, world);
        assert_true(error == 0 || !second);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(error, 0);
    assert_int_equal(few.rlim_cur, next + 4); /* three sockets were needed */
    links_close(second);
    error = fcntl(0, F_DUPFD_CLOEXEC, 0);
    assert_int_equal(error, next);
    close(error);
}

static void test_an_overrun_without_change_tells_nothing_but_itself(void **state)
{
    struct world *world = *state;
    int least = 0;

    run("ip link set v0 up");
    forget(world);
    assert_int_equal(setsockopt(links_fd(world->links), SOL_SOCKET, SO_RCVBUF, &least, sizeof least), 0);
    for (unsigned i = 0; i < 20; i++)
        run("ip link set v0 mtu %u", 1300 + i);
    read_all(world);
    assert_true(world->resyncs >= 1);
    assert_int_equal(world->link_changes + world->came + world->went, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_there_is_seen_at_open_without_callbacks),
        TEST(test_up_down_and_carrier_are_told),
        TEST(test_changes_that_show_nowhere_are_not_told),
        TEST(test_a_rename_keeps_the_index),
        TEST(test_a_nic_goes_and_comes_back_with_a_new_index),
        TEST(test_a_nic_moves_to_another_namespace),
        TEST(test_ports_and_bridges_come_and_go),
        TEST(test_addresses_are_told_as_they_come_and_go),
        TEST(test_a_thousand_addresses_at_once),
        TEST(test_an_overrun_is_made_good),
        TEST(test_a_failed_resync_is_tried_again),
        TEST(test_what_cannot_be_asked_is_not_waited_for),
        TEST(test_nothing_is_waited_for_at_open_either),
        TEST(test_no_descriptor_is_no_end),
        TEST(test_an_overrun_without_change_tells_nothing_but_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
