/* SPDX-License-Identifier: Apache-2.0 */
/* What renewals disturb, and what they cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/time.h>
#include <time.h>

#include "agent/base/cleanup.h"
#include "netlink/links.h"
#include "netlink/message.h"
#include "tests/unit/netlink_claims_world.h"

/* A socket that is told of every change of addresses and routes. */
static int open_monitor(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE), size = 16 << 20;
    struct sockaddr_nl all = {.nl_family = AF_NETLINK,
                              .nl_groups =
                                  RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE};

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&all, sizeof all), 0);
    return fd;
}

/* What a monitor was told of. */
struct events {
    unsigned put, gone, routes;
};

static bool count_event(void *userdata, const struct nlmsghdr *message)
{
    struct events *events = userdata;

    events->put += message->nlmsg_type == RTM_NEWADDR;
    events->gone += message->nlmsg_type == RTM_DELADDR;
    events->routes += message->nlmsg_type == RTM_NEWROUTE || message->nlmsg_type == RTM_DELROUTE;
    return true;
}

static struct events read_events(int fd)
{
    static _Alignas(struct nlmsghdr) char buffer[1 << 16];
    struct events events = {};
    ssize_t length;

    while ((length = recv(fd, buffer, sizeof buffer, 0)) > 0)
        assert_int_equal(message_each(buffer, (size_t)length, count_event, &events), 0);
    assert_int_equal(errno, EAGAIN);
    return events;
}

static void count_change(void *userdata, const struct link_address *address, bool added)
{
    (void)address;
    (void)added;
    ++*(unsigned *)userdata;
}

static void test_a_thousand_renewals_are_no_event(void **state)
{
    struct world *world = *state;
    struct links_callbacks callbacks = {.address_changed = count_change};
    CLEANUP_CLOSE int monitor = open_monitor();
    struct links *links;
    unsigned changes = 0;
    struct events events;

    run("ip addr add 10.1.0.250/16 dev v0");
    ask_many(world, CLAIMS_ADD, SHORT_S);
    assert_int_equal(links_open(&links, &callbacks, &changes), 0);
    assert_true(read_events(monitor).routes > 0); /* else this tests nothing */

    ask_many(world, CLAIMS_RENEW, LONG_S);
    events = read_events(monitor);
    assert_int_equal(events.put, MANY); /* the new lifetimes */
    assert_int_equal(events.gone, 0);
    assert_int_equal(events.routes, 0);
    assert_int_equal(links_on_readable(links), 0);
    assert_int_equal(changes, 0);
    links_close(links);
    assert_int_equal(tally().n_long, MANY);
}

static double cpu_s(void)
{
    struct timespec spent;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return (double)spent.tv_sec + (double)spent.tv_nsec / 1e9;
}

/* The kernel's work is part of it: it is done within our own system calls. */
static double cost_of(struct world *world, enum claims_operation operation, uint32_t valid_s)
{
    double began_s = cpu_s();

    ask_many(world, operation, valid_s);
    return cpu_s() - began_s;
}

static void test_renewing_costs_about_as_much_as_adding(void **state)
{
    struct world *world = *state;
    double add_s = cost_of(world, CLAIMS_ADD, SHORT_S), renew_s = 1e9;

    for (unsigned i = 0; i < 3; i++) {
        double once_s = cost_of(world, CLAIMS_RENEW, LONG_S);

        renew_s = once_s < renew_s ? once_s : renew_s;
    }
    print_message("renewing costs %.2f of adding\n", renew_s / add_s);
    /* A lookup for each address instead of each batch costs six times as much. */
    assert_true(renew_s < 3 * add_s);
}

/* A socket in the namespace of that process. */
static int socket_beside(pid_t pid, int family)
{
    CLEANUP_CLOSE int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    char path[64];
    int fd;

    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    CLEANUP_CLOSE int there = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(here >= 0 && there >= 0);
    assert_int_equal(setns(there, CLONE_NEWNET), 0);
    fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setns(here, CLONE_NEWNET), 0);
    assert_true(fd >= 0);
    return fd;
}

static struct sockaddr_storage socket_address(const char *ip)
{
    struct sockaddr_storage address = {};
    struct sockaddr_in *ipv4 = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)&address;

    if (inet_pton(AF_INET, ip, &ipv4->sin_addr) == 1) {
        ipv4->sin_family = AF_INET;
        ipv4->sin_port = htons(7);
    } else {
        assert_int_equal(inet_pton(AF_INET6, ip, &ipv6->sin6_addr), 1);
        ipv6->sin6_family = AF_INET6;
        ipv6->sin6_port = htons(7);
    }
    return address;
}

/* One byte there and one back. */
static void talk(int client, int server)
{
    char byte = 'x';

    assert_int_equal(send(client, &byte, 1, 0), 1);
    assert_int_equal(recv(server, &byte, 1, 0), 1);
    assert_int_equal(send(server, &byte, 1, 0), 1);
    assert_int_equal(recv(client, &byte, 1, 0), 1);
}

/* A client in another namespace talks over the claim, while the lease is renewed, switched off and on. */
static void keep_talking(struct world *world, pid_t other, const char *ip, uint8_t prefix)
{
    struct sockaddr_storage address = socket_address(ip);
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    CLEANUP_CLOSE int listener = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CLEANUP_CLOSE int client = socket_beside(other, address.ss_family);

    assert_int_equal(try_leased(world, CLAIMS_ADD, ip, prefix, SHORT_S), 0);
    assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    CLEANUP_CLOSE int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(server >= 0);
    assert_int_equal(setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(try_leased(world, CLAIMS_RENEW, ip, prefix, i % 10 == 5 ? 0 : LONG_S + i), 0);
        talk(client, server);
    }
}

static void test_connections_survive_renewals(void **state)
{
    struct world *world = *state;
    pid_t other = enter_other();

    run("ip link set v1 netns %d", (int)other);
    run("nsenter -t %d -n ip link set v1 up", (int)other);
    run("nsenter -t %d -n ip addr add 198.51.100.99/24 dev v1", (int)other);
    run("nsenter -t %d -n ip addr add 2001:db8::99/64 dev v1 nodad", (int)other);
    keep_talking(world, other, "198.51.100.10", 24);
    keep_talking(world, other, "2001:db8::10", 64);
    leave_other(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_thousand_renewals_are_no_event),
        TEST(test_renewing_costs_about_as_much_as_adding),
        TEST(test_connections_survive_renewals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
