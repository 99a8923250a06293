/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/netlink_claims_world.h"

static void test_ipv4_goes_on_and_off(void **state)
{
    struct world *world = *state;

    assert_int_equal(try(world, CLAIMS_ADD, "192.0.2.10", 32), 0);
    assert_true(on_nic("inet 192.0.2.10/32 scope host"));
    assert_int_equal(try(world, CLAIMS_ADD, "198.51.100.10", 24), 0);
    assert_true(on_nic("inet 198.51.100.10/24 brd 198.51.100.255 scope global"));
    assert_int_equal(try(world, CLAIMS_ADD, "203.0.113.10", 31), 0);
    assert_true(on_nic("inet 203.0.113.10/31 scope global"));
    assert_int_equal(try(world, CLAIMS_REMOVE, "192.0.2.10", 32), 0);
    assert_int_equal(try(world, CLAIMS_REMOVE, "198.51.100.10", 24), 0);
    assert_int_equal(try(world, CLAIMS_REMOVE, "203.0.113.10", 31), 0);
    assert_false(on_nic("inet "));
}

static void test_ipv6_is_deprecated_and_never_tentative(void **state)
{
    struct world *world = *state;

    assert_int_equal(try(world, CLAIMS_ADD, "2001:db8::10", 64), 0);
    assert_true(output_has("ip -6 addr show dev v0 deprecated", "2001:db8::10/64"));
    assert_true(output_has("ip -6 addr show dev v0", "valid_lft forever preferred_lft 0sec"));
    assert_false(output_has("ip -6 addr show dev v0 tentative", "2001:db8::10"));
    assert_int_equal(try(world, CLAIMS_REMOVE, "2001:db8::10", 64), 0);
    assert_false(on_nic("2001:db8::10"));
}

static void test_results_come_in_order_each_with_its_own_error(void **state)
{
    struct world *world = *state;
    struct claims_request no_nic = {
        .operation = CLAIMS_ADD, .id = 3, .ifindex = 9999, .ip = ip_of("192.0.2.3"), .prefix = 32};

    run("ip addr add 192.0.2.2/32 dev v0");
    submit(world, CLAIMS_ADD, 1, "192.0.2.1", 32);
    submit(world, CLAIMS_ADD, 2, "192.0.2.2", 32);
    assert_int_equal(claims_submit(world->claims, &no_nic), 0);
    submit(world, CLAIMS_ADD, 4, "192.0.2.4", 32);
    submit(world, CLAIMS_ADD, 5, "ff02::1", 128);
    submit(world, CLAIMS_ADD, 6, "2001:db8::6", 128);
    settle(world);
    assert_int_equal(world->n, 6);
    expect(world, 0, 1, 0);
    expect(world, 1, 2, -EEXIST);
    expect(world, 2, 3, -ENODEV);
    expect(world, 3, 4, 0);
    assert_true(world->results[4].id == 5 && world->results[4].error < 0);
    expect(world, 5, 6, 0);
}

static void test_our_own_address_is_adopted(void **state)
{
    struct world *world = *state;

    assert_int_equal(try(world, CLAIMS_ADD, "192.0.2.10", 24), 0);
    assert_int_equal(try(world, CLAIMS_ADD, "192.0.2.10", 24), 0);
    assert_int_equal(try(world, CLAIMS_ADD, "2001:db8::10", 128), 0);
    assert_int_equal(try(world, CLAIMS_ADD, "2001:db8::10", 128), 0);
    /* IPv6 has an address once on a NIC, whatever its prefix: not the one that was asked for. */
    assert_int_equal(try(world, CLAIMS_ADD, "2001:db8::10", 64), -EEXIST);
    assert_int_equal(n_held(), 2);
}

