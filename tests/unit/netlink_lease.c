/* SPDX-License-Identifier: Apache-2.0 */
/* Leases while they last: set, renewed, taken over, switched on and off. What happens at their end: netlink_expiry.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/time.h>
#include <time.h>

#include "agent/base/cleanup.h"
#include "netlink/links.h"
#include "netlink/message.h"
#include "netlink/query.h"
#include "tests/unit/netlink_claims_world.h"

/* A lease that no test sees the end of, and one that cannot be mistaken for it however slow the machine is. */
#define LONG_S 7200
#define SHORT_S 600

/* Whether so much is left as a lease of `valid_s` has just after it began. */
static bool is_fresh(const char *ip, uint32_t valid_s)
{
    uint32_t left = lease_left(ip);

    return left <= valid_s && left + SHORT_S / 2 > valid_s;
}

static void test_a_lease_is_put_on_and_told(void **state)
{
    struct world *world = *state;

    assert_int_equal(try_leased(world, CLAIMS_ADD, "192.0.2.10", 32, LONG_S), 0);
    assert_int_equal(try_leased(world, CLAIMS_ADD, "2001:db8::10", 128, LONG_S), 0);
    assert_int_equal(try_leased(world, CLAIMS_ADD, "198.51.100.10", 24, 0), 0);
    assert_true(is_fresh("192.0.2.10", LONG_S) && is_fresh("2001:db8::10", LONG_S));
    assert_int_equal(lease_left("198.51.100.10"), UINT32_MAX);
    assert_true(on_nic("192.0.2.10/32 scope host dynamic"));
    assert_true(on_nic("198.51.100.10/24 brd 198.51.100.255 scope global v0"));
    /* IPv4 is preferred as long as it is valid. */
    assert_false(output_has("ip -4 addr show dev v0 deprecated", "192.0.2.10"));
    assert_true(output_has("ip -6 addr show dev v0 dynamic deprecated", "preferred_lft 0sec"));
}

static void test_a_renewal_starts_the_lease_anew_and_keeps_the_rest(void **state)
{
    static const struct {
        const char *ip;
        uint8_t prefix;
        const char *shown;
    } cases[] = {
        {"192.0.2.10", 32, "192.0.2.10/32 scope host dynamic v0"},
        {"198.51.100.10", 24, "198.51.100.10/24 brd 198.51.100.255 scope global dynamic v0"},
        {"2001:db8::10", 128, "2001:db8::10/128 scope global nodad deprecated dynamic noprefixroute"},
        {"2001:db8:1::10", 64, "2001:db8:1::10/64 scope global nodad deprecated dynamic \\"},
    };
    struct world *world = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(try_leased(world, CLAIMS_ADD, cases[i].ip, cases[i].prefix, SHORT_S), 0);
        assert_true(is_fresh(cases[i].ip, SHORT_S));
        assert_true(on_nic(cases[i].shown));
        /* Also that the mark is still there: only so is it told of. */
        assert_int_equal(try_leased(world, CLAIMS_RENEW, cases[i].ip, cases[i].prefix, LONG_S), 0);
        assert_true(is_fresh(cases[i].ip, LONG_S));
        assert_true(on_nic(cases[i].shown));
        assert_int_equal(try_leased(world, CLAIMS_RENEW, cases[i].ip, cases[i].prefix, SHORT_S), 0);
        assert_true(is_fresh(cases[i].ip, SHORT_S));
    }
}

/* Puts an address on with our mark and other flags than ours, as another version of this program might have. */
static void put_with_flags(struct world *world, const char *ip, uint8_t prefix, uint32_t flags)
{
    _Alignas(struct nlmsghdr) char buffer[MESSAGE_BYTES_MAX];
    struct claims_request request = {.ifindex = world->nic, .ip = ip_of(ip), .prefix = prefix};
    struct query *query;

    assert_int_equal(query_open(&query), 0);
    assert_int_equal(query_carry_out(query, message_build_renewal(buffer, 0, &request, flags, SHORT_S)), 0);
    query_close(query);
}

