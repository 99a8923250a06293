/* SPDX-License-Identifier: Apache-2.0 */
/* The ICMP probe against the kernel of a peer, and against forged replies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <sys/socket.h>

#include "probes/icmp.h"
#include "probes/tracker.h"
#include "tests/unit/probes_lan.h"

static const uint8_t families[] = {AF_INET, AF_INET6};

static struct icmp_probe *open_probe(uint8_t family)
{
    struct icmp_probe *probe = NULL;

    assert_int_equal(icmp_probe_open(&probe, family, lan_on_reply, &lan), 0);
    lan_forget();
    return probe;
}

static struct probe_request request_for(uint8_t family, unsigned i)
{
    return (struct probe_request){
        .kind = PROBE_ICMP,
        .ifindex = lan.near,
        .to = lan_peer_address(family, i),
        .token = {.id = i, .sequence = 0x10000 + i, .nonce = 0x0123456789abcdef + i},
    };
}

/* Reads until `count` replies are there. */
static void expect_replies(struct icmp_probe *probe, size_t count)
{
    while (lan_n_replies < count && lan_wait(icmp_probe_fd(probe))) {
        struct probe_clock clock = lan_clock();

        assert_true(icmp_probe_on_readable(probe, &clock, 1000) >= 0);
    }
    assert_int_equal(lan_n_replies, count);
}

static void check_reply(const struct probe_reply *reply, const struct probe_request *request)
{
    assert_int_equal(reply->kind, PROBE_ICMP);
    assert_int_equal(reply->ifindex, lan.near);
    assert_true(ip_address_equal(&reply->from, &request->to));
    assert_true(reply->has_token);
    assert_memory_equal(&reply->token, &request->token, sizeof reply->token);
    assert_true(mac_address_is_unset(&reply->peer));
}

static void ask_and_check(struct icmp_probe *probe, const struct probe_request *request)
{
    lan_forget();
    assert_int_equal(icmp_probe_send(probe, request), 0);
    icmp_probe_flush(probe, lan_on_failed);
    assert_int_equal(lan_n_failed, 0);
    expect_replies(probe, 1);
    check_reply(&lan_replies[0], request);
}

static void kernel_answers_from_where_and_to_where_it_was_asked(void **state)
{
    static const char *const own[][2] = {{"192.0.2.250", "192.0.2.251"}, {"2001:db8::fa", "2001:db8::fb"}};

    (void)state;
    lan_run(lan.own_ns, "ip addr add 2001:db8::fb/64 dev near nodad");
    for (size_t f = 0; f < 2; f++) {
        struct icmp_probe *probe = open_probe(families[f]);
        struct probe_request request = request_for(families[f], 1);

        ask_and_check(probe, &request);
        assert_int_equal(lan_replies[0].to.family, families[f]);
        for (size_t i = 0; i < 2; i++) {
            request.from = lan_address(own[f][i]);
            ask_and_check(probe, &request);
            assert_true(ip_address_equal(&lan_replies[0].to, &request.from));
        }
        icmp_probe_close(probe);
    }
}

static void link_local_addresses_answer(void **state)
{
    struct icmp_probe *probe = open_probe(AF_INET6);
    struct probe_request request = request_for(AF_INET6, 1);

    (void)state;
    request.to = lan_address("fe80::ff:fe00:2");
    ask_and_check(probe, &request);
    assert_true(ip_address_is_link_local(&lan_replies[0].to));
    icmp_probe_close(probe);
}

static void impossible_requests_are_refused_at_once(void **state)
{
    (void)state;
    for (size_t f = 0; f < 2; f++) {
        struct icmp_probe *probe = open_probe(families[f]);
        struct probe_request request;

        request = request_for(families[f], 1), request.kind = PROBE_ARP;
        assert_int_equal(icmp_probe_send(probe, &request), -EINVAL);
        request = request_for(families[f], 1), request.ifindex = 0;
        assert_int_equal(icmp_probe_send(probe, &request), -EINVAL);
        request = request_for(families[f], 1), request.token.sequence = 0;
        assert_int_equal(icmp_probe_send(probe, &request), -EINVAL);
        request = request_for(families[1 - f], 1);
        assert_int_equal(icmp_probe_send(probe, &request), -EINVAL);
        request = request_for(families[f], 1), memset(request.to.bytes, 0, sizeof request.to.bytes);
        assert_int_equal(icmp_probe_send(probe, &request), -EINVAL);
        request = request_for(families[f], 1), request.from = request_for(families[1 - f], 1).to;
        assert_int_equal(icmp_probe_send(probe, &request), -EINVAL);
        icmp_probe_close(probe);
    }
}

