/* SPDX-License-Identifier: Apache-2.0 */
/* Leases while they last: set, renewed, adopted, switched on and off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/if_addr.h>

#include "netlink/message.h"
#include "netlink/query.h"
#include "tests/unit/netlink_claims_world.h"

/* Whether so much is left as a lease of `valid_s` has just after it began. */
static bool is_fresh(const char *ip, uint32_t valid_s)
{
    uint32_t left = lease_left(ip);

    return left <= valid_s && left + SHORT_S / 2 > valid_s;
}

static void test_a_lease_is_put_on_and_told(void **state)
{
    struct world *world = *state;

    assert_int_equal(try_leased(world, CLAIMS_ADD, "192.0.2.10", 32, LONG_S), 0);
    assert_int_equal(try_leased(world, CLAIMS_ADD, "2001:db8::10", 128, LONG_S), 0);
    assert_int_equal(try_leased(world, CLAIMS_ADD, "198.51.100.10", 24, 0), 0);
    assert_true(is_fresh("192.0.2.10", LONG_S) && is_fresh("2001:db8::10", LONG_S));
    assert_int_equal(lease_left("198.51.100.10"), UINT32_MAX);
    assert_true(on_nic("192.0.2.10/32 scope host dynamic"));
    assert_true(on_nic("198.51.100.10/24 brd 198.51.100.255 scope global v0"));
    /* IPv4 is preferred as long as it is valid. */
    assert_false(output_has("ip -4 addr show dev v0 deprecated", "192.0.2.10"));
    assert_true(output_has("ip -6 addr show dev v0 dynamic deprecated", "preferred_lft 0sec"));
}

static void test_a_renewal_starts_the_lease_anew_and_keeps_the_rest(void **state)
{
    static const struct {
        const char *ip;
        uint8_t prefix;
        const char *shown;
    } cases[] = {
        {"192.0.2.10", 32, "192.0.2.10/32 scope host dynamic v0"},
        {"198.51.100.10", 24, "198.51.100.10/24 brd 198.51.100.255 scope global dynamic v0"},
        {"2001:db8::10", 128, "2001:db8::10/128 scope global nodad deprecated dynamic noprefixroute"},
        {"2001:db8:1::10", 64, "2001:db8:1::10/64 scope global nodad deprecated dynamic \\"},
    };
    struct world *world = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(try_leased(world, CLAIMS_ADD, cases[i].ip, cases[i].prefix, SHORT_S), 0);
        assert_true(is_fresh(cases[i].ip, SHORT_S));
        assert_true(on_nic(cases[i].shown));
        /* Also that the mark is still there: only so is it told of. */
        assert_int_equal(try_leased(world, CLAIMS_RENEW, cases[i].ip, cases[i].prefix, LONG_S), 0);
        assert_true(is_fresh(cases[i].ip, LONG_S));
        assert_true(on_nic(cases[i].shown));
        assert_int_equal(try_leased(world, CLAIMS_RENEW, cases[i].ip, cases[i].prefix, SHORT_S), 0);
        assert_true(is_fresh(cases[i].ip, SHORT_S));
    }
}

/* Puts an address on with our mark and other flags than ours, as another version of this program might have. */
static void put_with_flags(struct world *world, const char *ip, uint8_t prefix, uint32_t flags)
{
    _Alignas(struct nlmsghdr) char buffer[MESSAGE_BYTES_MAX] = {};
    struct claims_request request = {.ifindex = world->nic, .ip = ip_of(ip), .prefix = prefix};
    struct query *query;

    assert_int_equal(query_open(&query), 0);
    assert_int_equal(query_carry_out(query, message_build_renewal(buffer, 0, &request, flags, SHORT_S)), 0);
    query_close(query);
}