static void test_flags_stay_as_they_were(void **state)
{
    struct world *world = *state;

    put_with_flags(world, "2001:db8::10", 128, IFA_F_NODAD);
    put_with_flags(world, "2001:db8:1::10", 64, IFA_F_NODAD | IFA_F_NOPREFIXROUTE);
    put_with_flags(world, "2001:db8:2::10", 64, IFA_F_NOPREFIXROUTE);
    assert_int_equal(try_leased(world, CLAIMS_RENEW, "2001:db8::10", 128, LONG_S), 0);
    assert_int_equal(try_leased(world, CLAIMS_RENEW, "2001:db8:1::10", 64, LONG_S), 0);
    assert_int_equal(try_leased(world, CLAIMS_ADD, "2001:db8:2::10", 64, LONG_S), 0);
    assert_true(on_nic("2001:db8::10/128 scope global nodad deprecated dynamic \\"));
    assert_true(on_nic("2001:db8:1::10/64 scope global nodad deprecated dynamic noprefixroute"));
    assert_true(output_has("ip -6 -o addr show dev v0 | grep -v nodad", "2001:db8:2::10/64"));
    assert_false(output_has("ip -6 route show dev v0", "2001:db8:1::/64"));
}

static void test_ipv6_is_never_the_source_after_a_renewal(void **state)
{
    struct world *world = *state;

    /* The claim matches the destination better, and is chosen as soon as it is preferred (RFC 6724, 5, rules 3 and 8). */
    run("ip addr add 2001:db8::1:5/64 dev v0 nodad");
    assert_int_equal(try_leased(world, CLAIMS_ADD, "2001:db8::10", 128, SHORT_S), 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(output_has("ip route get 2001:db8::11", "src 2001:db8::1:5 "));
        assert_int_equal(try_leased(world, CLAIMS_RENEW, "2001:db8::10", 128, i == 1 ? 0 : LONG_S), 0);
        assert_true(output_has("ip -6 -o addr show dev v0 deprecated", "2001:db8::10/128"));
    }
    assert_true(output_has("ip route get 2001:db8::11", "src 2001:db8::1:5 "));
    run("ip addr change 2001:db8::10/128 dev v0 nodad preferred_lft 60 valid_lft 60");
    assert_true(output_has("ip route get 2001:db8::11", "src 2001:db8::10 ")); /* else this tests nothing */
}

static void test_a_lease_is_switched_on_and_off(void **state)
{
    static const char *const ips[] = {"192.0.2.10", "198.51.100.10", "2001:db8::10", "2001:db8:1::10"};
    static const uint8_t prefixes[] = {32, 24, 128, 64};
    struct world *world = *state;

    for (size_t i = 0; i < sizeof ips / sizeof *ips; i++) {
        assert_int_equal(try(world, CLAIMS_ADD, ips[i], prefixes[i]), 0);
        assert_int_equal(try_leased(world, CLAIMS_RENEW, ips[i], prefixes[i], LONG_S), 0);
        assert_true(is_fresh(ips[i], LONG_S));
        assert_int_equal(try_leased(world, CLAIMS_RENEW, ips[i], prefixes[i], 0), 0);
        assert_int_equal(lease_left(ips[i]), UINT32_MAX);
        assert_int_equal(try_leased(world, CLAIMS_RENEW, ips[i], prefixes[i], SHORT_S), 0);
        assert_true(is_fresh(ips[i], SHORT_S));
    }
    assert_int_equal(n_held(), 4);
    assert_true(output_has("ip route get 198.51.100.99", "dev v0"));
    assert_true(output_has("ip route get 2001:db8:1::99", "dev v0"));
}

/* The kernel would end the route of the host's own subnet as soon as an address for ever beside it is leased. */
static void test_the_hosts_own_ipv6_route_stays(void **state)
{
    struct world *world = *state;

    assert_int_equal(try(world, CLAIMS_ADD, "2001:db8::10", 64), 0);
    run("ip addr add 2001:db8::5/64 dev v0 nodad");
    assert_int_equal(try_leased(world, CLAIMS_RENEW, "2001:db8::10", 64, LONG_S), 0);
    assert_int_equal(try_leased(world, CLAIMS_RENEW, "2001:db8::10", 64, LONG_S), 0);
    assert_true(output_has("ip route get 2001:db8::99", "src 2001:db8::5 "));
    assert_false(output_has("ip -6 route show dev v0", "expires"));
    assert_int_equal(try(world, CLAIMS_REMOVE, "2001:db8::10", 64), 0);
    assert_true(output_has("ip route get 2001:db8::99", "src 2001:db8::5 "));
    assert_false(output_has("ip -6 route show dev v0", "expires"));
}