static void many_requests_leave_together(void **state)
{
    const unsigned count = 200;

    (void)state;
    lan_populate(count);
    for (size_t f = 0; f < 2; f++) {
        struct icmp_probe *probe = open_probe(families[f]);
        bool seen[256] = {false};

        for (unsigned i = 1; i <= count; i++) {
            struct probe_request request = request_for(families[f], i);

            assert_int_equal(icmp_probe_send(probe, &request), 0);
        }
        icmp_probe_flush(probe, lan_on_failed);
        assert_int_equal(lan_n_failed, 0);
        expect_replies(probe, count);
        for (unsigned i = 0; i < count; i++) {
            struct probe_request request = request_for(families[f], lan_replies[i].token.id);

            check_reply(&lan_replies[i], &request);
            seen[lan_replies[i].token.id] = true;
        }
        for (unsigned i = 1; i <= count; i++)
            assert_true(seen[i]);
        assert_int_equal(icmp_probe_dropped(probe), 0);
        icmp_probe_close(probe);
    }
}

static void only_the_refused_requests_fail(void **state)
{
    (void)state;
    for (size_t f = 0; f < 2; f++) {
        struct icmp_probe *probe = open_probe(families[f]);
        const int nics[] = {lan.idle, lan.near, lan.idle, 9999, lan.near};

        for (unsigned i = 0; i < sizeof nics / sizeof *nics; i++) {
            struct probe_request request = request_for(families[f], 1);

            request.ifindex = nics[i];
            request.token.id = i;
            assert_int_equal(icmp_probe_send(probe, &request), 0);
        }
        icmp_probe_flush(probe, lan_on_failed);
        assert_int_equal(lan_n_failed, 3);
        for (size_t i = 0; i < 3; i++) {
            assert_int_not_equal(lan_failed[i].ifindex, lan.near);
            assert_true(lan_errors[i] > 0);
        }
        expect_replies(probe, 2);
        assert_int_equal(lan_replies[0].token.id, 1);
        assert_int_equal(lan_replies[1].token.id, 4);
        icmp_probe_close(probe);
    }
}

static void replies_to_other_programs_do_not_wake_us(void **state)
{
    (void)state;
    for (size_t f = 0; f < 2; f++) {
        struct icmp_probe *probe = open_probe(families[f]), *other = open_probe(families[f]);
        struct probe_request request = request_for(families[f], 1);
        struct probe_clock clock = lan_clock();
        int packets = 0;

        /* Sent first, answered first: it would have come by the time the second one's reply did. */
        assert_int_equal(icmp_probe_send(other, &request), 0);
        icmp_probe_flush(other, lan_on_failed);
        assert_int_equal(icmp_probe_send(probe, &request), 0);
        icmp_probe_flush(probe, lan_on_failed);
        while (lan_n_replies == 0 && lan_wait(icmp_probe_fd(probe)))
            packets += icmp_probe_on_readable(probe, &clock, 10);
        assert_int_equal(lan_n_replies, 1);
        assert_int_equal(packets, 1);
        icmp_probe_close(probe);
        icmp_probe_close(other);
    }
}

/* What the peer makes of a request before it sends it back. */
enum forgery {
    FORGE_IDENTIFIER,
    FORGE_SEQUENCE,
    FORGE_MAGIC,
    FORGE_LENGTH,
    FORGE_CHECKSUM,
    FORGE_NONCE,
    FORGE_NOTHING,
};

static void refresh_checksum(uint8_t *bytes, size_t length)
{
    uint32_t sum = 0;

    bytes[2] = bytes[3] = 0;
    for (size_t i = 0; i < length; i += 2)
        sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    bytes[2] = (uint8_t)(~sum >> 8);
    bytes[3] = (uint8_t)~sum;
}

