/* SPDX-License-Identifier: Apache-2.0 */
/* What is told to the guard, by an agent that is the test itself, and what it makes of it when it stood still. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/rtnetlink.h>

#include "agent/guard/message.h"
#include "tests/unit/guard_world.h"

#define MANY 10000
#define REAL 200
/* Takes the guard most of a second, in which also a busy machine lets others run. */
#define PLENTY 150000

static struct guard_held numbered(const struct world *world, int number)
{
    char text[IP_ADDRESS_TEXT];

    snprintf(text, sizeof text, "10.%d.%d.%d", number / 62500, number / 250 % 250, number % 250 + 1);
    return held_of(world, text, 32);
}

static void claim_and_hold(struct world *world, struct guard *guard, int n)
{
    struct guard_held *held = calloc((size_t)n, sizeof *held);

    for (int i = 0; i < n; i++) {
        held[i] = numbered(world, i);
        assert_int_equal(guard_hold(guard, &held[i]), 0);
    }
    claim(world, held, (size_t)n);
    flush_whole(guard);
    free(held);
}

static void beat(struct guard *guard)
{
    guard_beat(guard, clock_ns());
    assert_true(guard_flush(guard) >= 0);
}

static void beat_for(struct guard *guard, int ms)
{
    for (nsec_t start_ns = clock_ns(); since_ms(start_ns) < ms; sleep_ms(BEAT_MS))
        beat(guard);
}

static void test_guard_killed(void **state)
{
    struct world *world = *state;
    struct guard *guard = start_here(world);
    pid_t pid = guard_pid(guard);

    claim_and_hold(world, guard, 1);
    assert_int_equal(guard_news(guard), 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_true(becomes_readable(guard_fd(guard), PATIENCE_MS));
    assert_int_equal(guard_news(guard), -EPIPE);
    guard_beat(guard, clock_ns());
    assert_int_equal(guard_flush(guard), -EPIPE);
    guard_dismiss(guard);
    assert_int_equal(n_marked(), 1);
}

static void test_guard_stopped_while_beats_queue(void **state)
{
    struct world *world = *state;
    struct guard *guard = start_here(world);
    pid_t pid = guard_pid(guard);

    claim_and_hold(world, guard, 2);
    /* A beat wakes it, so that it is stopped anywhere in its turn. */
    for (int i = 0; i < 4; i++) {
        beat(guard);
        stop(pid);
        beat_for(guard, 3 * GUARD_PATIENCE_MS / 2);
        kill(pid, SIGCONT);
    }
    beat_for(guard, 2 * GUARD_PATIENCE_MS);
    assert_int_equal(guard_news(guard), 0);
    assert_int_equal(n_marked(), 2);
    guard_dismiss(guard);
    await_exit(pid);
}

/* Both stood still, as when a virtual machine is paused: the agent must be heard before it is judged. But only once. */
static void test_guard_and_agent_stopped(void **state)
{
    struct world *world = *state;
    struct guard *guard = start_here(world);
    pid_t pid = guard_pid(guard);
    nsec_t start_ns;

    claim_and_hold(world, guard, 2);
    beat(guard);
    stop(pid);
    sleep_ms(2 * GUARD_PATIENCE_MS);
    kill(pid, SIGCONT);
    sleep_ms(GUARD_PATIENCE_MS / 4);
    assert_int_equal(n_marked(), 2);
    beat_for(guard, 2 * GUARD_PATIENCE_MS);
    assert_int_equal(n_marked(), 2);

    stop(pid);
    sleep_ms(2 * GUARD_PATIENCE_MS);
    kill(pid, SIGCONT);
    start_ns = clock_ns();
    assert_true(await_marked(0, start_ns) >= GUARD_PATIENCE_MS);
    await_said(world, "the agent hung: 2 addresses released");
    assert_int_equal(guard_news(guard), 2);
    guard_dismiss(guard);
    await_exit(pid);
}

static void test_many_notes(void **state)
{
    struct world *world = *state;
    struct guard *guard = start_here(world);
    pid_t pid = guard_pid(guard);
    int rest;

    stop(pid);
    for (int i = 0; i < MANY; i++) {
        struct guard_held held = numbered(world, i);

        assert_int_equal(guard_hold(guard, &held), 0);
    }
    /* Nobody reads: the rest stays, and does not grow by what is told again. */
    rest = guard_flush(guard);
    assert_in_range(rest, 1, MANY);
    assert_int_equal(guard_take_charge(guard), -EBUSY);
    for (int i = 0; i < 10; i++) {
        struct guard_held held = numbered(world, MANY - 1);

        assert_int_equal(guard_drop(guard, &held), 0);
        assert_int_equal(guard_hold(guard, &held), 0);
        beat(guard);
    }
    assert_true(guard_flush(guard) <= rest + 1);
    kill(pid, SIGCONT);
    flush_whole(guard);
    assert_int_equal(guard_take_charge(guard), 0);

    /* Of all these a few are there. */
    for (int i = 0; i < REAL; i++) {
        struct guard_held held = numbered(world, i * (MANY / REAL));

        claim(world, &held, 1);
    }
    beat(guard);
    guard_abandon(guard);
    await_exit(pid);
    assert_int_equal(n_marked(), 0);
    assert_true(was_said(world, "200 addresses released"));
}

/* A socket that hears of addresses that go. */
static int open_monitor(void)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_IFADDR};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), size = 1 << 22;

    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* The next address that goes. */
