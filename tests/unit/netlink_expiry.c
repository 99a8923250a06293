/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel does when leases end, and that nothing of the host's own goes with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "tests/unit/netlink_claims_world.h"

/* Long enough for what a busy machine does in between; the kernel takes up to two seconds more. */
#define LEASE_S 2

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Waits until so many of ours are left. */
static void wait_for_expiry(size_t n_left)
{
    double began_s = now_s();

    while (n_held() > n_left) {
        assert_true(now_s() - began_s < PATIENCE_MS / 1000.0);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    assert_int_equal(n_held(), n_left);
}

static void test_only_the_leased_addresses_expire(void **state)
{
    struct world *world = *state;
    double began_s = now_s();

    run("ip addr add 192.0.2.5/24 dev v0 && ip addr add 192.0.2.6/24 dev v0");
    run("ip addr add 2001:db8::5/64 dev v0 nodad");
    /* In subnets that the NIC is in, in one that it is not in, and a /64 beside an own one. */
    assert_int_equal(try_leased(world, CLAIMS_ADD, "192.0.2.10", 32, LEASE_S), 0);
    assert_int_equal(try_leased(world, CLAIMS_ADD, "198.51.100.10", 24, LEASE_S), 0);
    assert_int_equal(try_leased(world, CLAIMS_ADD, "198.51.100.11", 24, LEASE_S), 0);
    assert_int_equal(try_leased(world, CLAIMS_ADD, "2001:db8::10", 128, LEASE_S), 0);
    assert_int_equal(try_leased(world, CLAIMS_ADD, "2001:db8::11", 64, LEASE_S), 0);
    assert_int_equal(try_leased(world, CLAIMS_ADD, "2001:db8:1::10", 64, LEASE_S), 0);
    /* One that is renewed stays, also where it had little left; so does one for ever. */
    assert_int_equal(try_leased(world, CLAIMS_ADD, "203.0.113.10", 32, LEASE_S), 0);
    assert_int_equal(try_leased(world, CLAIMS_RENEW, "203.0.113.10", 32, LONG_S), 0);
    assert_int_equal(try_leased(world, CLAIMS_ADD, "2001:db8:2::10", 64, LEASE_S), 0);
    assert_int_equal(try_leased(world, CLAIMS_RENEW, "2001:db8:2::10", 64, 0), 0);
    assert_int_equal(n_held(), 8);
    assert_true(output_has("ip route get 198.51.100.99", "dev v0"));
    assert_true(output_has("ip route get 2001:db8:1::99", "dev v0"));

    wait_for_expiry(2);
    assert_true(now_s() - began_s > LEASE_S * 0.9);
    assert_true(lease_left("203.0.113.10") > LEASE_S && lease_left("2001:db8:2::10") == UINT32_MAX);
    assert_true(output_has("ip route get 2001:db8:2::99", "dev v0"));
    assert_true(on_nic("192.0.2.5/24") && on_nic("192.0.2.6/24") && on_nic("2001:db8::5/64"));
    assert_true(output_has("ip route get 192.0.2.99", "src 192.0.2.5 "));
    assert_true(output_has("ip route get 2001:db8::99", "src 2001:db8::5 "));
    assert_false(output_has("ip route get 198.51.100.99 2>&1", "dev v0"));
    assert_false(output_has("ip route get 2001:db8:1::99 2>&1", "dev v0"));
    assert_true(output_has("cat /proc/sys/net/ipv4/conf/v0/promote_secondaries", "0"));

    /* Too late. */
    assert_int_equal(try_leased(world, CLAIMS_RENEW, "192.0.2.10", 32, LONG_S), -EADDRNOTAVAIL);
    assert_int_equal(try_leased(world, CLAIMS_RENEW, "198.51.100.10", 24, LONG_S), -EADDRNOTAVAIL);
    assert_int_equal(try_leased(world, CLAIMS_RENEW, "2001:db8::10", 128, LONG_S), -EADDRNOTAVAIL);
    assert_int_equal(n_held(), 2);
}

static void test_an_own_address_that_came_after_the_claim_stays(void **state)
{
    struct world *world = *state;

    /* It hangs on ours. A renewal sees that. */
    assert_int_equal(try_leased(world, CLAIMS_ADD, "192.0.2.10", 24, LONG_S), 0);
    assert_int_equal(try_leased(world, CLAIMS_ADD, "2001:db8::10", 64, LONG_S), 0);
    run("ip addr add 192.0.2.5/24 dev v0 && ip addr add 2001:db8::5/64 dev v0 nodad");
    assert_true(on_nic("192.0.2.5/24 scope global secondary"));
    assert_int_equal(try_leased(world, CLAIMS_RENEW, "192.0.2.10", 24, LEASE_S), 0);
    assert_int_equal(try_leased(world, CLAIMS_RENEW, "2001:db8::10", 64, LEASE_S), 0);
    wait_for_expiry(0);
    assert_true(on_nic("192.0.2.5/24") && on_nic("2001:db8::5/64"));
    assert_true(output_has("ip route get 192.0.2.99", "src 192.0.2.5 "));
    assert_true(output_has("ip route get 2001:db8::99", "src 2001:db8::5 "));
}

static void test_the_setting_stays_where_nothing_of_the_host_is_in_danger(void **state)
{
    static const char *const setting = "cat /proc/sys/net/ipv4/conf/v0/promote_secondaries";
    struct world *world = *state;

    /* Secondaries: one of the host's own that hangs on another own one, and one of ours. */
    run("ip addr add 192.0.2.5/24 dev v0 && ip addr add 192.0.2.6/24 dev v0");
    assert_int_equal(try_leased(world, CLAIMS_ADD, "198.51.100.10", 24, LONG_S), 0);
    assert_int_equal(try_leased(world, CLAIMS_ADD, "198.51.100.11", 24, LONG_S), 0);
    assert_int_equal(try_leased(world, CLAIMS_RENEW, "198.51.100.10", 24, LONG_S), 0);
    assert_true(output_has(setting, "0"));
    /* Without an end there is no danger either. */
    run("ip addr add 198.51.100.5/24 dev v0");
    assert_int_equal(try_leased(world, CLAIMS_RENEW, "198.51.100.10", 24, 0), 0);
    assert_true(output_has(setting, "0"));
    assert_int_equal(try_leased(world, CLAIMS_RENEW, "198.51.100.10", 24, LONG_S), 0);
    assert_true(output_has(setting, "1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_only_the_leased_addresses_expire),
        TEST(test_an_own_address_that_came_after_the_claim_stays),
        TEST(test_the_setting_stays_where_nothing_of_the_host_is_in_danger),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
