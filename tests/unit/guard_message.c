/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/guard/message.h"

static struct guard_held numbered(uint8_t number)
{
    uint8_t bytes[4] = {192, 0, 2, number};

    return (struct guard_held){.ifindex = 2, .ip = ip_address_of(AF_INET, bytes), .prefix = 32};
}

/* An order about `n` addresses. */
static size_t build(struct message_order *ret, uint8_t n)
{
    struct notes notes = {};
    size_t length;

    for (uint8_t i = 0; i < n; i++) {
        struct guard_held held = numbered(i);

        assert_int_equal(notes_put(&notes, &held, i % 2 == 0), 0);
    }
    length = message_build_order(ret, &notes, 7);
    notes_free(&notes);
    return length;
}

static void test_what_is_built_is_parsed(void **state)
{
    struct message_order order, parsed;
    size_t length = build(&order, 3);

    (void)state;
    assert_int_equal(message_parse_order(&order, length, &parsed), 0);
    assert_int_equal(parsed.kind, MESSAGE_NOTES);
    assert_int_equal(parsed.beat_ns, 7);
    assert_int_equal(parsed.n, 3);
    for (uint8_t i = 0; i < 3; i++) {
        struct guard_held held = numbered(i);

        assert_true(ip_address_equal(&parsed.notes[i].held.ip, &held.ip));
        assert_int_equal(parsed.notes[i].held.ifindex, held.ifindex);
        assert_int_equal(parsed.notes[i].held.prefix, held.prefix);
        assert_int_equal(parsed.notes[i].holds, i % 2 == 0);
    }
}

static void test_the_oldest_go_first_and_no_more_than_fit(void **state)
{
    struct message_order order;
    struct guard_held first = numbered(0);

    (void)state;
    assert_int_equal(build(&order, MESSAGE_NOTES_MAX + 1), sizeof order);
    assert_int_equal(order.n, MESSAGE_NOTES_MAX);
    assert_true(ip_address_equal(&order.notes[0].held.ip, &first.ip));
}

static void test_another_length_kind_or_count_is_refused(void **state)
{
    struct message_order order, untouched, parsed;
    size_t length = build(&order, 3);

    (void)state;
    memset(&parsed, 0x5a, sizeof parsed);
    memcpy(&untouched, &parsed, sizeof parsed);
    for (size_t other = 0; other <= sizeof order; other++)
        if (other != length)
            assert_int_equal(message_parse_order(&order, other, &parsed), -EBADMSG);
    /* What recv(2) says of a packet that did not fit. */
    order.n = MESSAGE_NOTES_MAX + 1;
    assert_int_equal(message_parse_order(&order, MESSAGE_ORDER_BYTES(order.n), &parsed), -EBADMSG);
    order.n = 3;
    order.kind = MESSAGE_DISMISS + 1;
    assert_int_equal(message_parse_order(&order, length, &parsed), -EBADMSG);
    order.kind = MESSAGE_RELEASED;
    assert_int_equal(message_parse_order(&order, length, &parsed), -EBADMSG);
    assert_memory_equal(&parsed, &untouched, sizeof parsed);
}

static void test_only_what_a_nic_can_hold_is_noted(void **state)
{
    struct message_order order, parsed;
    size_t length = build(&order, 6);
    struct guard_held last = numbered(5), unused = numbered(4);

    (void)state;
    order.notes[0].held.ip.family = AF_UNIX;
    order.notes[1].held.prefix = 33;
    order.notes[2].held.ifindex = 0;
    order.notes[3].held.ifindex = -1;
    order.notes[4].held.ip.bytes[15] = 1;
    /* Neither true nor false. */
    memset((uint8_t *)&order.notes[5] + offsetof(struct note, holds), 2, 1);
    assert_int_equal(message_parse_order(&order, length, &parsed), 0);
    assert_int_equal(parsed.n, 2);
    assert_true(ip_address_equal(&parsed.notes[0].held.ip, &unused.ip));
    assert_true(ip_address_equal(&parsed.notes[1].held.ip, &last.ip));
    assert_true(parsed.notes[1].holds == true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_built_is_parsed),
        cmocka_unit_test(test_the_oldest_go_first_and_no_more_than_fit),
        cmocka_unit_test(test_another_length_kind_or_count_is_refused),
        cmocka_unit_test(test_only_what_a_nic_can_hold_is_noted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
