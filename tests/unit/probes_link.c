/* SPDX-License-Identifier: Apache-2.0 */
/* The ARP and ND probes against the kernel of a peer, and against forged frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/ip6.h>
#include <sys/socket.h>

#include "arp/frame.h"
#include "probes/link.h"
#include "probes/link_kind.h"
#include "tests/unit/probes_lan.h"

static struct link_probe *open_probe(enum probe_kind kind)
{
    struct link_probe *probe = NULL;

    assert_int_equal(link_probe_open(&probe, kind, lan_on_reply, &lan), 0);
    lan_forget();
    return probe;
}

static struct probe_request request_for(enum probe_kind kind, unsigned i)
{
    uint8_t family = kind == PROBE_ARP ? AF_INET : AF_INET6;

    return (struct probe_request){
        .kind = kind,
        .ifindex = lan.near,
        .from = lan_address(family == AF_INET ? "192.0.2.250" : "2001:db8::fa"),
        .to = lan_peer_address(family, i),
        .own = lan.near_mac,
    };
}

/* Reads until `count` replies are there. */
static void expect_replies(struct link_probe *probe, size_t count)
{
    while (lan_n_replies < count && lan_wait(link_probe_fd(probe))) {
        struct probe_clock clock = lan_clock();

        assert_true(link_probe_on_readable(probe, &clock, 1000) >= 0);
    }
    assert_int_equal(lan_n_replies, count);
}

static void check_reply(const struct probe_reply *reply, const struct probe_request *request)
{
    assert_int_equal(reply->kind, request->kind);
    assert_int_equal(reply->ifindex, lan.near);
    assert_true(ip_address_equal(&reply->from, &request->to));
    assert_memory_equal(reply->to.bytes, request->from.bytes, sizeof reply->to.bytes);
    assert_true(mac_address_equal(&reply->peer, &lan.far_mac));
    assert_false(reply->has_token);
}

static void ask_and_check(struct link_probe *probe, const struct probe_request *request)
{
    lan_forget();
    assert_int_equal(link_probe_send(probe, request), 0);
    link_probe_flush(probe, lan_on_failed);
    assert_int_equal(lan_n_failed, 0);
    expect_replies(probe, 1);
    check_reply(&lan_replies[0], request);
}

static void kernel_answers_each_form(void **state)
{
    (void)state;
    for (enum probe_kind kind = PROBE_ARP; kind <= PROBE_ND; kind++) {
        struct link_probe *probe = open_probe(kind);
        struct probe_request request = request_for(kind, 1);

        ask_and_check(probe, &request);
        request.peer = lan.far_mac;
        ask_and_check(probe, &request);
        if (kind == PROBE_ARP) {
            request.from = (struct ip_address){0};
            ask_and_check(probe, &request);
            request.peer = (struct mac_address){0};
            ask_and_check(probe, &request);
        }
        link_probe_close(probe);
    }
}

static void impossible_requests_are_refused_at_once(void **state)
{
    (void)state;
    for (enum probe_kind kind = PROBE_ARP; kind <= PROBE_ND; kind++) {
        struct link_probe *probe = open_probe(kind);
        struct probe_request request;

        request = request_for(kind, 1), request.kind = PROBE_ICMP;
        assert_int_equal(link_probe_send(probe, &request), -EINVAL);
        request = request_for(kind, 1), request.ifindex = 0;
        assert_int_equal(link_probe_send(probe, &request), -EINVAL);
        request = request_for(kind, 1), request.own = (struct mac_address){0};
        assert_int_equal(link_probe_send(probe, &request), -EINVAL);
        request = request_for(kind, 1), request.to = (struct ip_address){0};
        assert_int_equal(link_probe_send(probe, &request), -EINVAL);
        request = request_for(kind, 0), memset(request.to.bytes, 0, sizeof request.to.bytes);
        assert_int_equal(link_probe_send(probe, &request), -EINVAL);
        request = request_for(kind, 1), request.from = lan_address(kind == PROBE_ARP ? "2001:db8::1" : "192.0.2.1");
        assert_int_equal(link_probe_send(probe, &request), -EINVAL);
        link_probe_close(probe);
    }
}

