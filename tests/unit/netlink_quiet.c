/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/netlink_quiet_world.h"

#define MANY 10000

static bool has_table(const char *family)
{
    char wanted[64];

    snprintf(wanted, sizeof wanted, "table %s standin-", family);
    return output_has("nft list tables", wanted);
}

static void test_only_the_probes_of_the_pair_are_dropped(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *held, *beside, *sender;
    } families[] = {{HELD_V4, BESIDE_V4, "192.0.2.99"}, {HELD_V6, BESIDE_V6, "2001:db8::99"}};

    for (size_t i = 0; i < 2; i++) {
        assert_true(answers_probe(world, SOURCE, families[i].held));
        add(world->quiet, families[i].held, SOURCE);
        /* Queued is not done. */
        assert_true(answers_probe(world, SOURCE, families[i].held));
        flush(world->quiet);
        assert_false(answers_probe(world, SOURCE, families[i].held));
        assert_true(answers_probe(world, OTHER, families[i].held));
        assert_true(answers_probe(world, SOURCE, families[i].beside));
        assert_true(answers(world, SOURCE, families[i].sender, families[i].held));
        take_off(world->quiet, families[i].held, SOURCE);
        flush(world->quiet);
        assert_true(answers_probe(world, SOURCE, families[i].held));
    }
}

static void test_listeners_hear_what_is_dropped(void **state)
{
    struct world *world = *state;

    add(world->quiet, HELD_V4, SOURCE);
    add(world->quiet, HELD_V6, SOURCE);
    flush(world->quiet);
    assert_false(tap_heard(world, HELD_V4));
    assert_false(answers_probe(world, SOURCE, HELD_V4));
    assert_true(tap_heard(world, HELD_V4));
    assert_false(answers_probe(world, SOURCE, HELD_V6));
    assert_true(tap_heard(world, HELD_V6));
}

static bool arping_finds_it_free(const struct world *world)
{
    char command[128];

    snprintf(command, sizeof command, "nsenter -t %d -n arping -q -D -c 2 -w 2 -I v1 " HELD_V4, (int)world->other);
    return system(command) == 0;
}

static void test_arping_finds_the_address_free(void **state)
{
    struct world *world = *state;

    assert_false(arping_finds_it_free(world));
    add(world->quiet, HELD_V4, SOURCE);
    flush(world->quiet);
    assert_true(arping_finds_it_free(world));
}

/* The peer's kernel takes the address, and its DAD ends. */
static bool kernel_keeps_it(const struct world *world)
{
    char command[128];
    bool kept;

    run("nsenter -t %d -n ip addr add " HELD_V6 "/64 dev v1", (int)world->other);
    snprintf(command, sizeof command, "nsenter -t %d -n ip -o addr show dev v1 to " HELD_V6, (int)world->other);
    for (unsigned i = 0; output_has(command, "tentative") && !output_has(command, "dadfailed"); i++) {
        assert_true(i < PATIENCE_MS / 20);
        usleep(20000);
    }
    kept = !output_has(command, "dadfailed");
    run("nsenter -t %d -n ip addr del " HELD_V6 "/64 dev v1", (int)world->other);
    return kept;
}

static void test_kernel_keeps_its_address(void **state)
{
    struct world *world = *state;

    assert_false(kernel_keeps_it(world));
    add(world->quiet, HELD_V6, SOURCE);
    flush(world->quiet);
    assert_true(kernel_keeps_it(world));
}

static void test_no_table_that_is_not_needed(void **state)
{
    struct world *world = *state;

    add(world->quiet, HELD_V4, SOURCE);
    assert_false(has_table("arp"));
    flush(world->quiet);
    assert_true(has_table("arp"));
    assert_false(has_table("ip6"));
    add(world->quiet, HELD_V6, SOURCE);
    take_off(world->quiet, HELD_V4, SOURCE);
    flush(world->quiet);
    assert_false(has_table("arp"));
    assert_true(has_table("ip6"));
    take_off(world->quiet, HELD_V6, SOURCE);
    flush(world->quiet);
    assert_false(has_table("ip6"));
    add(world->quiet, HELD_V4, SOURCE);
    flush(world->quiet);
    assert_false(answers_probe(world, SOURCE, HELD_V4));
}

