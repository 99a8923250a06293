/* SPDX-License-Identifier: Apache-2.0 */
/* The filter of a port says what libpcap's compiler would have it say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "arp/filter.h"
#include "arp/frame.h"
#include "arp/port.h"
#include "tests/unit/filter_twin.h"

/* Answers to the hardware address `own` are the probes'. */
#define ARP_AND_ND                                                                                         \
    "(arp and not (arp[6:2] == 2 and ether dst " OWN " and arp[14:4] != arp[24:4])) or (ip6[6] == 58 and " \
    "(ip6[40] == 135 or (ip6[40] == 136 and not (ip6[44] & 0x40 != 0 and ether dst " OWN "))))"
/* Of good_frames. */
#define GOOD 10
#define OWN "02:11:22:33:44:aa"

static const struct mac_address own = {{0x02, 0x11, 0x22, 0x33, 0x44, 0xaa}};
static const struct mac_address other = {{0x02, 0x55, 0x66, 0x77, 0x88, 0xbb}};

static struct ip_address ip(const char *text)
{
    struct ip_address result;

    assert_int_equal(ip_address_parse(text, &result), 0);
    return result;
}

static struct twin_frame of_frame(const struct arp_frame *frame)
{
    struct twin_frame result = {.length = (unsigned)frame->length};

    memcpy(result.bytes, frame->bytes, frame->length);
    return result;
}

/* A datagram from nowhere in particular. */
static struct twin_frame packet_to(const struct ip_address *address)
{
    bool is_ip4 = address->family == AF_INET;
    struct twin_frame result = {.length = 90};

    memcpy(result.bytes, own.bytes, 6);
    memcpy(result.bytes + 6, other.bytes, 6);
    memcpy(result.bytes + 12, is_ip4 ? "\x08\x00\x45" : "\x86\xdd\x60", 3);
    result.bytes[is_ip4 ? 23 : 20] = 17;
    memcpy(result.bytes + (is_ip4 ? 30 : 38), address->bytes, ip_address_size(address->family));
    return result;
}

/* A reply and a solicited advertisement, each to us and to another. */
static size_t answers(const struct ip_address *target, const struct ip_address *target6, struct twin_frame ret[4])
{
    const struct mac_address *to[] = {&own, &other};
    struct arp_frame frame;
    size_t count = 0;

    for (size_t i = 0; i < 2; i++) {
        arp_frame_announce_reply(&frame, &other, &other, target);
        memcpy(frame.bytes, to[i]->bytes, 6);
        frame.bytes[41]++; /* it announces no more */
        ret[count++] = of_frame(&frame);
        arp_frame_advertise(&frame, &other, &other, target6, false);
        memcpy(frame.bytes, to[i]->bytes, 6);
        frame.bytes[58] |= 0x40;
        ret[count++] = of_frame(&frame);
    }
    return count;
}

/* ARP, NS and NA, answers to us and to others, and packets to some of the watched addresses. */
static size_t good_frames(const struct ip_address *watched, size_t n, struct twin_frame ret[GOOD])
{
    struct ip_address us = ip("192.0.2.2"), target = ip("192.0.2.10");
    struct ip_address us6 = ip("2001:db8::2"), target6 = ip("2001:db8::10");
    struct arp_frame frame;
    size_t count = 0;

    arp_frame_request(&frame, &other, &us, &target, &(const struct mac_address){});
    ret[count++] = of_frame(&frame);
    arp_frame_request(&frame, &other, &us6, &target6, &(const struct mac_address){});
    ret[count++] = of_frame(&frame);
    arp_frame_advertise(&frame, &other, &other, &target6, false);
    ret[count++] = of_frame(&frame);
    count += answers(&target, &target6, ret + count);
    if (n > 0) {
        ret[count++] = packet_to(&watched[0]);
        ret[count++] = packet_to(&watched[n / 2]);
        ret[count++] = packet_to(&watched[n - 1]);
    }
    return count;
}

static void write_expression(const struct ip_address *watched, size_t n, char text[static 4096])
{
    char address[IP_ADDRESS_TEXT], mac[MAC_ADDRESS_TEXT];
    int used = snprintf(text, 4096, "%s", ARP_AND_ND);

    for (size_t i = 0; i < n; i++)
        used += snprintf(text + used, (size_t)(4096 - used), " or (ether dst %s and %s dst %s)",
                         mac_address_format(&own, mac), watched[i].family == AF_INET ? "ip" : "ip6",
                         ip_address_format(&watched[i], address));
    assert_true(used < 4096);
}

static void compare(const struct ip_address *watched, size_t n)
{
    struct sock_filter code[ARP_FILTER_MAX(ARP_PORT_WATCHED_MAX)];
    size_t length = arp_filter_write(code, TWIN_FRAME_BYTES, &own, watched, n);
    struct twin_frame good[GOOD] = {};
    char expression[4096];
    size_t n_good;

    assert_true(length <= ARP_FILTER_MAX(n));
    write_expression(watched, n, expression);
    n_good = good_frames(watched, n, good);
    twin_compare(code, length, expression, good, n_good, false);
}

static void hears_arp_and_nd(void **state)
{
    (void)state;
    compare(NULL, 0);
}

static void hears_one_watched_address(void **state)
{
    struct ip_address ip4 = ip("192.0.2.10"), ip6 = ip("2001:db8::10");

    (void)state;
    compare(&ip4, 1);
    compare(&ip6, 1);
}

static void hears_as_many_as_there_may_be(void **state)
{
    struct ip_address watched[ARP_PORT_WATCHED_MAX];

    (void)state;
    for (size_t i = 0; i < ARP_PORT_WATCHED_MAX; i++) {
        watched[i] = i % 2 ? ip("192.0.2.0") : ip("2001:db8::");
        watched[i].bytes[i % 2 ? 3 : 15] = (uint8_t)(i + 10);
    }
    compare(watched, ARP_PORT_WATCHED_MAX);
    for (size_t i = 0; i < ARP_PORT_WATCHED_MAX; i++)
        watched[i] = ip("2001:db8::1234");
    compare(watched, ARP_PORT_WATCHED_MAX);
}

/* Of good_frames, those which the probes read. */
static bool is_answer_to_us(const struct twin_frame *frame)
{
    return memcmp(frame->bytes, own.bytes, 6) == 0;
}

/* What is not kept of a frame is not copied, and answers to us are not kept at all. */
static void keeps_as_much_as_it_is_told(void **state)
{
    struct sock_filter code[ARP_FILTER_MAX(0)];
    size_t length = arp_filter_write(code, 96, &own, NULL, 0);
    struct twin_frame good[GOOD] = {};
    size_t n_good;

    (void)state;
    n_good = good_frames(NULL, 0, good);
    for (size_t i = 0; i < n_good; i++)
        assert_int_equal(bpf_filter((const struct bpf_insn *)code, good[i].bytes, good[i].length, good[i].length),
                         is_answer_to_us(&good[i]) ? 0 : 96);
    assert_int_equal(length, ARP_FILTER_MAX(0) - 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hears_arp_and_nd),
        cmocka_unit_test(hears_one_watched_address),
        cmocka_unit_test(hears_as_many_as_there_may_be),
        cmocka_unit_test(keeps_as_much_as_it_is_told),
    };

    twin_seed_from_environment();
    return cmocka_run_group_tests_name("arp_filter", tests, NULL, NULL);
}
