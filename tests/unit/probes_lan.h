/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A LAN of two hosts for the tests of the probes' sockets: "we" in one network namespace, the peer in another, joined
 * by a veth pair. Needs root. The namespaces go with the process. Comes after cmocka.h and what that needs.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "probes/probe.h"

#define LAN_REPLIES_MAX 1024
/* Long enough for any machine: only tests that fail wait for it. */
#define LAN_PATIENCE_MS 5000

static struct lan {
    int own_ns, peer_ns;
    int near;                    /* our NIC's index */
    int idle;                    /* index of a NIC of ours that is down */
    struct mac_address near_mac; /* of our NIC */
    struct mac_address far_mac;  /* of the peer's */
} lan;

/* What came in, and what could not go out. */
static struct probe_reply lan_replies[LAN_REPLIES_MAX];
static struct probe_request lan_failed[LAN_REPLIES_MAX];
static int lan_errors[LAN_REPLIES_MAX];
static size_t lan_n_replies, lan_n_failed;

static inline void lan_enter(int ns)
{
    assert_int_equal(setns(ns, CLONE_NEWNET), 0);
}

/* Runs a shell command in the namespace. */
static inline void lan_run(int ns, const char *command)
{
    lan_enter(ns);
    if (system(command) != 0)
        fail_msg("failed: %s", command);
    lan_enter(lan.own_ns);
}

static inline int lan_new_namespace(void)
{
    if (unshare(CLONE_NEWNET) < 0) {
        print_error("this test makes network namespaces and needs root: %s\n", strerror(errno));
        return -1;
    }
    return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

/* Group setup. IPv6 addresses are usable at once; the peer has 192.0.2.1 and 2001:db8::1. */
static inline int lan_up(void **state)
{
    static const char prepare[] = "ip link set lo up && sysctl -qw net.ipv6.conf.all.accept_dad=0 "
                                  "net.ipv6.conf.default.accept_dad=0";
    char move[128];

    (void)state;
    lan.peer_ns = lan_new_namespace();
    lan.own_ns = lan.peer_ns < 0 ? -1 : lan_new_namespace();
    if (lan.own_ns < 0)
        return -1;
    lan_run(lan.peer_ns, prepare);
    lan_run(lan.own_ns, prepare);
    lan_run(lan.own_ns, "ip link add near address 02:00:00:00:00:01 type veth peer name far address 02:00:00:00:00:02");
    lan_run(lan.own_ns, "ip link add idle type veth peer name idle2");
    snprintf(move, sizeof move, "ip link set far netns /proc/%d/fd/%d", (int)getpid(), lan.peer_ns);
    lan_run(lan.own_ns, move);
    lan_run(lan.own_ns, "ip addr add 192.0.2.250/24 dev near && ip addr add 192.0.2.251/24 dev near && "
                        "ip addr add 2001:db8::fa/64 dev near nodad && ip link set near up");
    lan_run(lan.peer_ns, "ip addr add 192.0.2.1/24 dev far && ip addr add 2001:db8::1/64 dev far nodad && "
                         "ip link set far up");
    lan.near = (int)if_nametoindex("near");
    lan.idle = (int)if_nametoindex("idle");
    assert_int_equal(mac_address_parse("02:00:00:00:00:01", &lan.near_mac), 0);
    assert_int_equal(mac_address_parse("02:00:00:00:00:02", &lan.far_mac), 0);
    return 0;
}

/* Gives the peer `count` addresses: 192.0.2.1 + i and 2001:db8::1 + i. */
static inline void lan_populate(unsigned count)
{
    char command[256];

    snprintf(command, sizeof command,
             "for i in $(seq 2 %u); do echo addr replace 192.0.2.$i/24 dev far; "
             "printf 'addr replace 2001:db8::%%x/64 dev far nodad\\n' $i; done | ip -batch -",
             count);
    lan_run(lan.peer_ns, command);
}

static inline struct ip_address lan_address(const char *text)
{
    struct ip_address address;

    assert_int_equal(ip_address_parse(text, &address), 0);
    return address;
}

/* The address number i of the peer, from 1. */
static inline struct ip_address lan_peer_address(uint8_t family, unsigned i)
{
    struct ip_address address = lan_address(family == AF_INET ? "192.0.2.0" : "2001:db8::");

    address.bytes[family == AF_INET ? 3 : 15] = (uint8_t)i;
    return address;
}

static inline nsec_t lan_time(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return t.tv_sec * NSEC_PER_SEC + t.tv_nsec;
}

/* The best of several samples: being interrupted between two clocks spoils one. */
static inline struct probe_clock lan_clock(void)
{
    struct probe_clock clock = {0};
    nsec_t least = NSEC_NEVER;

    for (int i = 0; i < 20; i++) {
        nsec_t before = lan_time(CLOCK_MONOTONIC), real = lan_time(CLOCK_REALTIME), after = lan_time(CLOCK_MONOTONIC);

        clock.now_ns = after;
        if (after - before >= least)
            continue;
        least = after - before;
        clock.to_monotonic_ns = before + least / 2 - real;
    }
    return clock;
}

static inline void lan_forget(void)
{
    lan_n_replies = 0;
    lan_n_failed = 0;
}

static inline void lan_on_reply(void *userdata, const struct probe_reply *reply)
{
    assert_ptr_equal(userdata, &lan);
    if (lan_n_replies < LAN_REPLIES_MAX)
        lan_replies[lan_n_replies] = *reply;
    lan_n_replies++;
}

static inline void lan_on_failed(void *userdata, const struct probe_request *request, int error)
{
    assert_ptr_equal(userdata, &lan);
    assert_true(lan_n_failed < LAN_REPLIES_MAX);
    lan_failed[lan_n_failed] = *request;
    lan_errors[lan_n_failed++] = error;
}

/* Waits until the descriptor is readable; false when it never is. */
static inline bool lan_wait(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, LAN_PATIENCE_MS) == 1;
}