/* The peer defends its address to all nodes: that wakes nobody here, and the next request is answered as ever. */
static void answer_to_a_dad_solicitation_is_no_reply(void **state)
{
    struct link_probe *probe = open_probe(PROBE_ND);
    struct probe_request request = request_for(PROBE_ND, 1);
    struct probe_clock clock = lan_clock();
    int packets = 0;

    (void)state;
    request.from = (struct ip_address){0};
    assert_int_equal(link_probe_send(probe, &request), 0);
    request = request_for(PROBE_ND, 1);
    assert_int_equal(link_probe_send(probe, &request), 0);
    link_probe_flush(probe, lan_on_failed);
    assert_int_equal(lan_n_failed, 0);
    while (lan_n_replies == 0 && lan_wait(link_probe_fd(probe)))
        packets += link_probe_on_readable(probe, &clock, 10);
    assert_int_equal(lan_n_replies, 1);
    assert_int_equal(packets, 1);
    check_reply(&lan_replies[0], &request);
    link_probe_close(probe);
}

static void many_requests_leave_together(void **state)
{
    const unsigned count = 200;

    (void)state;
    lan_populate(count);
    for (enum probe_kind kind = PROBE_ARP; kind <= PROBE_ND; kind++) {
        struct link_probe *probe = open_probe(kind);
        bool seen[256] = {false};

        /* Nobody has the last one. */
        for (unsigned i = 1; i <= count + 1; i++) {
            struct probe_request request = request_for(kind, i);

            request.peer = lan.far_mac;
            assert_int_equal(link_probe_send(probe, &request), 0);
        }
        link_probe_flush(probe, lan_on_failed);
        assert_int_equal(lan_n_failed, 0);
        expect_replies(probe, count);
        for (unsigned i = 0; i < count; i++)
            seen[lan_replies[i].from.bytes[kind == PROBE_ARP ? 3 : 15]] = true;
        for (unsigned i = 1; i <= count; i++)
            assert_true(seen[i]);
        assert_int_equal(link_probe_dropped(probe), 0);
        link_probe_close(probe);
    }
}

static void only_the_refused_requests_fail(void **state)
{
    (void)state;
    for (enum probe_kind kind = PROBE_ARP; kind <= PROBE_ND; kind++) {
        struct link_probe *probe = open_probe(kind);
        const int nics[] = {lan.idle, lan.near, lan.idle, 9999, lan.near, lan.near, lan.idle};
        const int refused[] = {1, 3, 4, 7};

        for (size_t i = 0; i < sizeof nics / sizeof *nics; i++) {
            struct probe_request request = request_for(kind, (unsigned)i + 1);

            request.ifindex = nics[i];
            assert_int_equal(link_probe_send(probe, &request), 0);
        }
        link_probe_flush(probe, lan_on_failed);
        assert_int_equal(lan_n_failed, 4);
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(lan_errors[i], lan_failed[i].ifindex == lan.idle ? ENETDOWN : ENXIO);
            assert_int_equal(lan_failed[i].to.bytes[kind == PROBE_ARP ? 3 : 15], refused[i]);
        }
        expect_replies(probe, 3);
        /* Told once. */
        link_probe_flush(probe, lan_on_failed);
        assert_int_equal(lan_n_failed, 4);
        link_probe_close(probe);
    }
}

static void every_refusal_of_many_batches_is_told(void **state)
{
    struct link_probe *probe = open_probe(PROBE_ARP);
    const unsigned count = 500;

    (void)state;
    for (unsigned i = 0; i < count; i++) {
        struct probe_request request = request_for(PROBE_ARP, 1);

        request.ifindex = i % 2 == 0 ? lan.idle : lan.near;
        request.token.id = i;
        assert_int_equal(link_probe_send(probe, &request), 0);
    }
    link_probe_flush(probe, lan_on_failed);
    assert_int_equal(lan_n_failed, count / 2);
    for (unsigned i = 0; i < count / 2; i++)
        assert_int_equal(lan_failed[i].token.id, 2 * i);
    expect_replies(probe, count / 2);
    link_probe_close(probe);
}

