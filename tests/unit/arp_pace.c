/* SPDX-License-Identifier: Apache-2.0 */
/* The announcer's pace: each NIC's by itself, with thousands waiting, and with sends that fail. */
#include "tests/unit/arp_world.h"

/* No tick of any NIC carries more than the burst, all forms of an announcement counted. */
static void assert_pace(const struct world *world, uint32_t nics)
{
    for (uint32_t nic = 0; nic < nics; nic++) {
        nsec_t tick_ns = NSEC_UNSET;
        int frames = 0;

        for (size_t i = 0; i < world->n_sent; i++) {
            if (world->sent[i].id % nics != nic)
                continue;
            if (world->sent[i].at_ns >= tick_ns + ANNOUNCER_TICK_NS) {
                tick_ns = world->sent[i].at_ns;
                frames = 0;
            }
            frames += world->frames;
            assert_true(frames <= ANNOUNCER_BURST || frames == world->frames);
        }
    }
}

static void paces_each_nic(void **state)
{
    static const int frames[] = {1, 2, 3, 7, 100};
    struct world world;

    (void)state;
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        unsigned ticks = 300 / (unsigned)(ANNOUNCER_BURST / frames[i]);

        begin(&world, 600, 2);
        world.frames = frames[i];
        for (uint32_t id = 0; id < 600; id++)
            announcer_start(world.announcer, id, id % 2, world.now_ns);
        run_for(&world, ticks * ANNOUNCER_TICK_NS);
        assert_true(world.n_sent >= 600);
        assert_pace(&world, 2);
        end(&world);
    }
}

/* One announcement that is wider than a tick is still sent, and paid for by the ticks after it. */
static void paces_announcements_wider_than_a_tick(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 3, 1);
    world.frames = ANNOUNCER_BURST * 5 / 2;
    for (uint32_t id = 0; id < 3; id++)
        announcer_start(world.announcer, id, 0, world.now_ns);
    run_for(&world, 20 * ANNOUNCER_TICK_NS);
    assert_int_equal(world.n_sent, 3);
    assert_int_equal(world.sent[1].at_ns - world.sent[0].at_ns, 3 * ANNOUNCER_TICK_NS);
    assert_int_equal(world.sent[2].at_ns - world.sent[1].at_ns, 3 * ANNOUNCER_TICK_NS);
    end(&world);
}

static void a_full_nic_holds_nobody_up(void **state)
{
    struct world world;
    size_t at = 0;

    (void)state;
    begin(&world, 2001, 2);
    for (uint32_t id = 0; id < 2000; id++)
        announcer_start(world.announcer, id, 0, world.now_ns);
    announcer_start(world.announcer, 2000, 1, world.now_ns);
    announcer_run(world.announcer, world.now_ns);
    assert_int_equal(world.n_sent, ANNOUNCER_BURST + 1);
    while (world.sent[at].id != 2000)
        at++;
    assert_int_equal(world.sent[at].at_ns, START_NS);
    /* Nor does it make the loop spin: its turn is at its next tick. */
    assert_int_equal(announcer_deadline(world.announcer), START_NS + ANNOUNCER_TICK_NS);
    announcer_run(world.announcer, world.now_ns);
    assert_int_equal(world.n_sent, ANNOUNCER_BURST + 1);
    end(&world);
}

static void first_copies_come_before_all_others(void **state)
{
    struct world world;
    unsigned highest = 0;

    (void)state;
    begin(&world, 20000, 1);
    for (uint32_t id = 0; id < 15000; id++)
        announcer_start(world.announcer, id, 0, world.now_ns);
    run_for(&world, 800 * NSEC_PER_MSEC);
    assert_true(world.n_sent > 15000);
    for (size_t i = 0; i < world.n_sent; i++) {
        assert_true(world.sent[i].copy >= highest);
        highest = world.sent[i].copy;
        if (highest == 0)
            assert_int_equal(world.sent[i].id, i);
    }
    assert_int_equal(highest, 1);
    /* A claim made while thousands are announced again does not wait for them. */
    world.n_sent = 0;
    for (uint32_t id = 0; id < 15000; id++)
        announcer_start(world.announcer, id, 0, world.now_ns);
    run_for(&world, 200 * NSEC_PER_MSEC);
    world.n_sent = 0;
    announcer_start(world.announcer, 19999, 0, world.now_ns);
    run_for(&world, ANNOUNCER_TICK_NS);
    assert_int_equal(world.n_sent, ANNOUNCER_BURST);
    assert_int_equal(world.sent[0].id, 19999);
    assert_int_equal(world.sent[1].copy, 1);
    end(&world);
}

static int refuse_for_a_while(const struct world *world, uint32_t id)
{
    (void)id;
    return world->now_ns < START_NS + 10 * NSEC_PER_MSEC ? -ENOBUFS : 1;
}

static void tries_again_after_a_tick(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 50, 1);
    world.answer = refuse_for_a_while;
    for (uint32_t id = 0; id < 50; id++)
        announcer_start(world.announcer, id, 0, world.now_ns);
    run_for(&world, 9 * NSEC_PER_MSEC);
    /* One try a tick, however many wait: a NIC that refuses costs next to nothing. */
    assert_int_equal(world.n_refused, 10);
    assert_int_equal(world.n_sent, 0);
    run_for(&world, 11 * NSEC_PER_MSEC);
    assert_int_equal(world.n_sent, 50);
    for (uint32_t id = 0; id < 50; id++)
        assert_int_equal(announcer_copies(world.announcer, id), 1);
    run_for(&world, 100 * NSEC_PER_MSEC);
    assert_int_equal(world.n_sent, 100);
    end(&world);
}