static void test_twice_is_once_and_absent_is_no_error(void **state)
{
    struct world *world = *state;
    struct ip_address unset = {0};
    struct mac_address mac = {0};

    take_off(world->quiet, HELD_V4, SOURCE);
    assert_int_equal(quiet_flush(world->quiet), 0);
    add(world->quiet, HELD_V4, SOURCE);
    add(world->quiet, HELD_V4, SOURCE);
    assert_int_equal(flush(world->quiet), 1);
    add(world->quiet, HELD_V4, SOURCE);
    add(world->quiet, HELD_V4, OTHER);
    take_off(world->quiet, HELD_V4, OTHER);
    take_off(world->quiet, BESIDE_V4, SOURCE);
    flush(world->quiet);
    assert_false(answers_probe(world, SOURCE, HELD_V4));
    assert_true(answers_probe(world, OTHER, HELD_V4));
    /* Taken off and added again before a flush: it stays. */
    take_off(world->quiet, HELD_V4, SOURCE);
    add(world->quiet, HELD_V4, SOURCE);
    flush(world->quiet);
    assert_false(answers_probe(world, SOURCE, HELD_V4));
    take_off(world->quiet, HELD_V4, SOURCE);
    take_off(world->quiet, HELD_V4, SOURCE);
    flush(world->quiet);
    assert_true(answers_probe(world, SOURCE, HELD_V4));
    assert_int_equal(quiet_add(world->quiet, &unset, &mac), -EINVAL);
    quiet_remove(world->quiet, &unset, &mac);
}

static void test_close_removes_it(void **state)
{
    struct world *world = *state;

    add(world->quiet, HELD_V4, SOURCE);
    add(world->quiet, HELD_V6, SOURCE);
    add(world->quiet, BESIDE_V6, SOURCE);
    flush(world->quiet);
    assert_false(answers_probe(world, SOURCE, HELD_V6));
    quiet_close(world->quiet);
    world->quiet = NULL;
    assert_true(answers_probe(world, SOURCE, HELD_V4));
    assert_true(answers_probe(world, SOURCE, HELD_V6));
    assert_false(has_table("arp") || has_table("ip6"));
}