static void test_removal_takes_the_route_of_a_lease_along(void **state)
{
    struct world *world = *state;

    assert_int_equal(try_leased(world, CLAIMS_ADD, "2001:db8::10", 64, LONG_S), 0);
    assert_int_equal(try_leased(world, CLAIMS_ADD, "2001:db8::11", 64, LONG_S), 0);
    assert_int_equal(try_leased(world, CLAIMS_ADD, "2001:db8:1::10", 128, LONG_S), 0);
    assert_int_equal(try(world, CLAIMS_REMOVE, "2001:db8::10", 64), 0);
    assert_true(output_has("ip -6 route show dev v0", "2001:db8::/64")); /* the other's, still */
    assert_int_equal(try(world, CLAIMS_REMOVE, "2001:db8::11", 64), 0);
    assert_int_equal(try(world, CLAIMS_REMOVE, "2001:db8:1::10", 128), 0);
    assert_false(output_has("ip -6 route show dev v0", "2001:db8"));
}

static void test_a_renewal_does_not_bring_back(void **state)
{
    static const char *const ips[] = {"192.0.2.10", "2001:db8::10"};
    static const uint8_t prefixes[] = {32, 128};
    struct world *world = *state;

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(try_leased(world, CLAIMS_RENEW, ips[i], prefixes[i], LONG_S), -EADDRNOTAVAIL);
        assert_int_equal(try_leased(world, CLAIMS_ADD, ips[i], prefixes[i], LONG_S), 0);
        /* The same address, but not the one that was claimed. */
        assert_int_equal(try_leased(world, CLAIMS_RENEW, ips[i], 24, SHORT_S), -EADDRNOTAVAIL);
        assert_true(is_fresh(ips[i], LONG_S));
        assert_int_equal(try(world, CLAIMS_REMOVE, ips[i], prefixes[i]), 0);
        assert_int_equal(try_leased(world, CLAIMS_RENEW, ips[i], prefixes[i], LONG_S), -EADDRNOTAVAIL);
        assert_int_equal(try_leased(world, CLAIMS_ADD, ips[i], prefixes[i], LONG_S), 0);
        run("ip addr del %s/%u dev v0", ips[i], prefixes[i]);
        assert_int_equal(try_leased(world, CLAIMS_RENEW, ips[i], prefixes[i], LONG_S), -EADDRNOTAVAIL);
        assert_false(on_nic(ips[i]));
    }
    /* Within one turn, too. */
    submit(world, CLAIMS_ADD, 1, "192.0.2.10", 32);
    submit(world, CLAIMS_REMOVE, 2, "192.0.2.10", 32);
    submit(world, CLAIMS_RENEW, 3, "192.0.2.10", 32);
    settle(world);
    expect(world, world->n - 1, 3, -EADDRNOTAVAIL);
    assert_int_equal(n_held(), 0);
    run("ip link del v0");
    assert_int_equal(try_leased(world, CLAIMS_RENEW, "192.0.2.10", 32, LONG_S), -ENODEV);
}

static void test_what_is_not_ours_is_not_renewed(void **state)
{
    struct world *world = *state;

    run("ip addr add 192.0.2.5/24 dev v0 && ip addr add 2001:db8::5/64 dev v0 nodad");
    assert_int_equal(try_leased(world, CLAIMS_RENEW, "192.0.2.5", 24, SHORT_S), -EACCES);
    assert_int_equal(try_leased(world, CLAIMS_RENEW, "2001:db8::5", 64, SHORT_S), -EACCES);
    assert_false(on_nic("dynamic"));
    assert_int_equal(n_held(), 0);
    /* Adoption neither. */
    assert_int_equal(try_leased(world, CLAIMS_ADD, "192.0.2.5", 24, SHORT_S), -EEXIST);
    assert_int_equal(try_leased(world, CLAIMS_ADD, "2001:db8::5", 64, SHORT_S), -EEXIST);
    assert_false(on_nic("dynamic"));
    assert_int_equal(n_held(), 0);
}