/* A socket of the peer for frames of its own making. */
static int open_forger(void)
{
    struct sockaddr_ll far = {.sll_family = AF_PACKET};
    int fd;

    lan_enter(lan.peer_ns);
    far.sll_ifindex = (int)if_nametoindex("far");
    fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&far, sizeof far), 0);
    lan_enter(lan.own_ns);
    return fd;
}

static void forge(int fd, const void *bytes, size_t length)
{
    assert_int_equal(send(fd, bytes, length, 0), length);
}

struct arp_packet {
    struct ether_header ethernet;
    uint16_t hardware, protocol;
    uint8_t hardware_size, protocol_size;
    uint16_t operation;
    uint8_t sender_mac[6], sender_ip[4], target_mac[6], target_ip[4];
} __attribute__((packed));

/* The peer's reply for 192.0.2.1, to us at 192.0.2.250. */
static struct arp_packet good_arp_reply(void)
{
    struct arp_packet p = {
        .ethernet.ether_type = htons(ETHERTYPE_ARP),
        .hardware = htons(1),
        .protocol = htons(ETHERTYPE_IP),
        .hardware_size = 6,
        .protocol_size = 4,
        .operation = htons(2),
        .sender_ip = {192, 0, 2, 1},
        .target_ip = {192, 0, 2, 250},
    };

    memcpy(p.ethernet.ether_dhost, lan.near_mac.bytes, 6);
    memcpy(p.ethernet.ether_shost, lan.far_mac.bytes, 6);
    memcpy(p.sender_mac, lan.far_mac.bytes, 6);
    memcpy(p.target_mac, lan.near_mac.bytes, 6);
    return p;
}

static void arp_replies_to_others_do_not_count(void **state)
{
    struct link_probe *probe = open_probe(PROBE_ARP);
    struct arp_packet p;
    int fd = open_forger();

    (void)state;
    /* So that frames for others get as far as our socket. */
    lan_run(lan.own_ns, "ip link set near promisc on");
    p = good_arp_reply(), p.operation = htons(1);
    forge(fd, &p, sizeof p);
    p = good_arp_reply(), p.ethernet.ether_dhost[5]++;
    forge(fd, &p, sizeof p);
    p = good_arp_reply(), memcpy(p.target_ip, p.sender_ip, 4);
    forge(fd, &p, sizeof p);
    p = good_arp_reply(), memset(p.sender_ip, 0, 4);
    forge(fd, &p, sizeof p);
    p = good_arp_reply(), memset(p.ethernet.ether_dhost, 0xff, 6), p.target_mac[5]++;
    forge(fd, &p, sizeof p);
    p = good_arp_reply();
    forge(fd, &p, sizeof p - 1);
    /* A broadcast reply to us, then one by unicast: the only two that count. */
    p = good_arp_reply(), memset(p.ethernet.ether_dhost, 0xff, 6), p.sender_ip[3] = 77;
    forge(fd, &p, sizeof p);
    p = good_arp_reply(), p.sender_ip[3] = 78;
    forge(fd, &p, sizeof p);
    expect_replies(probe, 2);
    assert_int_equal(lan_replies[0].from.bytes[3], 77);
    assert_int_equal(lan_replies[1].from.bytes[3], 78);
    lan_run(lan.own_ns, "ip link set near promisc off");
    close(fd);
    link_probe_close(probe);
}

struct advertisement {
    struct ether_header ethernet;
    struct ip6_hdr ip;
    struct nd_neighbor_advert nd;
} __attribute__((packed));

/* The peer's solicited advertisement of 2001:db8::i to us; without its checksum. */
static struct advertisement good_advertisement(uint8_t i)
{
    struct ip_address from = lan_peer_address(AF_INET6, i), to = lan_address("2001:db8::fa");
    struct advertisement a = {
        .ethernet.ether_type = htons(ETHERTYPE_IPV6),
        .nd.nd_na_type = ND_NEIGHBOR_ADVERT,
        .nd.nd_na_flags_reserved = ND_NA_FLAG_SOLICITED,
    };

