/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/address.h"

static struct ip_address ip(const char *text)
{
    struct ip_address address;

    assert_int_equal(ip_address_parse(text, &address), 0);
    return address;
}

static void addresses_are_read_and_written(void **state)
{
    static const char *const texts[] = {"192.0.2.10", "0.0.0.0", "255.255.255.255", "2001:db8::10", "::", "fe80::1"};
    char text[IP_ADDRESS_TEXT];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct ip_address address = ip(texts[i]);

        assert_string_equal(ip_address_format(&address, text), texts[i]);
    }
    assert_string_equal(ip_address_format(&(struct ip_address){0}, text), "-");
    assert_int_equal(ip("192.0.2.1").family, AF_INET);
    assert_int_equal(ip("2001:db8::1").family, AF_INET6);
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const texts[] = {"",          "192.0.2",      "192.0.2.256",  "192.0.2.1/24", " 192.0.2.1",
                                        "1.2.3.4.5", "2001:db8:::1", "fe80::1%eth0", "web1",         ":"};
    struct ip_address address = ip("192.0.2.1"), before = address;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(ip_address_parse(texts[i], &address), -EINVAL);
        assert_true(ip_address_equal(&address, &before));
    }
}

static void made_from_bytes(void **state)
{
    static const uint8_t bytes[16] = {192, 0, 2, 10, 0xff};
    struct ip_address four = ip_address_of(AF_INET, bytes), expected = ip("192.0.2.10");

    (void)state;
    assert_true(ip_address_equal(&four, &expected)); /* nothing behind the fourth byte gets in */
    assert_int_equal(ip_address_of(AF_INET6, bytes).bytes[4], 0xff);
    assert_int_equal(ip_address_size(AF_INET), 4);
    assert_int_equal(ip_address_bits(AF_INET6), 128);
}

static void same_net(void **state)
{
    static const struct {
        const char *a, *b;
        unsigned prefix;
        bool same;
    } cases[] = {
        {"192.0.2.10", "192.0.2.99", 24, true},     {"192.0.2.10", "192.0.3.10", 24, false},
        {"192.0.2.10", "192.0.3.10", 23, true},     {"192.0.2.10", "192.0.2.11", 31, true},
        {"192.0.2.10", "192.0.2.11", 32, false},    {"192.0.2.10", "192.0.2.10", 32, true},
        {"10.0.0.1", "192.0.2.1", 0, true},         {"192.0.2.10", "192.0.2.10", 33, false},
        {"2001:db8::1", "2001:db8::2", 64, true},   {"2001:db8::1", "2001:db8:0:1::1", 64, false},
        {"2001:db8::1", "2001:db8::3", 126, true},  {"2001:db8::1", "2001:db8::1", 128, true},
        {"2001:db8::1", "2001:db8::2", 128, false}, {"192.0.2.1", "::", 0, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ip_address a = ip(cases[i].a), b = ip(cases[i].b);

        assert_int_equal(ip_address_same_net(&a, &b, cases[i].prefix), cases[i].same);
        assert_int_equal(ip_address_same_net(&b, &a, cases[i].prefix), cases[i].same);
    }
}

static void kinds(void **state)
{
    static const struct {
        const char *text;
        bool unspecified, multicast, link_local;
    } cases[] = {
        {"0.0.0.0", true, false, false},          {"::", true, false, false},
        {"224.0.0.1", false, true, false},        {"239.255.255.255", false, true, false},
        {"223.255.255.255", false, false, false}, {"240.0.0.1", false, false, false},
        {"ff02::1", false, true, false},          {"fe80::1", false, false, true},
        {"febf::1", false, false, true},          {"fec0::1", false, false, false},
        {"169.254.1.1", false, false, true},      {"169.253.1.1", false, false, false},
        {"192.0.2.1", false, false, false},       {"2001:db8::1", false, false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ip_address address = ip(cases[i].text);

        assert_int_equal(ip_address_is_unspecified(&address), cases[i].unspecified);
        assert_int_equal(ip_address_is_multicast(&address), cases[i].multicast);
        assert_int_equal(ip_address_is_link_local(&address), cases[i].link_local);
    }
    assert_true(ip_address_is_unspecified(&(struct ip_address){0}));
    assert_false(ip_address_is_multicast(&(struct ip_address){.bytes = {0xe0}}));
}

static void hashes_spread_and_depend_on_the_seed(void **state)
{
    uint32_t buckets[256] = {0}, most = 0;
    size_t moved = 0;

    (void)state;
    for (uint32_t i = 0; i < 256 * 64; i++) {
        uint32_t bytes = htonl(0x0a000000 + i);
        struct ip_address address = ip_address_of(AF_INET, &bytes);
        uint64_t hash = ip_address_hash(&address, 1);
        uint32_t count = ++buckets[hash % 256];

        assert_int_equal(hash, ip_address_hash(&address, 1));
        moved += hash % 256 != ip_address_hash(&address, 2) % 256;
        most = count > most ? count : most;
    }
    assert_true(most < 2 * 64);
    assert_true(moved > 256 * 64 / 2);
}

static void macs_are_read_and_written(void **state)
{
    struct mac_address mac, other;
    char text[MAC_ADDRESS_TEXT];

    (void)state;
    assert_int_equal(mac_address_parse("02:00:5e:AB:cd:0f", &mac), 0);
    assert_string_equal(mac_address_format(&mac, text), "02:00:5e:ab:cd:0f");
    assert_int_equal(mac_address_parse("02:00:5e:ab:cd:10", &other), 0);
    assert_true(mac_address_compare(&mac, &other) < 0);
    assert_true(mac_address_compare(&other, &mac) > 0);
    assert_false(mac_address_equal(&mac, &other));
    assert_true(mac_address_equal(&mac, &mac));
    assert_false(mac_address_is_unset(&mac));
    assert_true(mac_address_is_unset(&(struct mac_address){{0}}));
}

static void what_is_no_mac_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "0",
        "02",
        "02:",
        "02:00:5e:ab:cd",
        "02:00:5e:ab:cd:",
        "02:00:5e:ab:cd:0",
        "02:00:5e:ab:cd:0f:11",
        "02-00-5e-ab-cd-0f",
        "2:00:5e:ab:cd:0f",
        "02:00:5e:ab:cd:0g",
        "0G:00:5e:ab:cd:0f",
        "02:00:5e:ab:cd:0f ",
    };
    struct mac_address mac = {{1}};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(mac_address_parse(texts[i], &mac), -EINVAL);
        assert_int_equal(mac.bytes[0], 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_and_written),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(made_from_bytes),
        cmocka_unit_test(same_net),
        cmocka_unit_test(kinds),
        cmocka_unit_test(hashes_spread_and_depend_on_the_seed),
        cmocka_unit_test(macs_are_read_and_written),
        cmocka_unit_test(what_is_no_mac_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