static int refuse_first_ids(const struct world *world, uint32_t id)
{
    (void)world;
    return id < 3 ? -EINVAL : 1;
}

/* Entries that can never be sent neither stop the others of their NIC nor those of another. */
static void refused_entries_starve_nobody(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 1000, 2);
    world.answer = refuse_first_ids;
    for (uint32_t id = 0; id < 1000; id++)
        announcer_start(world.announcer, id, id % 2, world.now_ns);
    run_for(&world, 90 * NSEC_PER_MSEC);
    assert_int_equal(world.n_sent, 997);
    run_for(&world, 110 * NSEC_PER_MSEC);
    assert_int_equal(world.n_sent, 2 * 997);
    assert_int_equal(announcer_copies(world.announcer, 0), 0);
    /* Confirmed while it is tried again: still tried. */
    announcer_confirmed(world.announcer, 0);
    world.answer = NULL;
    run_for(&world, 2 * NSEC_PER_MSEC);
    assert_int_equal(announcer_copies(world.announcer, 0), 1);
    assert_int_equal(announcer_copies(world.announcer, 2), 1);
    end(&world);
}

static int refuse_nic_0(const struct world *world, uint32_t id)
{
    (void)world;
    return id % 2 == 0 ? -ENETDOWN : 2;
}

static void a_dead_nic_holds_nobody_up(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 400, 2);
    world.answer = refuse_nic_0;
    for (uint32_t id = 0; id < 400; id++)
        announcer_start(world.announcer, id, id % 2, world.now_ns);
    run_for(&world, 10 * NSEC_PER_MSEC);
    assert_int_equal(world.n_sent, 200);
    assert_int_equal(world.n_refused, 11);
    assert_int_equal(world.sent[199].at_ns - START_NS, 3 * ANNOUNCER_TICK_NS);
    end(&world);
}

/* The work grows as the number of announcements does: runs are counted, not time. */
static void announces_ten_thousand(void **state)
{
    const uint32_t count = 10000;
    struct world world;
    unsigned runs;

    (void)state;
    begin(&world, count, 1);
    world.frames = 2;
    for (uint32_t id = 0; id < count; id++)
        announcer_start(world.announcer, id, 0, world.now_ns);
    run_for(&world, 199 * NSEC_PER_MSEC);
    runs = world.runs;
    run_for(&world, 40 * NSEC_PER_SEC);
    assert_int_equal(world.n_sent, 8 * count);
    for (uint32_t id = 0; id < count; id++)
        assert_int_equal(announcer_copies(world.announcer, id), 8);
    assert_pace(&world, 1);
    /* 200 ticks for the first copies, and no more for each of the other seven. */
    assert_true(runs <= 200);
    assert_true(world.runs <= 8 * 200 + 8);
    end(&world);
}

/* Nothing is announced again while first copies are still to come: not on that NIC, and not for ever. */
static void waits_for_first_copies(void **state)
{
    nsec_t again_ns = START_NS + 100 * NSEC_PER_MSEC, until_ns = START_NS + 400 * NSEC_PER_MSEC;
    struct world world;

    (void)state;
    begin(&world, 4, 2);
    announcer_start(world.announcer, 0, 0, world.now_ns);
    announcer_start(world.announcer, 1, 1, world.now_ns);
    announcer_hold_back(world.announcer, 0, until_ns);
    run_until(&world, again_ns + 50 * NSEC_PER_MSEC);
    assert_int_equal(announcer_copies(world.announcer, 0), 1);
    assert_int_equal(announcer_copies(world.announcer, 1), 2);
    /* The loop sleeps until something is to be sent. */
    assert_int_equal(announcer_deadline(world.announcer), until_ns);
    announcer_start(world.announcer, 2, 0, world.now_ns);
    assert_int_equal(announcer_deadline(world.announcer), world.now_ns);
    run_until(&world, until_ns - 1);
    assert_int_equal(announcer_copies(world.announcer, 0), 1);
    assert_int_equal(announcer_copies(world.announcer, 2), 1);
    run_until(&world, until_ns);
    assert_int_equal(announcer_copies(world.announcer, 0), 2);
    assert_int_equal(announcer_copies(world.announcer, 2), 2);
    end(&world);
}

/* Once all have come, what waited goes at once, in its turn. */
static void waits_no_longer_than_it_must(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 2, 1);
    announcer_start(world.announcer, 0, 0, world.now_ns);
    announcer_hold_back(world.announcer, 0, START_NS + NSEC_PER_SEC);
    run_until(&world, START_NS + 150 * NSEC_PER_MSEC);
    announcer_start(world.announcer, 1, 0, world.now_ns);
    announcer_hold_back(world.announcer, 0, NSEC_UNSET);
    announcer_run(world.announcer, world.now_ns);
    assert_int_equal(world.n_sent, 3);
    assert_int_equal(world.sent[1].id, 1);
    assert_int_equal(world.sent[2].id, 0);
    assert_int_equal(world.sent[2].copy, 1);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paces_each_nic),
        cmocka_unit_test(paces_announcements_wider_than_a_tick),
        cmocka_unit_test(a_full_nic_holds_nobody_up),
        cmocka_unit_test(first_copies_come_before_all_others),
        cmocka_unit_test(tries_again_after_a_tick),
        cmocka_unit_test(refused_entries_starve_nobody),
        cmocka_unit_test(a_dead_nic_holds_nobody_up),
        cmocka_unit_test(announces_ten_thousand),
        cmocka_unit_test(waits_for_first_copies),
        cmocka_unit_test(waits_no_longer_than_it_must),
    };

    return cmocka_run_group_tests_name("arp_pace", tests, NULL, NULL);
}