    a.ip.ip6_vfc = 0x60;
    a.ip.ip6_plen = htons(sizeof a.nd);
    a.ip.ip6_nxt = IPPROTO_ICMPV6;
    a.ip.ip6_hlim = 255;
    memcpy(a.ethernet.ether_dhost, lan.near_mac.bytes, 6);
    memcpy(a.ethernet.ether_shost, lan.far_mac.bytes, 6);
    memcpy(&a.ip.ip6_src, from.bytes, 16);
    memcpy(&a.ip.ip6_dst, to.bytes, 16);
    memcpy(&a.nd.nd_na_target, from.bytes, 16);
    return a;
}

/* With its checksum: the sum over addresses, length, next header and message (RFC 4443 section 2.3). */
static void forge_advertisement(int fd, struct advertisement a)
{
    const uint8_t *bytes = (const uint8_t *)&a + offsetof(struct advertisement, ip.ip6_src);
    uint32_t sum = sizeof a.nd + IPPROTO_ICMPV6;

    for (size_t i = 0; i < 32 + sizeof a.nd; i += 2)
        sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    a.nd.nd_na_cksum = htons((uint16_t)~sum);
    forge(fd, &a, sizeof a);
}

static void advertisements_that_answer_nobody_do_not_count(void **state)
{
    struct link_probe *probe = open_probe(PROBE_ND);
    struct advertisement a;
    struct arp_frame frame;
    struct ip_address peer = lan_peer_address(AF_INET6, 1);
    int fd = open_forger();

    (void)state;
    lan_run(lan.own_ns, "ip link set near promisc on");
    arp_frame_advertise(&frame, &lan.far_mac, &lan.far_mac, &peer, false);
    forge(fd, frame.bytes, frame.length);
    a = good_advertisement(70), a.nd.nd_na_flags_reserved = ND_NA_FLAG_OVERRIDE;
    forge_advertisement(fd, a);
    a = good_advertisement(71), a.ip.ip6_hlim = 64;
    forge_advertisement(fd, a);
    a = good_advertisement(72), a.ethernet.ether_dhost[5]++;
    forge_advertisement(fd, a);
    a = good_advertisement(73), a.nd.nd_na_code = 1;
    forge_advertisement(fd, a);
    a = good_advertisement(74);
    forge(fd, &a, sizeof a); /* no checksum */
    forge_advertisement(fd, good_advertisement(75));
    expect_replies(probe, 1);
    assert_int_equal(lan_replies[0].from.bytes[15], 75);
    lan_run(lan.own_ns, "ip link set near promisc off");
    close(fd);
    link_probe_close(probe);
}

/* Asks, and reads the reply well after it came. Whether its stamp is from before the reading. */
static bool stamp_is_of_the_arrival(struct link_probe *probe, const struct probe_request *request)
{
    nsec_t asked_ns = lan_time(CLOCK_MONOTONIC), arrived_ns;

    lan_forget();
    assert_int_equal(link_probe_send(probe, request), 0);
    link_probe_flush(probe, lan_on_failed);
    assert_true(lan_wait(link_probe_fd(probe)));
    arrived_ns = lan_time(CLOCK_MONOTONIC);
    usleep(20000);
    expect_replies(probe, 1);
    /* Far less than the delay of the reading, far more than the error of comparing two clocks. */
    assert_true(lan_replies[0].received_ns > asked_ns - NSEC_PER_MSEC);
    return lan_replies[0].received_ns < arrived_ns + NSEC_PER_MSEC;
}