static void test_flags_stay_as_they_were(void **state)
{
    struct world *world = *state;

    put_with_flags(world, "2001:db8::10", 128, IFA_F_NODAD);
    put_with_flags(world, "2001:db8:1::10", 64, IFA_F_NODAD | IFA_F_NOPREFIXROUTE);
    put_with_flags(world, "2001:db8:2::10", 64, IFA_F_NOPREFIXROUTE);
    assert_int_equal(try_leased(world, CLAIMS_RENEW, "2001:db8::10", 128, LONG_S), 0);
    assert_int_equal(try_leased(world, CLAIMS_RENEW, "2001:db8:1::10", 64, LONG_S), 0);
    assert_int_equal(try_leased(world, CLAIMS_ADD, "2001:db8:2::10", 64, LONG_S), 0);
    assert_true(on_nic("2001:db8::10/128 scope global nodad deprecated dynamic \\"));
    assert_true(on_nic("2001:db8:1::10/64 scope global nodad deprecated dynamic noprefixroute"));
    assert_true(output_has("ip -6 -o addr show dev v0 | grep -v nodad", "2001:db8:2::10/64"));
    assert_false(output_has("ip -6 route show dev v0", "2001:db8:1::/64"));
}

static void test_ipv6_is_never_the_source_after_a_renewal(void **state)
{
    struct world *world = *state;

    /* The claim matches the destination better: chosen as soon as it is preferred (RFC 6724, 5, rules 3 and 8). */
    run("ip addr add 2001:db8::1:5/64 dev v0 nodad");
    assert_int_equal(try_leased(world, CLAIMS_ADD, "2001:db8::10", 128, SHORT_S), 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(output_has("ip route get 2001:db8::11", "src 2001:db8::1:5 "));
        assert_int_equal(try_leased(world, CLAIMS_RENEW, "2001:db8::10", 128, i == 1 ? 0 : LONG_S), 0);
        assert_true(output_has("ip -6 -o addr show dev v0 deprecated", "2001:db8::10/128"));
    }
    assert_true(output_has("ip route get 2001:db8::11", "src 2001:db8::1:5 "));
    run("ip addr change 2001:db8::10/128 dev v0 nodad preferred_lft 60 valid_lft 60");
    assert_true(output_has("ip route get 2001:db8::11", "src 2001:db8::10 ")); /* else this tests nothing */
}

static void test_a_lease_is_switched_on_and_off(void **state)
{
    static const char *const ips[] = {"192.0.2.10", "198.51.100.10", "2001:db8::10", "2001:db8:1::10"};
    static const uint8_t prefixes[] = {32, 24, 128, 64};
    struct world *world = *state;

    for (size_t i = 0; i < sizeof ips / sizeof *ips; i++) {
        assert_int_equal(try(world, CLAIMS_ADD, ips[i], prefixes[i]), 0);
        assert_int_equal(try_leased(world, CLAIMS_RENEW, ips[i], prefixes[i], LONG_S), 0);
        assert_true(is_fresh(ips[i], LONG_S));
        assert_int_equal(try_leased(world, CLAIMS_RENEW, ips[i], prefixes[i], 0), 0);
        assert_int_equal(lease_left(ips[i]), UINT32_MAX);
        assert_int_equal(try_leased(world, CLAIMS_RENEW, ips[i], prefixes[i], SHORT_S), 0);
        assert_true(is_fresh(ips[i], SHORT_S));
    }
    assert_int_equal(n_held(), 4);
    assert_true(output_has("ip route get 198.51.100.99", "dev v0"));
    assert_true(output_has("ip route get 2001:db8:1::99", "dev v0"));
}