/* A process that keeps probes of the pair quiet for as long as it lives. */
static pid_t fork_owner(const char *ip, const char *mac)
{
    struct quiet *quiet;
    int ready[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (quiet_open(&quiet) < 0)
            _exit(1);
        add(quiet, ip, mac);
        if (quiet_flush(quiet) != 0 || write(ready[1], "", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void test_killed_owner_leaves_nothing(void **state)
{
    struct world *world = *state;
    pid_t owner = fork_owner(HELD_V4, SOURCE);

    assert_false(answers_probe(world, SOURCE, HELD_V4));
    kill(owner, SIGKILL);
    waitpid(owner, NULL, 0);
    assert_true(answers_probe(world, SOURCE, HELD_V4));
    assert_false(has_table("arp"));
}

static void test_owners_side_by_side(void **state)
{
    struct world *world = *state;
    pid_t neighbour = fork_owner(HELD_V4, OTHER);
    struct quiet *second;

    assert_int_equal(quiet_open(&second), 0);
    add(world->quiet, HELD_V4, SOURCE);
    flush(world->quiet);
    add(second, HELD_V4, SOURCE);
    add(second, BESIDE_V4, SOURCE);
    flush(second);
    assert_false(answers_probe(world, OTHER, HELD_V4));
    assert_false(answers_probe(world, SOURCE, BESIDE_V4));
    quiet_close(second);
    assert_true(answers_probe(world, SOURCE, BESIDE_V4));
    assert_false(answers_probe(world, SOURCE, HELD_V4));
    kill(neighbour, SIGKILL);
    waitpid(neighbour, NULL, 0);
    assert_true(answers_probe(world, OTHER, HELD_V4));
    assert_false(answers_probe(world, SOURCE, HELD_V4));
}

static void test_nft_shows_it_and_cannot_flush_it(void **state)
{
    struct world *world = *state;

    add(world->quiet, HELD_V4, SOURCE);
    add(world->quiet, HELD_V6, SOURCE);
    flush(world->quiet);
    assert_true(output_has("nft list ruleset", "elements = { " SOURCE " . " HELD_V4 " }"));
    assert_true(output_has("nft list ruleset", "elements = { " SOURCE " . " HELD_V6 " }"));
    assert_true(output_has("nft list ruleset", "arp saddr ether . arp daddr ip @quiet drop"));
    run("nft flush ruleset");
    assert_false(answers_probe(world, SOURCE, HELD_V4));
    assert_false(answers_probe(world, SOURCE, HELD_V6));
}

static void test_refused_once_and_tried_again_with_the_next(void **state)
{
    struct world *world = *state;

    assert_int_equal(seteuid(65534), 0);
    add(world->quiet, HELD_V4, SOURCE);
    add(world->quiet, HELD_V6, SOURCE);
    assert_int_equal(quiet_flush(world->quiet), -EPERM);
    assert_int_equal(quiet_flush(world->quiet), -EPERM);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(quiet_flush(world->quiet), 0);
    assert_true(answers_probe(world, SOURCE, HELD_V4));
    add(world->quiet, BESIDE_V4, SOURCE);
    take_off(world->quiet, HELD_V6, SOURCE);
    assert_int_equal(quiet_flush(world->quiet), 0);
    assert_false(answers_probe(world, SOURCE, HELD_V4));
    assert_false(answers_probe(world, SOURCE, BESIDE_V4));
    assert_true(answers_probe(world, SOURCE, HELD_V6));
}

/* What was in the kernel when one batch was refused is gone with it, and comes back with the next pair. */
static void test_refused_later(void **state)
{
    struct world *world = *state;

    add(world->quiet, HELD_V4, SOURCE);
    add(world->quiet, BESIDE_V4, OTHER);
    flush(world->quiet);
    assert_int_equal(seteuid(65534), 0);
    take_off(world->quiet, BESIDE_V4, OTHER);
    add(world->quiet, BESIDE_V4, SOURCE);
    assert_int_equal(quiet_flush(world->quiet), -EPERM);
    assert_int_equal(seteuid(0), 0);
    assert_true(answers_probe(world, SOURCE, HELD_V4));
    add(world->quiet, HELD_V4, OTHER);
    flush(world->quiet);
    assert_false(answers_probe(world, SOURCE, HELD_V4));
    assert_false(answers_probe(world, SOURCE, BESIDE_V4));
    assert_false(answers_probe(world, OTHER, HELD_V4));
    assert_true(answers_probe(world, OTHER, BESIDE_V4));
}

static void change_many(struct world *world, bool adding, unsigned n)
{
    struct mac_address mac = mac_of(SOURCE);
    struct ip_address ip;
    char text[32];

    for (unsigned i = 0; i < n; i++) {
        snprintf(text, sizeof text, "10.%u.%u.1", i / 200, i % 200);
        ip = ip_of(text);
        if (adding)
            assert_int_equal(quiet_add(world->quiet, &ip, &mac), 0);
        else
            quiet_remove(world->quiet, &ip, &mac);
    }
}

static void test_many(void **state)
{
    struct world *world = *state;
    unsigned batches = MANY / QUIET_BATCH + 1;

    change_many(world, true, MANY);
    add(world->quiet, HELD_V4, SOURCE);
    assert_int_equal(flush(world->quiet), batches);
    assert_false(answers_probe(world, SOURCE, HELD_V4));
    assert_true(output_has("nft list ruleset | grep -o ' " SOURCE " [.] ' | wc -l", "10001"));
    change_many(world, false, MANY);
    assert_int_equal(flush(world->quiet), batches);
    assert_false(answers_probe(world, SOURCE, HELD_V4));
    assert_true(has_table("arp"));
    take_off(world->quiet, HELD_V4, SOURCE);
    flush(world->quiet);
    assert_false(has_table("arp"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_only_the_probes_of_the_pair_are_dropped),
        TEST(test_listeners_hear_what_is_dropped),
        TEST(test_arping_finds_the_address_free),
        TEST(test_kernel_keeps_its_address),
        TEST(test_no_table_that_is_not_needed),
        TEST(test_twice_is_once_and_absent_is_no_error),
        TEST(test_close_removes_it),
        TEST(test_killed_owner_leaves_nothing),
        TEST(test_owners_side_by_side),
        TEST(test_nft_shows_it_and_cannot_flush_it),
        TEST(test_refused_once_and_tried_again_with_the_next),
        TEST(test_refused_later),
        TEST(test_many),
    };

    return cmocka_run_group_tests_name("netlink/quiet", tests, NULL, NULL);
}