static struct ip_address await_removal(int monitor)
{
    union {
        struct nlmsghdr header;
        char bytes[8192];
    } buffer;

    for (;;) {
        ssize_t length;

        assert_true(becomes_readable(monitor, PATIENCE_MS));
        length = recv(monitor, &buffer, sizeof buffer, 0);
        assert_true(length >= (ssize_t)sizeof buffer.header);
        if (buffer.header.nlmsg_type == RTM_DELADDR) {
            /* IFA_ADDRESS comes first. */
            const struct rtattr *attribute = IFA_RTA(NLMSG_DATA(&buffer.header));

            assert_int_equal(attribute->rta_type, IFA_ADDRESS);
            return ip_address_of(AF_INET, RTA_DATA(attribute));
        }
    }
}

static void test_the_newest_goes_first(void **state)
{
    struct world *world = *state;
    struct guard *guard = start_here(world);
    pid_t pid = guard_pid(guard);
    int monitor;

    claim_and_hold(world, guard, REAL);
    monitor = open_monitor();
    guard_abandon(guard);
    for (int i = REAL - 1; i >= 0; i--) {
        struct guard_held expected = numbered(world, i);
        struct ip_address removed = await_removal(monitor);

        assert_true(ip_address_equal(&removed, &expected.ip));
    }
    close(monitor);
    await_exit(pid);
}

/* The agent comes back while the guard removes: what is left stays. Most of it is not there, and only takes time. */
static void test_a_beat_ends_the_removal(void **state)
{
    struct world *world = *state;
    struct guard *guard = start_here(world);
    struct guard_held real[] = {held_of(world, "192.0.2.10", 32), held_of(world, "192.0.2.11", 32)};
    pid_t pid = guard_pid(guard);
    int monitor;

    claim(world, real, 2);
    monitor = open_monitor();
    assert_int_equal(guard_hold(guard, &real[0]), 0);
    for (int i = 0; i < PLENTY; i++) {
        struct guard_held held = numbered(world, i);

        assert_int_equal(guard_hold(guard, &held), 0);
        if (i % 1000 == 0)
            beat(guard);
    }
    assert_int_equal(guard_hold(guard, &real[1]), 0);
    flush_whole(guard);
    await_removal(monitor);
    beat_for(guard, 4 * GUARD_PATIENCE_MS);
    assert_true(on_nic("192.0.2.10/32"));
    assert_int_equal(guard_news(guard), 1);
    assert_true(was_said(world, "the agent hung: 1 address released"));
    close(monitor);
    guard_dismiss(guard);
    await_exit(pid);
}

/* Packets as only a broken agent sends them. Each would make the guard hold `held`, were it believed. */
static void send_nonsense(const struct guard *guard, const struct guard_held *held)
{
    struct {
        struct message_order order;
        struct note beyond;
    } packet;
    struct message_order *order = &packet.order;
    size_t whole = MESSAGE_ORDER_BYTES(1);

    memset(&packet, 0, sizeof packet);
    order->n = 1;
    order->notes[0].held.ifindex = held->ifindex;
    order->notes[0].held.ip = held->ip;
    order->notes[0].held.prefix = held->prefix;
    order->notes[0].holds = true;
    for (uint32_t kind = MESSAGE_DISMISS + 1; kind < MESSAGE_DISMISS + 4; kind++) {
        order->kind = kind;
        assert_int_equal(send(guard_fd(guard), order, whole, MSG_NOSIGNAL), whole);
    }
    order->kind = MESSAGE_NOTES;
    for (size_t length = 1; length < whole; length += 3)
        assert_int_equal(send(guard_fd(guard), order, length, MSG_NOSIGNAL), length);
    assert_int_equal(send(guard_fd(guard), order, whole + 1, MSG_NOSIGNAL), whole + 1);
    order->n = MESSAGE_NOTES_MAX + 1;
    assert_int_equal(send(guard_fd(guard), &packet, MESSAGE_ORDER_BYTES(order->n), MSG_NOSIGNAL),
                     MESSAGE_ORDER_BYTES(order->n));
}

static void test_nonsense_is_passed_over(void **state)
{
    struct world *world = *state;
    struct guard *guard = start_here(world);
    struct guard_held untold = held_of(world, "192.0.2.20", 32);
    struct guard_held wrong[] = {held_of(world, "192.0.2.10", 32), held_of(world, "192.0.2.10", 33), {.ifindex = 1}};
    pid_t pid = guard_pid(guard);

    claim(world, &untold, 1);
    send_nonsense(guard, &untold);
    wrong[0].ifindex = 0;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(guard_hold(guard, &wrong[i]), 0);
    claim_and_hold(world, guard, 2);
    guard_abandon(guard);
    await_exit(pid);
    assert_true(on_nic("192.0.2.20/32"));
    assert_int_equal(n_marked(), 1);
    assert_true(was_said(world, "2 addresses released"));
    assert_false(was_said(world, "could not be"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_guard_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_guard_stopped_while_beats_queue, setup, teardown),
        cmocka_unit_test_setup_teardown(test_guard_and_agent_stopped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_notes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_newest_goes_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_beat_ends_the_removal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nonsense_is_passed_over, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