/* The kernel would end the route of the host's own subnet as soon as an address for ever beside it is leased. */
static void test_the_hosts_own_ipv6_route_stays(void **state)
{
    struct world *world = *state;

    assert_int_equal(try(world, CLAIMS_ADD, "2001:db8::10", 64), 0);
    run("ip addr add 2001:db8::5/64 dev v0 nodad");
    assert_int_equal(try_leased(world, CLAIMS_RENEW, "2001:db8::10", 64, LONG_S), 0);
    assert_int_equal(try_leased(world, CLAIMS_RENEW, "2001:db8::10", 64, LONG_S), 0);
    assert_true(output_has("ip route get 2001:db8::99", "src 2001:db8::5 "));
    assert_false(output_has("ip -6 route show dev v0", "expires"));
    assert_int_equal(try(world, CLAIMS_REMOVE, "2001:db8::10", 64), 0);
    assert_true(output_has("ip route get 2001:db8::99", "src 2001:db8::5 "));
    assert_false(output_has("ip -6 route show dev v0", "expires"));
}

static void test_removal_takes_the_route_of_a_lease_along(void **state)
{
    struct world *world = *state;

    assert_int_equal(try_leased(world, CLAIMS_ADD, "2001:db8::10", 64, LONG_S), 0);
    assert_int_equal(try_leased(world, CLAIMS_ADD, "2001:db8::11", 64, LONG_S), 0);
    assert_int_equal(try_leased(world, CLAIMS_ADD, "2001:db8:1::10", 128, LONG_S), 0);
    assert_int_equal(try(world, CLAIMS_REMOVE, "2001:db8::10", 64), 0);
    assert_true(output_has("ip -6 route show dev v0", "2001:db8::/64")); /* the other's, still */
    assert_int_equal(try(world, CLAIMS_REMOVE, "2001:db8::11", 64), 0);
    assert_int_equal(try(world, CLAIMS_REMOVE, "2001:db8:1::10", 128), 0);
    assert_false(output_has("ip -6 route show dev v0", "2001:db8"));
}

static void test_a_renewal_does_not_bring_back(void **state)
{
    static const char *const ips[] = {"192.0.2.10", "2001:db8::10"};
    static const uint8_t prefixes[] = {32, 128};
    struct world *world = *state;

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(try_leased(world, CLAIMS_RENEW, ips[i], prefixes[i], LONG_S), -EADDRNOTAVAIL);
        assert_int_equal(try_leased(world, CLAIMS_ADD, ips[i], prefixes[i], LONG_S), 0);
        /* The same address, but not the one that was claimed. */
        assert_int_equal(try_leased(world, CLAIMS_RENEW, ips[i], 24, SHORT_S), -EADDRNOTAVAIL);
        assert_true(is_fresh(ips[i], LONG_S));
        assert_int_equal(try(world, CLAIMS_REMOVE, ips[i], prefixes[i]), 0);
        assert_int_equal(try_leased(world, CLAIMS_RENEW, ips[i], prefixes[i], LONG_S), -EADDRNOTAVAIL);
        assert_int_equal(try_leased(world, CLAIMS_ADD, ips[i], prefixes[i], LONG_S), 0);
        run("ip addr del %s/%u dev v0", ips[i], prefixes[i]);
        assert_int_equal(try_leased(world, CLAIMS_RENEW, ips[i], prefixes[i], LONG_S), -EADDRNOTAVAIL);
        assert_false(on_nic(ips[i]));
    }
    /* Within one turn, too. */
    submit(world, CLAIMS_ADD, 1, "192.0.2.10", 32);
    submit(world, CLAIMS_REMOVE, 2, "192.0.2.10", 32);
    submit(world, CLAIMS_RENEW, 3, "192.0.2.10", 32);
    settle(world);
    expect(world, world->n - 1, 3, -EADDRNOTAVAIL);
    assert_int_equal(n_held(), 0);
    run("ip link del v0");
    assert_int_equal(try_leased(world, CLAIMS_RENEW, "192.0.2.10", 32, LONG_S), -ENODEV);
}

