/* SPDX-License-Identifier: Apache-2.0 */
/* The echo messages as bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "probes/icmp.h"

#define IDENTIFIER 0xbeef

static const uint8_t families[] = {AF_INET, AF_INET6};
static const uint8_t reply_types[] = {0, 129};
static const struct probe_token token = {.id = 0x01020304, .sequence = 0xa0b0c0d0, .nonce = 0x1122334455667788};

/* RFC 1071, over words as they lie in memory. */
static uint16_t sum_of(const uint8_t *bytes)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < ICMP_PROBE_BYTES; i += 2)
        sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* What a host makes of the request: another type, and the checksum fitted to it. */
static void make_reply(uint8_t bytes[static ICMP_PROBE_BYTES], size_t family)
{
    uint16_t sum;

    icmp_probe_build(bytes, families[family], IDENTIFIER, &token);
    bytes[0] = reply_types[family];
    bytes[2] = bytes[3] = 0;
    sum = (uint16_t)~sum_of(bytes);
    bytes[2] = (uint8_t)(sum >> 8);
    bytes[3] = (uint8_t)sum;
}

static void request_is_as_the_rfc_has_it(void **state)
{
    uint8_t bytes[ICMP_PROBE_BYTES];

    (void)state;
    icmp_probe_build(bytes, AF_INET, IDENTIFIER, &token);
    assert_int_equal(bytes[0], 8);
    assert_int_equal(bytes[1], 0);
    assert_int_equal(sum_of(bytes), 0xffff);
    assert_memory_equal(bytes + 4, ((const uint8_t[]){0xbe, 0xef, 0xc0, 0xd0}), 4);
    icmp_probe_build(bytes, AF_INET6, IDENTIFIER, &token);
    assert_int_equal(bytes[0], 128);
    assert_memory_equal(bytes + 2, ((const uint8_t[]){0, 0, 0xbe, 0xef, 0xc0, 0xd0}), 6);
}

static void reply_brings_the_token_back(void **state)
{
    (void)state;
    for (size_t f = 0; f < 2; f++) {
        struct probe_token back = {0};
        uint8_t bytes[ICMP_PROBE_BYTES];

        make_reply(bytes, f);
        assert_int_equal(icmp_probe_parse(bytes, sizeof bytes, families[f], IDENTIFIER, &back), 0);
        assert_memory_equal(&back, &token, sizeof back);
    }
}

static void own_requests_are_no_replies(void **state)
{
    (void)state;
    for (size_t f = 0; f < 2; f++) {
        struct probe_token back;
        uint8_t bytes[ICMP_PROBE_BYTES];

        icmp_probe_build(bytes, families[f], IDENTIFIER, &token);
        assert_int_equal(icmp_probe_parse(bytes, sizeof bytes, families[f], IDENTIFIER, &back), -EBADMSG);
    }
}

static void other_lengths_identifiers_and_families_are_refused(void **state)
{
    (void)state;
    for (size_t f = 0; f < 2; f++) {
        struct probe_token back = {.id = 5};
        uint8_t bytes[ICMP_PROBE_BYTES + 2] = {0};

        make_reply(bytes, f);
        for (size_t length = 0; length <= sizeof bytes; length++)
            if (length != ICMP_PROBE_BYTES)
                assert_int_equal(icmp_probe_parse(bytes, length, families[f], IDENTIFIER, &back), -EBADMSG);
        assert_int_equal(icmp_probe_parse(bytes, ICMP_PROBE_BYTES, families[f], IDENTIFIER + 1, &back), -EBADMSG);
        assert_int_equal(icmp_probe_parse(bytes, ICMP_PROBE_BYTES, families[1 - f], IDENTIFIER, &back), -EBADMSG);
        assert_int_equal(back.id, 5);
    }
}

static void sequence_zero_was_never_sent(void **state)
{
    const struct probe_token zero = {.id = 1};
    struct probe_token back;
    uint8_t bytes[ICMP_PROBE_BYTES];

    (void)state;
    icmp_probe_build(bytes, AF_INET6, IDENTIFIER, &zero);
    bytes[0] = 129;
    assert_int_equal(icmp_probe_parse(bytes, sizeof bytes, AF_INET6, IDENTIFIER, &back), -EBADMSG);
}

static void every_flipped_bit_is_noticed(void **state)
{
    (void)state;
    for (size_t f = 0; f < 2; f++) {
        for (size_t bit = 0; bit < ICMP_PROBE_BYTES * 8; bit++) {
            struct probe_token back = {0};
            uint8_t bytes[ICMP_PROBE_BYTES];
            int r;

            make_reply(bytes, f);
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            r = icmp_probe_parse(bytes, sizeof bytes, families[f], IDENTIFIER, &back);
            /* ICMPv6's checksum is the kernel's affair, so there the token is what tells. */
            if (families[f] == AF_INET6 && (bit / 8 == 2 || bit / 8 == 3))
                assert_int_equal(r, 0);
            else if (families[f] == AF_INET6 && r == 0)
                assert_memory_not_equal(&back, &token, sizeof back);
            else
                assert_int_equal(r, -EBADMSG);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_is_as_the_rfc_has_it),
        cmocka_unit_test(reply_brings_the_token_back),
        cmocka_unit_test(own_requests_are_no_replies),
        cmocka_unit_test(other_lengths_identifiers_and_families_are_refused),
        cmocka_unit_test(sequence_zero_was_never_sent),
        cmocka_unit_test(every_flipped_bit_is_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