static void send_forged(int fd, enum forgery forgery, const uint8_t request[static ICMP_PROBE_BYTES],
                        const struct sockaddr_in *to)
{
    uint8_t bytes[ICMP_PROBE_BYTES];
    size_t length = sizeof bytes;

    memcpy(bytes, request, sizeof bytes);
    bytes[0] = 0; /* echo reply */
    switch (forgery) {
    case FORGE_IDENTIFIER:
        bytes[5] ^= 1;
        break;
    case FORGE_SEQUENCE:
        bytes[7] ^= 1;
        break;
    case FORGE_MAGIC:
        bytes[8] ^= 1;
        break;
    case FORGE_LENGTH:
        length -= 2;
        break;
    case FORGE_NONCE:
        bytes[ICMP_PROBE_BYTES - 1] ^= 1;
        break;
    case FORGE_CHECKSUM:
    case FORGE_NOTHING:
        break;
    }
    refresh_checksum(bytes, length);
    if (forgery == FORGE_CHECKSUM)
        bytes[2] ^= 1;
    assert_int_equal(sendto(fd, bytes, length, 0, (const struct sockaddr *)to, sizeof *to), length);
}

/* Reads our echo request out of the peer's copy, behind an IPv4 header without options. */
static void overhear(int fd, uint8_t request[static ICMP_PROBE_BYTES], struct sockaddr_in *from)
{
    uint8_t packet[256];
    ssize_t length;

    do {
        socklen_t from_length = sizeof *from;

        assert_true(lan_wait(fd));
        length = recvfrom(fd, packet, sizeof packet, 0, (struct sockaddr *)from, &from_length);
    } while (length != 20 + ICMP_PROBE_BYTES || packet[20] != 8);
    memcpy(request, packet + 20, ICMP_PROBE_BYTES);
}

/* Has the peer's kernel keep still, and gives a socket of the peer for replies of our own making. */
static int open_forger(void)
{
    int fd;

    lan_run(lan.peer_ns, "sysctl -qw net.ipv4.icmp_echo_ignore_all=1");
    lan_enter(lan.peer_ns);
    fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
    assert_true(fd >= 0);
    lan_enter(lan.own_ns);
    return fd;
}

static void close_forger(int fd)
{
    close(fd);
    lan_run(lan.peer_ns, "sysctl -qw net.ipv4.icmp_echo_ignore_all=0");
}

static void forged_replies_are_not_believed(void **state)
{
    struct icmp_probe *probe = open_probe(AF_INET);
    struct probe_request request = request_for(AF_INET, 1);
    uint8_t overheard[ICMP_PROBE_BYTES];
    struct sockaddr_in from;
    struct tracker t;
    int fd;

    (void)state;
    fd = open_forger();
    tracker_init(&t, 1, NSEC_PER_SEC, NSEC_PER_SEC, NSEC_NEVER);
    request.token = tracker_start_round(&t, lan_time(CLOCK_MONOTONIC), request.token.nonce, 1u << PROBE_ICMP);
    assert_int_equal(icmp_probe_send(probe, &request), 0);
    icmp_probe_flush(probe, lan_on_failed);
    overhear(fd, overheard, &from);
    for (enum forgery forgery = FORGE_IDENTIFIER; forgery <= FORGE_NOTHING; forgery++)
        send_forged(fd, forgery, overheard, &from);

    /* The probe knows its own echoes; that the nonce is wrong, the tracker knows. */
    expect_replies(probe, 2);
    assert_int_equal(tracker_reply(&t, &lan_replies[0]), TRACKER_ANSWER_STRANGER);
    assert_int_equal(tracker_reply(&t, &lan_replies[1]), TRACKER_ANSWER_IN_TIME);
    close_forger(fd);
    icmp_probe_close(probe);
}

static void lost_replies_are_counted(void **state)
{
    struct icmp_probe *probe = open_probe(AF_INET);
    struct probe_request request = request_for(AF_INET, 1);
    const size_t count = 60000; /* more than the queue holds */
    struct probe_clock clock = lan_clock();
    uint8_t overheard[ICMP_PROBE_BYTES];
    struct sockaddr_in from;
    int fd = open_forger();

    (void)state;
    assert_int_equal(icmp_probe_send(probe, &request), 0);
    icmp_probe_flush(probe, lan_on_failed);
    overhear(fd, overheard, &from);
    for (size_t i = 0; i < count; i++)
        send_forged(fd, FORGE_NOTHING, overheard, &from);
    while (icmp_probe_on_readable(probe, &clock, 1000) > 0)
        ;
    /* The kernel tells of what it dropped with the next packet that it keeps. */
    send_forged(fd, FORGE_NOTHING, overheard, &from);
    assert_true(lan_wait(icmp_probe_fd(probe)));
    assert_int_equal(icmp_probe_on_readable(probe, &clock, 1), 1);
    assert_true(icmp_probe_dropped(probe) > 0);
    assert_int_equal(lan_n_replies + icmp_probe_dropped(probe), count + 1);
    close_forger(fd);
    icmp_probe_close(probe);
}