static void test_what_is_not_ours_is_not_renewed(void **state)
{
    struct world *world = *state;

    run("ip addr add 192.0.2.5/24 dev v0 && ip addr add 2001:db8::5/64 dev v0 nodad");
    assert_int_equal(try_leased(world, CLAIMS_RENEW, "192.0.2.5", 24, SHORT_S), -EACCES);
    assert_int_equal(try_leased(world, CLAIMS_RENEW, "2001:db8::5", 64, SHORT_S), -EACCES);
    assert_false(on_nic("dynamic"));
    assert_int_equal(n_held(), 0);
    /* Adoption neither. */
    assert_int_equal(try_leased(world, CLAIMS_ADD, "192.0.2.5", 24, SHORT_S), -EEXIST);
    assert_int_equal(try_leased(world, CLAIMS_ADD, "2001:db8::5", 64, SHORT_S), -EEXIST);
    assert_false(on_nic("dynamic"));
    assert_int_equal(n_held(), 0);
}

static void test_adoption_ends_with_the_lease_asked_for(void **state)
{
    static const char *const ips[] = {"192.0.2.10", "198.51.100.10", "2001:db8::10", "2001:db8:1::10"};
    static const uint8_t prefixes[] = {32, 24, 128, 64};
    static const uint32_t leases_s[] = {0, SHORT_S, LONG_S, 0};
    struct world *world = *state;

    for (size_t lease = 0; lease < 4; lease++) {
        for (size_t i = 0; i < sizeof ips / sizeof *ips; i++) {
            assert_int_equal(try_leased(world, CLAIMS_ADD, ips[i], prefixes[i], leases_s[lease]), 0);
            if (leases_s[lease] == 0)
                assert_int_equal(lease_left(ips[i]), UINT32_MAX);
            else
                assert_true(is_fresh(ips[i], leases_s[lease]));
        }
        assert_true(output_has("ip route get 2001:db8:1::99", "dev v0"));
    }
    assert_int_equal(n_held(), 4);
}

static void test_a_thousand_are_adopted(void **state)
{
    struct world *world = *state;

    ask_many(world, CLAIMS_ADD, 0);
    assert_int_equal(tally().n_forever, MANY);
    ask_many(world, CLAIMS_ADD, LONG_S);
    assert_int_equal(tally().n_long, MANY);
}

static void test_lost_answers_to_renewals(void **state)
{
    struct world *world = *state;
    int error = 0, renewed = 0;
    socklen_t size = sizeof error;

    ask_many(world, CLAIMS_ADD, SHORT_S);
    run("ip addr del 10.1.0.4/32 dev v0");
    shrink_queue(world);
    world->n = 0;
    world->valid_s = LONG_S;
    submit_many(world, CLAIMS_RENEW);
    assert_true(claims_flush(world->claims) > 0);
    assert_int_equal(getsockopt(claims_fd(world->claims), SOL_SOCKET, SO_ERROR, &error, &size), 0);
    assert_int_equal(error, ENOBUFS); /* else this tests nothing */
    settle(world);
    assert_int_equal(world->n, MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        /* A machine so busy that a second went by reads the lease as not the one asked for: then it is asked again. */
        assert_true(world->results[i].error == (i == 3 ? -EADDRNOTAVAIL : 0) || world->results[i].error == -ENOBUFS);
        renewed += world->results[i].error == 0;
    }
    assert_true(renewed > CLAIMS_BATCH / 2);
    assert_int_equal(tally().n_long, MANY - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_lease_is_put_on_and_told),
        TEST(test_a_renewal_starts_the_lease_anew_and_keeps_the_rest),
        TEST(test_flags_stay_as_they_were),
        TEST(test_ipv6_is_never_the_source_after_a_renewal),
        TEST(test_a_lease_is_switched_on_and_off),
        TEST(test_the_hosts_own_ipv6_route_stays),
        TEST(test_removal_takes_the_route_of_a_lease_along),
        TEST(test_a_renewal_does_not_bring_back),
        TEST(test_what_is_not_ours_is_not_renewed),
        TEST(test_adoption_ends_with_the_lease_asked_for),
        TEST(test_a_thousand_are_adopted),
        TEST(test_lost_answers_to_renewals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
