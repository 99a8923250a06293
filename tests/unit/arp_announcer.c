/* SPDX-License-Identifier: Apache-2.0 */
/* The announcer's plan: what is announced when, started, confirmed, stopped and begun anew in any order. */
#include "tests/unit/arp_world.h"

/* The times at which `id` was announced, in ms since the start, are those given, -1 at the end. */
static void assert_times_ms(const struct world *world, uint32_t id, const int *expected_ms)
{
    unsigned copy = 0;

    for (size_t i = 0; i < world->n_sent; i++) {
        if (world->sent[i].id != id)
            continue;
        assert_int_equal(world->sent[i].copy, copy++);
        assert_int_equal(world->sent[i].at_ns - START_NS, *expected_ms * NSEC_PER_MSEC);
        expected_ms++;
    }
    assert_int_equal(*expected_ms, -1);
    assert_int_equal(announcer_copies(world->announcer, id), copy);
}

#define PLAN_MS(...) ((const int[]){__VA_ARGS__, -1})

static void does_nothing_unasked(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 4, 2);
    assert_true(announcer_deadline(world.announcer) == NSEC_NEVER);
    announcer_run(world.announcer, world.now_ns);
    announcer_stop(world.announcer, 3);
    announcer_confirmed(world.announcer, 3);
    assert_true(announcer_deadline(world.announcer) == NSEC_NEVER);
    assert_int_equal(world.n_sent, 0);
    end(&world);
    announcer_free(NULL);
}

static void follows_the_plan_unconfirmed(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 1, 1);
    announcer_start(world.announcer, 0, 0, world.now_ns);
    assert_int_equal(announcer_deadline(world.announcer), world.now_ns);
    run_for(&world, 200 * NSEC_PER_SEC);
    assert_times_ms(&world, 0, PLAN_MS(0, 100, 1100, 2200, 4400, 8800, 17600, 35200, 95200, 155200));
    end(&world);
}

static void leaves_out_the_falling_rate_when_confirmed(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 3, 1);
    for (uint32_t id = 0; id < 3; id++)
        announcer_start(world.announcer, id, 0, world.now_ns);
    run_for(&world, NSEC_PER_MSEC);
    announcer_confirmed(world.announcer, 0);
    run_until(&world, START_NS + 3 * NSEC_PER_SEC);
    /* Confirmed while it waits for a step of the falling rate, and once more: no difference. */
    announcer_confirmed(world.announcer, 1);
    announcer_confirmed(world.announcer, 1);
    run_until(&world, START_NS + 10 * NSEC_PER_SEC);
    announcer_confirmed(world.announcer, 2);
    run_until(&world, START_NS + 130 * NSEC_PER_SEC);
    assert_times_ms(&world, 0, PLAN_MS(0, 100, 1100, 2200, 62200, 122200));
    assert_times_ms(&world, 1, PLAN_MS(0, 100, 1100, 2200, 62200, 122200));
    assert_times_ms(&world, 2, PLAN_MS(0, 100, 1100, 2200, 4400, 8800, 68800, 128800));
    end(&world);
}

/* Confirmed before the first copy left, or while a copy is due: that copy is not lost. */
static void confirming_loses_no_copy_that_is_due(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 1, 1);
    announcer_start(world.announcer, 0, 0, world.now_ns);
    announcer_confirmed(world.announcer, 0);
    run_for(&world, 100 * NSEC_PER_SEC);
    assert_times_ms(&world, 0, PLAN_MS(0, 100, 1100, 2200, 62200));
    end(&world);
}

static void stops(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 400, 1);
    for (uint32_t id = 0; id < 400; id++)
        announcer_start(world.announcer, id, 0, world.now_ns);
    /* From the middle, the ends and the whole of a queue; and from the heap. */
    announcer_stop(world.announcer, 0);
    announcer_stop(world.announcer, 200);
    announcer_stop(world.announcer, 201);
    announcer_stop(world.announcer, 399);
    run_for(&world, 50 * NSEC_PER_MSEC);
    assert_int_equal(world.n_sent, 396);
    for (uint32_t id = 1; id < 399; id += 2)
        announcer_stop(world.announcer, id);
    run_for(&world, 100 * NSEC_PER_MSEC);
    assert_int_equal(world.n_sent, 396 + 198);
    for (uint32_t id = 0; id < 400; id++)
        announcer_stop(world.announcer, id);
    assert_true(announcer_deadline(world.announcer) == NSEC_NEVER);
    run_for(&world, 100 * NSEC_PER_SEC);
    assert_int_equal(world.n_sent, 396 + 198);
    /* A queue emptied by stopping leaves nothing to wake for. */
    announcer_start(world.announcer, 7, 0, world.now_ns);
    announcer_stop(world.announcer, 7);
    assert_true(announcer_deadline(world.announcer) == NSEC_NEVER);
    end(&world);
}

static void begins_anew(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 1, 2);
    announcer_start(world.announcer, 0, 0, world.now_ns);
    announcer_start(world.announcer, 0, 0, world.now_ns);
    run_for(&world, 50 * NSEC_PER_MSEC);
    assert_int_equal(world.n_sent, 1);
    announcer_confirmed(world.announcer, 0);
    /* On another NIC, and unconfirmed again. */
    announcer_start(world.announcer, 0, 1, world.now_ns);
    assert_int_equal(announcer_copies(world.announcer, 0), 0);
    run_for(&world, 5 * NSEC_PER_SEC);
    assert_int_equal(announcer_copies(world.announcer, 0), 5);
    assert_int_equal(world.sent[1].copy, 0);
    assert_int_equal(world.sent[5].at_ns - START_NS, 4450 * NSEC_PER_MSEC);
    announcer_stop(world.announcer, 0);
    announcer_start(world.announcer, 0, 1, world.now_ns);
    run_for(&world, NSEC_PER_MSEC);
    assert_int_equal(world.sent[6].copy, 0);
    end(&world);
}