static void test_adoption_ends_with_the_lease_asked_for(void **state)
{
    static const char *const ips[] = {"192.0.2.10", "198.51.100.10", "2001:db8::10", "2001:db8:1::10"};
    static const uint8_t prefixes[] = {32, 24, 128, 64};
    static const uint32_t leases_s[] = {0, SHORT_S, LONG_S, 0};
    struct world *world = *state;

    for (size_t lease = 0; lease < 4; lease++) {
        for (size_t i = 0; i < sizeof ips / sizeof *ips; i++) {
            assert_int_equal(try_leased(world, CLAIMS_ADD, ips[i], prefixes[i], leases_s[lease]), 0);
            if (leases_s[lease] == 0)
                assert_int_equal(lease_left(ips[i]), UINT32_MAX);
            else
                assert_true(is_fresh(ips[i], leases_s[lease]));
        }
        assert_true(output_has("ip route get 2001:db8:1::99", "dev v0"));
    }
    assert_int_equal(n_held(), 4);
}

/* Counts the addresses of ours by what is left of their lease. */
struct tally {
    size_t n_long, n_short, n_forever;
};

static void tally_held(void *userdata, const struct claims_held *held)
{
    struct tally *tally = userdata;

    if (held->valid_s == UINT32_MAX)
        tally->n_forever++;
    else if (held->valid_s > SHORT_S)
        tally->n_long++;
    else
        tally->n_short++;
}

static struct tally tally(void)
{
    struct tally counted = {};

    assert_int_equal(claims_list_held(tally_held, &counted), 0);
    return counted;
}

/* The same thousand addresses; all must be answered with 0. */
static void ask_many(struct world *world, enum claims_operation operation, uint32_t valid_s)
{
    world->n = 0;
    world->valid_s = valid_s;
    submit_many(world, operation);
    settle(world);
    assert_int_equal(world->n, MANY);
    for (uint32_t i = 0; i < MANY; i++)
        expect(world, i, i, 0);
}

static void test_a_thousand_are_adopted(void **state)
{
    struct world *world = *state;

    ask_many(world, CLAIMS_ADD, 0);
    assert_int_equal(tally().n_forever, MANY);
    ask_many(world, CLAIMS_ADD, LONG_S);
    assert_int_equal(tally().n_long, MANY);
}

static void test_lost_answers_to_renewals(void **state)
{
    struct world *world = *state;
    int error = 0, renewed = 0;
    socklen_t size = sizeof error;

    ask_many(world, CLAIMS_ADD, SHORT_S);
    run("ip addr del 10.1.0.4/32 dev v0");
    shrink_queue(world);
    world->n = 0;
    world->valid_s = LONG_S;
    submit_many(world, CLAIMS_RENEW);
    assert_true(claims_flush(world->claims) > 0);
    assert_int_equal(getsockopt(claims_fd(world->claims), SOL_SOCKET, SO_ERROR, &error, &size), 0);
    assert_int_equal(error, ENOBUFS); /* else this tests nothing */
    settle(world);
    assert_int_equal(world->n, MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        /* A machine so busy that a second went by reads the lease as not the one asked for: then it is asked again. */
        assert_true(world->results[i].error == (i == 3 ? -EADDRNOTAVAIL : 0) || world->results[i].error == -ENOBUFS);
        renewed += world->results[i].error == 0;
    }
    assert_true(renewed > CLAIMS_BATCH / 2);
    assert_int_equal(tally().n_long, MANY - 1);
}

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

static void test_renewing_costs_no_more_than_adding(void **state)
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
        TEST(test_a_lease_is_put_on_and_told),
        TEST(test_a_renewal_starts_the_lease_anew_and_keeps_the_rest),
        TEST(test_flags_stay_as_they_were),
        TEST(test_ipv6_is_never_the_source_after_a_renewal),
        TEST(test_a_lease_is_switched_on_and_off),
        TEST(test_the_hosts_own_ipv6_route_stays),
        TEST(test_removal_takes_the_route_of_a_lease_along),
        TEST(test_a_renewal_does_not_bring_back),
        TEST(test_what_is_not_ours_is_not_renewed),
        TEST(test_adoption_ends_with_the_lease_asked_for),
        TEST(test_a_thousand_are_adopted),
        TEST(test_lost_answers_to_renewals),
        TEST(test_a_thousand_renewals_are_no_event),
        TEST(test_renewing_costs_no_more_than_adding),
        TEST(test_connections_survive_renewals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