static void test_what_is_not_ours_is_never_removed(void **state)
{
    struct world *world = *state;

    run("ip addr add 192.0.2.5/24 dev v0 && ip addr add 2001:db8::5/64 dev v0 nodad");
    assert_int_equal(try(world, CLAIMS_REMOVE, "192.0.2.5", 24), -EACCES);
    assert_int_equal(try(world, CLAIMS_REMOVE, "2001:db8::5", 64), -EACCES);
    assert_int_equal(try(world, CLAIMS_REMOVE, "192.0.2.6", 24), -EADDRNOTAVAIL);
    assert_true(on_nic("192.0.2.5/24") && on_nic("2001:db8::5/64"));
    assert_int_equal(n_held(), 0);

    /* Claimed as well, as a host prefix: that one goes, and nothing else. */
    assert_int_equal(try(world, CLAIMS_ADD, "192.0.2.5", 32), 0);
    assert_int_equal(try(world, CLAIMS_REMOVE, "192.0.2.5", 25), -EADDRNOTAVAIL);
    assert_int_equal(try(world, CLAIMS_REMOVE, "192.0.2.5", 32), 0);
    assert_true(on_nic("192.0.2.5/24"));
    assert_false(on_nic("192.0.2.5/32"));

    /* Who replaced it without our mark has made it theirs. */
    assert_int_equal(try(world, CLAIMS_ADD, "192.0.2.7", 32), 0);
    run("ip addr replace 192.0.2.7/32 dev v0");
    assert_int_equal(try(world, CLAIMS_REMOVE, "192.0.2.7", 32), -EACCES);
}

static void test_secondaries_survive_their_primary(void **state)
{
    struct world *world = *state;
    const char *setting = "cat /proc/sys/net/ipv4/conf/v0/promote_secondaries";

    /* The host's own address came into the subnet after ours, and so did more of ours. */
    assert_int_equal(try(world, CLAIMS_ADD, "192.0.2.10", 24), 0);
    run("ip addr add 192.0.2.5/24 dev v0");
    assert_int_equal(try(world, CLAIMS_ADD, "192.0.2.11", 24), 0);
    assert_true(on_nic("192.0.2.5/24 scope global secondary"));
    assert_true(output_has(setting, "0"));

    assert_int_equal(try(world, CLAIMS_REMOVE, "192.0.2.10", 24), 0);
    assert_false(on_nic("192.0.2.10/24"));
    assert_true(on_nic("192.0.2.5/24"));
    assert_true(on_nic("192.0.2.11/24"));
    assert_true(output_has("ip route show dev v0", "192.0.2.0/24"));
    assert_true(output_has(setting, "0"));

    /* Where the administrator has it on, it stays on. */
    run("sysctl -qw net.ipv4.conf.v0.promote_secondaries=1");
    assert_int_equal(try(world, CLAIMS_ADD, "198.51.100.10", 24), 0);
    run("ip addr add 198.51.100.5/24 dev v0");
    assert_int_equal(try(world, CLAIMS_REMOVE, "198.51.100.10", 24), 0);
    assert_true(on_nic("198.51.100.5/24"));
    assert_true(output_has(setting, "1"));
}

static void test_primary_and_secondaries_go_in_any_order(void **state)
{
    struct world *world = *state;
    char ip[IP_ADDRESS_TEXT];

    for (unsigned i = 1; i <= 200; i++) {
        snprintf(ip, sizeof ip, "192.0.2.%u", i);
        submit(world, CLAIMS_ADD, i, ip, 24);
    }
    for (unsigned i = 1; i <= 200; i++) {
        snprintf(ip, sizeof ip, "192.0.2.%u", i);
        submit(world, CLAIMS_REMOVE, 200 + i, ip, 24);
    }
    settle(world);
    assert_int_equal(world->n, 400);
    for (uint32_t i = 0; i < 400; i++)
        expect(world, i, i + 1, 0);
    assert_int_equal(n_held(), 0);
}

static void test_a_thousand_addresses(void **state)
{
    struct world *world = *state;

    run("ip addr add 10.1.0.250/16 dev v0");
    submit_many(world, CLAIMS_ADD);
    settle(world);
    assert_int_equal(world->n, MANY);
    for (uint32_t i = 0; i < MANY; i++)
        expect(world, i, i, 0);
    assert_int_equal(n_held(), MANY);

    submit_many(world, CLAIMS_REMOVE);
    settle(world);
    assert_int_equal(world->n, 2 * MANY);
    for (uint32_t i = 0; i < MANY; i++)
        expect(world, MANY + i, i, 0);
    assert_int_equal(n_held(), 0);
    assert_true(on_nic("10.1.0.250/16"));
}

static void test_one_flush_is_one_batch(void **state)
{
    struct world *world = *state;

    submit_many(world, CLAIMS_ADD);
    assert_int_equal(claims_flush(world->claims), MANY - CLAIMS_BATCH_FIRST);
    assert_int_equal(n_held(), CLAIMS_BATCH_FIRST);
    /* No result before it is read, and all that was sent then. */
    assert_int_equal(world->n, 0);
    assert_int_equal(claims_on_readable(world->claims), 0);
    assert_int_equal(world->n, CLAIMS_BATCH_FIRST);
}