/* Makes the peer tell us that a host behind it cannot be reached. */
static void provoke_icmp_error(struct icmp_probe *probe, uint8_t family)
{
    struct probe_request request = request_for(family, 1);
    struct pollfd p = {.fd = icmp_probe_fd(probe)};

    request.to = lan_address(family == AF_INET ? "198.51.100.1" : "2001:db8:1::1");
    assert_int_equal(icmp_probe_send(probe, &request), 0);
    icmp_probe_flush(probe, lan_on_failed);
    assert_int_equal(poll(&p, 1, LAN_PATIENCE_MS), 1);
    assert_true(p.revents & POLLERR);
}

static void icmp_errors_hurt_nobody_else(void **state)
{
    (void)state;
    lan_run(lan.peer_ns, "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 && "
                         "ip route add unreachable 198.51.100.0/24 && ip route add unreachable 2001:db8:1::/48");
    lan_run(lan.own_ns, "ip route add 198.51.100.0/24 via 192.0.2.1 && ip route add 2001:db8:1::/48 via 2001:db8::1");
    for (size_t f = 0; f < 2; f++) {
        struct icmp_probe *probe = open_probe(families[f]);
        struct probe_request request = request_for(families[f], 1);
        struct pollfd p = {.fd = icmp_probe_fd(probe), .events = POLLIN};
        struct probe_clock clock = lan_clock();

        /* Pending when the next request leaves. */
        provoke_icmp_error(probe, families[f]);
        ask_and_check(probe, &request);
        /* Pending when replies are read; and nothing is left that would wake us for ever. */
        provoke_icmp_error(probe, families[f]);
        assert_int_equal(icmp_probe_on_readable(probe, &clock, 10), 0);
        assert_int_equal(poll(&p, 1, 0), 0);
        ask_and_check(probe, &request);
        icmp_probe_close(probe);
    }
}

static void full_queue_of_our_own_is_told(void **state)
{
    (void)state;
    lan_run(lan.own_ns, "tc qdisc replace dev near root tbf rate 8kbit burst 200 limit 400");
    for (size_t f = 0; f < 2; f++) {
        struct icmp_probe *probe = open_probe(families[f]);
        const size_t count = 50;

        for (size_t i = 0; i < count; i++) {
            struct probe_request request = request_for(families[f], 1);

            assert_int_equal(icmp_probe_send(probe, &request), 0);
        }
        icmp_probe_flush(probe, lan_on_failed);
        assert_true(lan_n_failed > 0);
        for (size_t i = 0; i < lan_n_failed; i++)
            assert_int_equal(lan_errors[i], ENOBUFS);
        icmp_probe_close(probe);
    }
    lan_run(lan.own_ns, "tc qdisc del dev near root");
}

static void only_root_may_open(void **state)
{
    struct icmp_probe *probe = NULL;

    (void)state;
    assert_int_equal(seteuid(65534), 0);
    for (size_t f = 0; f < 2; f++)
        assert_int_equal(icmp_probe_open(&probe, families[f], lan_on_reply, &lan), -EPERM);
    assert_int_equal(seteuid(0), 0);
    assert_null(probe);
    icmp_probe_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernel_answers_from_where_and_to_where_it_was_asked),
        cmocka_unit_test(link_local_addresses_answer),
        cmocka_unit_test(impossible_requests_are_refused_at_once),
        cmocka_unit_test(many_requests_leave_together),
        cmocka_unit_test(only_the_refused_requests_fail),
        cmocka_unit_test(replies_to_other_programs_do_not_wake_us),
        cmocka_unit_test(forged_replies_are_not_believed),
        cmocka_unit_test(lost_replies_are_counted),
        cmocka_unit_test(icmp_errors_hurt_nobody_else),
        cmocka_unit_test(full_queue_of_our_own_is_told),
        cmocka_unit_test(only_root_may_open),
    };

    return cmocka_run_group_tests(tests, lan_up, NULL);
}
