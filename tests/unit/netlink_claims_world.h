/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of claims share: a NIC, requests and their results. Comes after cmocka.h and what that needs. */
#pragma once

#include "netlink/claims.h"
#include "tests/unit/netlink_world.h"

#define MANY 1000
#define RESULTS_MAX (4 * MANY)
/* Two leases that no test sees the end of, and that cannot be mistaken for each other however slow the machine is. */
#define LONG_S 7200
#define SHORT_S 600

/* A NIC v0, the claims, and what they reported. */
struct world {
    struct claims *claims;
    int nic;
    uint32_t valid_s; /* of what is submitted */
    size_t n;
    struct {
        uint32_t id;
        int error;
    } results[RESULTS_MAX];
    int resubmit; /* so often is a request that was answered submitted again, by the callback */
};

__attribute__((unused)) static void on_result(void *userdata, const struct claims_request *request, int error)
{
    struct world *world = userdata;

    assert_true(world->n < RESULTS_MAX);
    world->results[world->n].id = request->id;
    world->results[world->n++].error = error;
    if (world->resubmit > 0) {
        world->resubmit--;
        assert_int_equal(claims_submit(world->claims, request), 0);
    }
}

__attribute__((unused)) static int setup(void **state)
{
    struct world *world;

    if (enter_namespace(state) < 0)
        return -1;
    run("sysctl -qw net.ipv4.conf.all.promote_secondaries=0 net.ipv4.conf.default.promote_secondaries=0");
    /* No link-local addresses: theirs would be events and routes beside ours. */
    run("sysctl -qw net.ipv6.conf.default.addr_gen_mode=1");
    run("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up");
    world = calloc(1, sizeof *world);
    world->nic = index_of("v0");
    if (claims_open(&world->claims, on_result, world) < 0)
        return -1;
    *state = world;
    return 0;
}

__attribute__((unused)) static int teardown(void **state)
{
    struct world *world = *state;

    claims_close(world->claims);
    free(world);
    return 0;
}

__attribute__((unused)) static void submit(struct world *world, enum claims_operation operation, uint32_t id,
                                           const char *ip, uint8_t prefix)
{
    struct claims_request request = {.operation = operation,
                                     .id = id,
                                     .ifindex = world->nic,
                                     .ip = ip_of(ip),
                                     .prefix = prefix,
                                     .valid_s = world->valid_s};

    assert_int_equal(claims_submit(world->claims, &request), 0);
}

/* Sends and reads until nothing is queued. */
__attribute__((unused)) static void settle(struct world *world)
{
    int queued;

    do {
        queued = claims_flush(world->claims);
        assert_true(queued >= 0);
        assert_true(becomes_readable(claims_fd(world->claims), PATIENCE_MS));
        assert_int_equal(claims_on_readable(world->claims), 0);
    } while (queued > 0);
}

__attribute__((unused)) static void expect(struct world *world, size_t place, uint32_t id, int error)
{
    assert_true(place < world->n);
    assert_int_equal(world->results[place].id, id);
    assert_int_equal(world->results[place].error, error);
}

/* One request, and its result. */
__attribute__((unused)) static int try(struct world *world, enum claims_operation operation, const char *ip,
                                       uint8_t prefix)
{
    world->n = 0;
    submit(world, operation, 1, ip, prefix);
    settle(world);
    assert_int_equal(world->n, 1);
    return world->results[0].error;
}

/* The same with a lease. */
__attribute__((unused)) static int try_leased(struct world *world, enum claims_operation operation, const char *ip,
                                              uint8_t prefix, uint32_t valid_s)
{
    int error;

    world->valid_s = valid_s;
    error = try(world, operation, ip, prefix);
    world->valid_s = 0;
    return error;
}

__attribute__((unused)) static bool on_nic(const char *text)
{
    return output_has("ip -o addr show dev v0", text);
}

__attribute__((unused)) static void count_held(void *userdata, const struct claims_held *held)
{
    (void)held;
    ++*(size_t *)userdata;
}

__attribute__((unused)) static size_t n_held(void)
{
    size_t n = 0;

    assert_int_equal(claims_list_held(count_held, &n), 0);
    return n;
}

/* An address of ours that is looked for. */
struct sought {
    struct ip_address ip;
    uint32_t valid_s; /* 0 until it is found */
};

__attribute__((unused)) static void find_held(void *userdata, const struct claims_held *held)
{
    struct sought *sought = userdata;

    if (ip_address_equal(&held->ip, &sought->ip))
        sought->valid_s = held->valid_s;
}

/* What is left of the lease; 0 where the address is not there, or not ours. */
__attribute__((unused)) static uint32_t lease_left(const char *ip)
{
    struct sought sought = {.ip = ip_of(ip)};

    assert_int_equal(claims_list_held(find_held, &sought), 0);
    return sought.valid_s;
}

__attribute__((unused)) static void submit_many(struct world *world, enum claims_operation operation)
{
    char ip[IP_ADDRESS_TEXT];

    for (unsigned i = 0; i < MANY; i++) {
        snprintf(ip, sizeof ip, i % 2 ? "10.1.%u.%u" : "2001:db8::%u:%u", i / 200, i % 200 + 1);
        submit(world, operation, i, ip, i % 2 ? 32 : 128);
    }
}

/* Counts the addresses of ours by what is left of their lease. */
struct tally {
    size_t n_long, n_short, n_forever;
};

__attribute__((unused)) static void tally_held(void *userdata, const struct claims_held *held)
{
    struct tally *tally = userdata;

    if (held->valid_s == UINT32_MAX)
        tally->n_forever++;
    else if (held->valid_s > SHORT_S)
        tally->n_long++;
    else
        tally->n_short++;
}

__attribute__((unused)) static struct tally tally(void)
{
    struct tally counted = {};

    assert_int_equal(claims_list_held(tally_held, &counted), 0);
    return counted;
}

/* The same thousand addresses; all must be answered with 0. */
__attribute__((unused)) static void ask_many(struct world *world, enum claims_operation operation, uint32_t valid_s)
{
    world->n = 0;
    world->valid_s = valid_s;
    submit_many(world, operation);
    settle(world);
    assert_int_equal(world->n, MANY);
    for (uint32_t i = 0; i < MANY; i++)
        expect(world, i, i, 0);
}

/* The smallest receive queue that the kernel allows: it holds a few answers. */
__attribute__((unused)) static void shrink_queue(struct world *world)
{
    int least = 0;

    assert_int_equal(setsockopt(claims_fd(world->claims), SOL_SOCKET, SO_RCVBUF, &least, sizeof least), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