static void stamps_are_of_the_arrival_not_of_the_reading(void **state)
{
    (void)state;
    for (enum probe_kind kind = PROBE_ARP; kind <= PROBE_ND; kind++) {
        struct link_probe *probe = open_probe(kind);
        struct probe_request request = request_for(kind, 1);
        int tries = 0;

        /* The kernel begins to stamp some time after it was told to, and until then stamps when it is read. */
        while (!stamp_is_of_the_arrival(probe, &request))
            assert_true(++tries < 100);
        assert_true(stamp_is_of_the_arrival(probe, &request));
        link_probe_close(probe);
    }
}

static void stamps_never_lie_in_the_future(void **state)
{
    struct link_probe *probe = open_probe(PROBE_ARP);
    struct probe_request request = request_for(PROBE_ARP, 1);
    struct probe_clock clock = lan_clock();

    (void)state;
    clock.to_monotonic_ns += NSEC_PER_HOUR;
    assert_int_equal(link_probe_send(probe, &request), 0);
    link_probe_flush(probe, NULL);
    assert_true(lan_wait(link_probe_fd(probe)));
    assert_int_equal(link_probe_on_readable(probe, &clock, 10), 1);
    assert_int_equal(lan_replies[0].received_ns, clock.now_ns);
    link_probe_close(probe);
}

static void lost_replies_are_counted(void **state)
{
    struct link_probe *probe = open_probe(PROBE_ARP);
    struct arp_packet p = good_arp_reply();
    int fd = open_forger(), count = 0;
    struct probe_clock clock = lan_clock();
    uint64_t dropped;

    (void)state;
    /* Until the queue is full. */
    while (count < 1000000 && (count % 1000 != 0 || link_probe_dropped(probe) == 0)) {
        forge(fd, &p, sizeof p);
        count++;
    }
    dropped = link_probe_dropped(probe);
    assert_true(dropped > 0);
    assert_int_equal(link_probe_dropped(probe), dropped);
    /* No more at once than wanted. */
    assert_int_equal(link_probe_on_readable(probe, &clock, 100), 100);
    assert_int_equal(lan_n_replies, 100);
    while (link_probe_on_readable(probe, &clock, 1000) > 0)
        ;
    assert_int_equal(lan_n_replies + dropped, count);
    close(fd);
    link_probe_close(probe);
}

static void each_kind_judges_by_itself(void **state)
{
    const struct link_kind *const kinds[] = {&link_kind_arp, &link_kind_nd};
    const struct link_arrival to_us = {.packet_type = PACKET_HOST}, to_other = {.packet_type = PACKET_OTHERHOST};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct arp_heard heard = {0};

        for (heard.kind = ARP_HEARD_REQUEST; heard.kind <= ARP_HEARD_ANNOUNCEMENT; heard.kind++) {
            assert_int_equal(kinds[i]->is_answer(&heard, &to_us), heard.kind == ARP_HEARD_REPLY);
            assert_false(kinds[i]->is_answer(&heard, &to_other));
        }
    }
}

static void only_root_may_open(void **state)
{
    struct link_probe *probe = NULL;

    (void)state;
    assert_int_equal(seteuid(65534), 0);
    assert_int_equal(link_probe_open(&probe, PROBE_ARP, lan_on_reply, &lan), -EPERM);
    assert_int_equal(seteuid(0), 0);
    assert_null(probe);
    link_probe_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernel_answers_each_form),
        cmocka_unit_test(impossible_requests_are_refused_at_once),
        cmocka_unit_test(answer_to_a_dad_solicitation_is_no_reply),
        cmocka_unit_test(many_requests_leave_together),
        cmocka_unit_test(only_the_refused_requests_fail),
        cmocka_unit_test(every_refusal_of_many_batches_is_told),
        cmocka_unit_test(arp_replies_to_others_do_not_count),
        cmocka_unit_test(advertisements_that_answer_nobody_do_not_count),
        cmocka_unit_test(stamps_are_of_the_arrival_not_of_the_reading),
        cmocka_unit_test(stamps_never_lie_in_the_future),
        cmocka_unit_test(lost_replies_are_counted),
        cmocka_unit_test(each_kind_judges_by_itself),
        cmocka_unit_test(only_root_may_open),
    };

    return cmocka_run_group_tests(tests, lan_up, NULL);
}
