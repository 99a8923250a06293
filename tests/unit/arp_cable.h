/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cable for the port: in a network namespace of each test's own, `near` is the port's NIC and `far` the neighbour's
 * end. No NIC has an IP address, so that only the test speaks. Needs root.
 */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>

#include "agent/base/cleanup.h"
#include "arp/port.h"

#define HEARD_MAX 4096
/* How long to wait for what must come, and for what must not. */
#define WAIT_MS 5000
#define SILENCE_MS 100

static const struct mac_address near_mac = {{0x02, 0, 0, 0, 0, 0x01}};
static const struct mac_address far_mac = {{0x02, 0, 0, 0, 0, 0x02}};
static const struct mac_address unset_mac = {{0}};

/* What a port told of. */
struct ear {
    struct arp_heard heard[HEARD_MAX];
    nsec_t heard_ns[HEARD_MAX];
    size_t n_heard;
    struct ip_address from; /* of the newest packet of watched traffic */
    struct ip_address to;
    size_t n_traffic;
    bool unwatch; /* at the first traffic */
};

static inline void on_heard(void *userdata, struct arp_port *port, const struct arp_heard *heard, nsec_t received_ns)
{
    struct ear *ear = userdata;

    (void)port;
    assert_true(ear->n_heard < HEARD_MAX);
    ear->heard[ear->n_heard] = *heard;
    ear->heard_ns[ear->n_heard++] = received_ns;
}

static inline void on_traffic(void *userdata, struct arp_port *port, const struct ip_address *from,
                              const struct ip_address *to, nsec_t received_ns)
{
    struct ear *ear = userdata;

    (void)received_ns;
    ear->from = *from;
    ear->to = *to;
    ear->n_traffic++;
    if (ear->unwatch)
        assert_int_equal(arp_port_watch(port, NULL, 0), 0);
}

static const struct arp_port_callbacks callbacks = {.heard = on_heard, .traffic = on_traffic};

static inline void run(const char *command)
{
    int status = system(command);

    if (status != 0)
        fail_msg("%s: status %d", command, status);
}

static inline nsec_t clock_now(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

/* Sampled again where something came between the two clocks. */
static inline nsec_t to_monotonic(void)
{
    nsec_t before_ns, real_ns, after_ns;

    do {
        before_ns = clock_now(CLOCK_MONOTONIC);
        real_ns = clock_now(CLOCK_REALTIME);
        after_ns = clock_now(CLOCK_MONOTONIC);
    } while (after_ns - before_ns > 100 * NSEC_PER_USEC);
    return before_ns - real_ns;
}

static inline void wait_readable(const struct arp_port *port)
{
    struct pollfd wait = {.fd = arp_port_fd(port), .events = POLLIN};

    assert_int_equal(poll(&wait, 1, WAIT_MS), 1);
}

/* Nothing is there to read, nor comes soon. */
static inline void assert_silence(const struct arp_port *port)
{
    struct pollfd wait = {.fd = arp_port_fd(port), .events = POLLIN};

    assert_int_equal(poll(&wait, 1, SILENCE_MS), 0);
}

static inline struct ip_address ip(const char *text)
{
    struct ip_address address = {0};

    assert_int_equal(ip_address_parse(text, &address), 0);
    return address;
}

/* The neighbour: a plain packet socket on `far`. */
static inline int far_socket(void)
{
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ALL),
        .sll_ifindex = (int)if_nametoindex("far"),
    };
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static inline void far_sends(const void *bytes, size_t length)
{
    CLEANUP_CLOSE int fd = far_socket();

    assert_int_equal(send(fd, bytes, length, 0), length);
}

static inline void far_sends_frame(const struct arp_frame *frame)
{
    far_sends(frame->bytes, frame->length);
}

/* Sends an IP packet of the shortest kind from the neighbour. */
static inline void far_sends_packet(const char *from, const char *to, const struct mac_address *to_mac)
{
    struct ip_address source = ip(from), target = ip(to);
    uint8_t bytes[60] = {0};
    bool v4 = source.family == AF_INET;

    memcpy(bytes, to_mac, 6);
    memcpy(bytes + 6, &far_mac, 6);
    bytes[12] = v4 ? 0x08 : 0x86;
    bytes[13] = v4 ? 0x00 : 0xdd;
    bytes[14] = v4 ? 0x45 : 0x60;
    bytes[17] = v4 ? 28 : 0;
    bytes[v4 ? 23 : 20] = v4 ? 1 : 58;
    memcpy(bytes + (v4 ? 26 : 22), source.bytes, v4 ? 4 : 16);
    memcpy(bytes + (v4 ? 30 : 38), target.bytes, v4 ? 4 : 16);
    bytes[v4 ? 34 : 54] = v4 ? 0 : 129; /* echo reply */
    far_sends(bytes, sizeof bytes);
}

/* Reads until `n` things came in all, or too long. */
static inline void listen_for(struct arp_port *port, struct ear *ear, size_t n)
{
    nsec_t until_ns = clock_now(CLOCK_MONOTONIC) + WAIT_MS * NSEC_PER_MSEC;

    while (ear->n_heard + ear->n_traffic < n && clock_now(CLOCK_MONOTONIC) < until_ns) {
        struct pollfd wait = {.fd = arp_port_fd(port), .events = POLLIN};

        poll(&wait, 1, SILENCE_MS);
        assert_true(arp_port_on_readable(port, to_monotonic(), 64) >= 0);
    }
    assert_int_equal(ear->n_heard + ear->n_traffic, n);
}

/* Nothing more than `n` comes. A last frame that must be heard shows that the others before it were not. */
static inline void nothing_but(struct arp_port *port, struct ear *ear, size_t n)
{
    struct ip_address nobody = {0}, mark = ip("192.0.2.254");
    struct arp_frame frame;

    arp_frame_request(&frame, &far_mac, &nobody, &mark, &unset_mac);
    far_sends_frame(&frame);
    listen_for(port, ear, n + 1);
    assert_true(ip_address_equal(&ear->heard[ear->n_heard - 1].target_ip, &mark));
    ear->n_heard--;
}

static inline struct arp_port *open_near(struct ear *ear)
{
    struct arp_port *port = NULL;

    assert_int_equal(arp_port_open(&port, "near", (int)if_nametoindex("near"), &callbacks, ear), 0);
    return port;
}

/* A namespace for each test, so that none leaves anything to the next. */
static inline int plug_in(void **state)
{
    struct ear *ear = calloc(1, sizeof *ear);

    if (geteuid() != 0) {
        print_error("this test needs root: it makes a network namespace of its own\n");
        free(ear);
        return -1;
    }
    if (!ear || unshare(CLONE_NEWNET) < 0) {
        print_error("no network namespace: %s\n", strerror(errno));
        free(ear);
        return -1;
    }
    /* No addresses, so that the kernel says nothing by itself. */
    run("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
    run("ip link add name near address 02:00:00:00:00:01 type veth peer name far address 02:00:00:00:00:02");
    run("ip link set near up && ip link set far up");
    *state = ear;
    return 0;
}

static inline int unplug(void **state)
{
    free(*state);
    return 0;
}

#define PORT_TEST(test) cmocka_unit_test_setup_teardown(test, plug_in, unplug)