/* How many requests each flush took until none was left; the largest of them. */
static int flush_all(struct world *world, int queued)
{
    int largest = 0, left;

    for (; queued > 0; queued = left) {
        left = claims_flush(world->claims);
        assert_true(left >= 0 && left < queued);
        if (queued - left > largest)
            largest = queued - left;
        assert_int_equal(claims_on_readable(world->claims), 0);
    }
    return largest;
}

static void test_batches_grow_and_begin_small_again(void **state)
{
    struct world *world = *state;
    int left;

    submit_many(world, CLAIMS_ADD);
    left = claims_flush(world->claims);
    /* However busy the machine, no batch is larger than that; where it is not, the second is twice the first. */
    assert_true(flush_all(world, left) <= CLAIMS_BATCH);
    assert_int_equal(n_held(), MANY);

    /* Removals are looked up first, and so always go by the full batch. */
    submit_many(world, CLAIMS_REMOVE);
    assert_int_equal(claims_flush(world->claims), MANY - CLAIMS_BATCH);
    assert_int_equal(claims_on_readable(world->claims), 0);
    flush_all(world, MANY - CLAIMS_BATCH);
    assert_int_equal(n_held(), 0);

    /* The next thousand announce themselves as early as the first. */
    submit_many(world, CLAIMS_ADD);
    assert_int_equal(claims_flush(world->claims), MANY - CLAIMS_BATCH_FIRST);
    settle(world);
    assert_int_equal(n_held(), MANY);
}

static void test_answers_that_nobody_reads_stop_the_sending(void **state)
{
    struct world *world = *state;
    int queued = 0;

    submit_many(world, CLAIMS_ADD);
    submit_many(world, CLAIMS_REMOVE);
    for (unsigned i = 0; i < 2 * MANY; i++)
        queued = claims_flush(world->claims);
    assert_int_equal(queued, 2 * MANY - CLAIMS_IN_FLIGHT_MAX);
    settle(world);
    assert_int_equal(world->n, 2 * MANY);
    for (uint32_t i = 0; i < 2 * MANY; i++)
        expect(world, i, i % MANY, 0);
}

static void test_lost_answers_are_looked_up(void **state)
{
    struct world *world = *state;
    int error = 0, present = 0;
    socklen_t size = sizeof error;

    run("ip addr add 10.1.0.4/32 dev v0");
    shrink_queue(world);
    submit_many(world, CLAIMS_ADD);
    submit(world, CLAIMS_ADD, MANY, "10.1.0.4", 32); /* the host's own */
    assert_true(claims_flush(world->claims) > 0);
    assert_int_equal(getsockopt(claims_fd(world->claims), SOL_SOCKET, SO_ERROR, &error, &size), 0);
    assert_int_equal(error, ENOBUFS); /* else this tests nothing */
    settle(world);
    assert_int_equal(world->n, MANY + 1);
    for (uint32_t i = 0; i < MANY; i++)
        present += world->results[i].error == 0;
    /* 10.1.0.4 is among the thousand, too. */
    assert_int_equal(present, MANY - 1);
    expect(world, MANY, MANY, -EEXIST);

    submit_many(world, CLAIMS_REMOVE);
    settle(world);
    assert_int_equal(world->n, 2 * MANY + 1);
    for (uint32_t i = 0; i < MANY; i++)
        expect(world, MANY + 1 + i, i, i == 3 ? -EACCES : 0);
    assert_int_equal(n_held(), 0);
}

static void test_a_lost_answer_to_a_refusal_is_no_success(void **state)
{
    struct world *world = *state;
    char ip[IP_ADDRESS_TEXT];

    shrink_queue(world);
    for (unsigned i = 0; i < CLAIMS_BATCH; i++) {
        snprintf(ip, sizeof ip, "ff02::%u", i + 1);
        submit(world, CLAIMS_ADD, i, ip, 128);
    }
    settle(world);
    assert_int_equal(world->n, CLAIMS_BATCH);
    for (unsigned i = 0; i < CLAIMS_BATCH; i++)
        assert_true(world->results[i].error < 0);
    assert_int_equal(world->results[CLAIMS_BATCH - 1].error, -ENOBUFS);
}

