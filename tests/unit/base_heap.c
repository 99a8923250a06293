/* SPDX-License-Identifier: Apache-2.0 */
/* The heap of deadlines, against a plain array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "agent/base/heap.h"

#define CAPACITY 64

static struct heap_entry entries[CAPACITY];
static uint32_t positions[CAPACITY];
static struct heap heap;

static int set_up(void **state)
{
    (void)state;
    for (int i = 0; i < CAPACITY; i++)
        positions[i] = 0;
    heap_init(&heap, entries, positions, CAPACITY);
    return 0;
}

static void empty(void **state)
{
    uint32_t id = 7;

    (void)state;
    assert_int_equal(heap_first(&heap, &id), NSEC_NEVER);
    assert_int_equal(id, 7);
    assert_int_equal(heap_due(&heap, 3), NSEC_NEVER);
    heap_set(&heap, 3, NSEC_NEVER);
    assert_int_equal(heap.count, 0);
}

static void earliest_first(void **state)
{
    static const nsec_t due_ns[] = {50, 10, 40, 20, 30, 60, 5};
    uint32_t id;

    (void)state;
    for (uint32_t i = 0; i < 7; i++)
        heap_set(&heap, i, due_ns[i]);
    for (nsec_t last_ns = 0; heap.count > 0; heap_set(&heap, id, NSEC_NEVER)) {
        assert_true(heap_first(&heap, &id) > last_ns);
        last_ns = heap_first(&heap, NULL);
        assert_int_equal(last_ns, due_ns[id]);
    }
}

static void moved_both_ways(void **state)
{
    uint32_t id;

    (void)state;
    for (uint32_t i = 0; i < 10; i++)
        heap_set(&heap, i, 100 + i);
    heap_set(&heap, 9, 1);
    assert_int_equal(heap_first(&heap, &id), 1);
    assert_int_equal(id, 9);
    heap_set(&heap, 9, 1000);
    assert_int_equal(heap_first(&heap, &id), 100);
    assert_int_equal(id, 0);
    assert_int_equal(heap_due(&heap, 9), 1000);
    assert_int_equal(heap.count, 10);
}

static void at_random(void **state)
{
    const char *given = getenv("SEED");
    unsigned seed = given && *given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);
    nsec_t model_ns[CAPACITY];

    (void)state;
    printf("# SEED=%u\n", seed);
    srandom(seed);
    for (int i = 0; i < CAPACITY; i++)
        model_ns[i] = NSEC_NEVER;
    for (int step = 0; step < 20000; step++) {
        uint32_t id = (uint32_t)random() % CAPACITY, first;
        nsec_t least_ns = NSEC_NEVER;

        model_ns[id] = random() % 3 ? random() % 100 : NSEC_NEVER;
        heap_set(&heap, id, model_ns[id]);
        for (uint32_t i = 0; i < CAPACITY; i++) {
            assert_int_equal(heap_due(&heap, i), model_ns[i]);
            least_ns = model_ns[i] < least_ns ? model_ns[i] : least_ns;
        }
        assert_int_equal(heap_first(&heap, &first), least_ns);
        if (least_ns != NSEC_NEVER)
            assert_int_equal(model_ns[first], least_ns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(empty, set_up),
        cmocka_unit_test_setup(earliest_first, set_up),
        cmocka_unit_test_setup(moved_both_ways, set_up),
        cmocka_unit_test_setup(at_random, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