/* Copies that left late keep their distance, or receivers would ignore them within their lock time. */
static void late_copies_keep_their_distance(void **state)
{
    struct world world;
    nsec_t first_ns = 0;

    (void)state;
    begin(&world, 1, 1);
    announcer_start(world.announcer, 0, 0, world.now_ns);
    world.now_ns += 700 * NSEC_PER_MSEC;
    run_for(&world, 10 * NSEC_PER_SEC);
    first_ns = world.sent[0].at_ns - START_NS;
    assert_int_equal(first_ns, 700 * NSEC_PER_MSEC);
    assert_int_equal(world.sent[2].at_ns - world.sent[1].at_ns, NSEC_PER_SEC);
    end(&world);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static int refuse_now_and_then(const struct world *world, uint32_t id)
{
    return (id + (uint32_t)(world->now_ns / NSEC_PER_MSEC)) % 7 == 0 ? -ENOBUFS : 1;
}

/* Many starts, stops, confirmations and refusals in an order that a printed seed repeats: each announcement keeps its
 * entry's plan, and nothing runs that was stopped. */
static void keeps_order_in_any_sequence(void **state)
{
    enum { IDS = 64, STEPS = 20000 };
    uint32_t seed = 20240611;
    nsec_t newest_ns[IDS] = {0};
    bool active[IDS] = {false};
    struct world world;

    (void)state;
    print_message("seed %u\n", seed);
    begin(&world, IDS, 3);
    world.answer = refuse_now_and_then;
    for (int step = 0; step < STEPS; step++) {
        uint32_t id = next_random(&seed) % IDS, what = next_random(&seed) % 8;

        if (what == 0) {
            announcer_start(world.announcer, id, next_random(&seed) % 3, world.now_ns);
            active[id] = true;
            newest_ns[id] = NSEC_UNSET;
        } else if (what == 1) {
            announcer_stop(world.announcer, id);
            active[id] = false;
        } else if (what == 2) {
            announcer_confirmed(world.announcer, id);
        }
        world.n_sent = 0;
        run_for(&world, (nsec_t)(next_random(&seed) % 300) * NSEC_PER_MSEC);
        for (size_t i = 0; i < world.n_sent; i++) {
            const struct sent *sent = &world.sent[i];

            assert_true(active[sent->id]);
            assert_int_equal(sent->copy == 0, newest_ns[sent->id] == NSEC_UNSET);
            if (sent->copy > 0)
                assert_true(sent->at_ns - newest_ns[sent->id] >= 100 * NSEC_PER_MSEC);
            newest_ns[sent->id] = sent->at_ns;
        }
    }
    end(&world);
}

/* One announcer after another takes it up, under other numbers, at any moment: nobody on the LAN sees a difference. */
static void is_carried_unseen(void **state)
{
    uint32_t seed = 1;

    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        struct world plain, carried;
        uint32_t shift = 0;

        begin(&plain, 300, 2);
        begin(&carried, 300, 2);
        for (uint32_t id = 0; id < 300; id++) {
            announcer_start(plain.announcer, id, id % 2, plain.now_ns);
            announcer_start(carried.announcer, id, id % 2, carried.now_ns);
        }
        while (plain.now_ns < START_NS + 100 * NSEC_PER_SEC) {
            nsec_t until_ns = plain.now_ns + (nsec_t)(next_random(&seed) % (plain.now_ns < START_NS + 5 * NSEC_PER_MSEC
                                                                                ? NSEC_PER_MSEC
                                                                                : 5 * NSEC_PER_SEC));
            struct announcer *before = carried.announcer;
            uint32_t confirmed = (uint32_t)next_random(&seed) % 300;

            run_until(&plain, until_ns);
            run_until(&carried, until_ns);
            announcer_confirmed(plain.announcer, confirmed);
            announcer_confirmed(before, (confirmed + shift) % 300);
            /* The shift is even, so that the NICs keep their numbers. */
            assert_int_equal(announcer_new(&carried.announcer, 300, 2, record, &carried), 0);
            for (uint32_t id = 0; id < 300; id++)
                announcer_carry(carried.announcer, (id + 2) % 300, id % 2, before, id);
            announcer_free(before);
            shift += 2;
        }
        assert_int_equal(plain.n_sent, carried.n_sent);
        for (size_t i = 0; i < plain.n_sent; i++) {
            assert_int_equal(plain.sent[i].at_ns, carried.sent[i].at_ns);
            assert_int_equal(plain.sent[i].copy, carried.sent[i].copy);
        }
        end(&plain);
        end(&carried);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(does_nothing_unasked),
        cmocka_unit_test(follows_the_plan_unconfirmed),
        cmocka_unit_test(leaves_out_the_falling_rate_when_confirmed),
        cmocka_unit_test(confirming_loses_no_copy_that_is_due),
        cmocka_unit_test(stops),
        cmocka_unit_test(begins_anew),
        cmocka_unit_test(late_copies_keep_their_distance),
        cmocka_unit_test(keeps_order_in_any_sequence),
        cmocka_unit_test(is_carried_unseen),
    };

    return cmocka_run_group_tests_name("arp_announcer", tests, NULL, NULL);
}