static void test_operations_on_one_address_keep_their_order(void **state)
{
    struct world *world = *state;

    submit(world, CLAIMS_ADD, 1, "192.0.2.10", 32);
    submit(world, CLAIMS_REMOVE, 2, "192.0.2.10", 32);
    submit(world, CLAIMS_REMOVE, 3, "192.0.2.10", 32);
    submit(world, CLAIMS_ADD, 4, "192.0.2.10", 32);
    submit(world, CLAIMS_REMOVE, 5, "192.0.2.10", 32);
    settle(world);
    assert_int_equal(world->n, 5);
    expect(world, 0, 1, 0);
    expect(world, 1, 2, 0);
    expect(world, 2, 3, -EADDRNOTAVAIL);
    expect(world, 3, 4, 0);
    expect(world, 4, 5, 0);
    assert_false(on_nic("192.0.2.10"));
}

static void test_the_nic_is_gone(void **state)
{
    struct world *world = *state;

    assert_int_equal(try(world, CLAIMS_ADD, "192.0.2.10", 32), 0);
    run("ip link del v0");
    assert_int_equal(try(world, CLAIMS_REMOVE, "192.0.2.10", 32), -ENODEV);
    assert_int_equal(try(world, CLAIMS_ADD, "192.0.2.10", 32), -ENODEV);
}

static void test_the_callback_may_submit(void **state)
{
    struct world *world = *state;

    world->resubmit = 2 * MANY;
    submit_many(world, CLAIMS_ADD);
    settle(world);
    assert_int_equal(world->n, 3 * MANY);
    for (uint32_t i = 0; i < 3 * MANY; i++)
        assert_int_equal(world->results[i].error, 0);
}

static void test_a_host_prefix_is_never_the_default_source(void **state)
{
    struct world *world = *state;

    /* The claim was there first, and the route names no next hop: a global address would be chosen here. */
    assert_int_equal(try(world, CLAIMS_ADD, "192.0.2.10", 32), 0);
    assert_int_equal(try(world, CLAIMS_ADD, "2001:db8::10", 128), 0);
    run("ip addr add 192.0.2.5/24 dev v0 && ip addr add 2001:db8::5/64 dev v0 nodad");
    run("ip route add 203.0.113.0/24 dev v0 && ip route add default via 192.0.2.1");
    assert_true(output_has("ip route get 203.0.113.9", "src 192.0.2.5 "));
    assert_true(output_has("ip route get 192.0.2.1", "src 192.0.2.5 "));
    assert_true(output_has("ip route get 8.8.8.8", "src 192.0.2.5 "));
    assert_true(output_has("ip route get 2001:db8::1", "src 2001:db8::5 "));
}

static void test_requests_that_are_no_addresses_are_refused(void **state)
{
    struct world *world = *state;
    struct claims_request unset = {.operation = CLAIMS_ADD, .ifindex = world->nic, .prefix = 24};
    struct claims_request long_prefix = {
        .operation = CLAIMS_ADD, .ifindex = world->nic, .ip = ip_of("192.0.2.1"), .prefix = 33};
    struct claims_request nowhere = {.operation = CLAIMS_ADD, .ip = ip_of("192.0.2.1"), .prefix = 32};

    assert_int_equal(claims_submit(world->claims, &unset), -EINVAL);
    assert_int_equal(claims_submit(world->claims, &long_prefix), -EINVAL);
    assert_int_equal(claims_submit(world->claims, &nowhere), -EINVAL);
    assert_int_equal(claims_flush(world->claims), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ipv4_goes_on_and_off),
        TEST(test_ipv6_is_deprecated_and_never_tentative),
        TEST(test_results_come_in_order_each_with_its_own_error),
        TEST(test_our_own_address_is_adopted),
        TEST(test_what_is_not_ours_is_never_removed),
        TEST(test_secondaries_survive_their_primary),
        TEST(test_primary_and_secondaries_go_in_any_order),
        TEST(test_a_thousand_addresses),
        TEST(test_one_flush_is_one_batch),
        TEST(test_batches_grow_and_begin_small_again),
        TEST(test_answers_that_nobody_reads_stop_the_sending),
        TEST(test_lost_answers_are_looked_up),
        TEST(test_a_lost_answer_to_a_refusal_is_no_success),
        TEST(test_operations_on_one_address_keep_their_order),
        TEST(test_the_nic_is_gone),
        TEST(test_the_callback_may_submit),
        TEST(test_a_host_prefix_is_never_the_default_source),
        TEST(test_requests_that_are_no_addresses_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
