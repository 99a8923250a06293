/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/limits.h"
#include "agent/guard/notes.h"

#define KINDS 300
#define ROUNDS 20000

static struct guard_held numbered(uint32_t number)
{
    uint8_t bytes[4] = {10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};

    return (struct guard_held){.ifindex = 2, .ip = ip_address_of(AF_INET, bytes), .prefix = 32};
}

/* The same notes in an array, in order: slow, and plainly right. */
struct model {
    struct note notes[KINDS];
    size_t n;
};

static void model_take(struct model *model, const struct guard_held *held)
{
    for (size_t i = 0; i < model->n; i++) {
        if (!ip_address_equal(&model->notes[i].held.ip, &held->ip))
            continue;
        memmove(&model->notes[i], &model->notes[i + 1], (model->n - i - 1) * sizeof *model->notes);
        model->n--;
        return;
    }
}

static void model_put(struct model *model, const struct guard_held *held, bool holds)
{
    model_take(model, held);
    model->notes[model->n++] = (struct note){.held = *held, .holds = holds};
}

static void assert_alike(const struct notes *notes, const struct model *model)
{
    const struct note *note = notes_oldest(notes);

    assert_int_equal(notes->n, model->n);
    for (size_t i = 0; i < model->n; i++, note = notes_after(notes, note)) {
        assert_non_null(note);
        assert_true(ip_address_equal(&note->held.ip, &model->notes[i].held.ip));
        assert_int_equal(note->holds, model->notes[i].holds);
    }
    assert_null(note);
    note = notes_newest(notes);
    for (size_t i = model->n; i > 0; i--, note = notes_before(notes, note))
        assert_true(ip_address_equal(&note->held.ip, &model->notes[i - 1].held.ip));
    assert_null(note);
}

static void test_notes_are_kept_in_order(void **state)
{
    struct notes notes = {};
    struct model model = {};
    uint64_t random = 1;

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct guard_held held;
        bool holds, take;

        random = random * 6364136223846793005 + 1442695040888963407;
        held = numbered((uint32_t)(random >> 40) % KINDS);
        holds = random >> 63;
        take = (random >> 33) % 3 == 0;
        if (take) {
            notes_take(&notes, &held);
            model_take(&model, &held);
        } else {
            assert_int_equal(notes_put(&notes, &held, holds), 0);
            model_put(&model, &held, holds);
        }
        if (i % 100 == 0)
            assert_alike(&notes, &model);
    }
    assert_alike(&notes, &model);
    notes_free(&notes);
}

static void test_nic_and_prefix_tell_addresses_apart(void **state)
{
    struct guard_held held = numbered(1), other_nic = held, other_prefix = held;
    struct notes notes = {};

    (void)state;
    other_nic.ifindex = 3;
    other_prefix.prefix = 24;
    assert_int_equal(notes_put(&notes, &held, true), 0);
    assert_int_equal(notes_put(&notes, &other_nic, true), 0);
    assert_int_equal(notes_put(&notes, &other_prefix, true), 0);
    assert_int_equal(notes.n, 3);
    notes_take(&notes, &held);
    assert_int_equal(notes.n, 2);
    assert_int_equal(notes_oldest(&notes)->held.ifindex, 3);
    assert_int_equal(notes_newest(&notes)->held.prefix, 24);
    notes_free(&notes);
}

static void test_an_empty_one_has_nothing(void **state)
{
    struct guard_held held = numbered(1);
    struct notes notes = {};

    (void)state;
    assert_null(notes_oldest(&notes));
    assert_null(notes_newest(&notes));
    notes_take(&notes, &held);
    assert_int_equal(notes.n, 0);
    notes_free(&notes);
}

static void test_the_number_of_notes_is_limited(void **state)
{
    struct guard_held held;
    struct notes notes = {};

    (void)state;
    for (uint32_t i = 0; i < LIMIT_ADDRESSES; i++) {
        held = numbered(i);
        assert_int_equal(notes_put(&notes, &held, true), 0);
    }
    held = numbered(LIMIT_ADDRESSES);
    assert_int_equal(notes_put(&notes, &held, true), -ENOMEM);
    assert_int_equal(notes.n, LIMIT_ADDRESSES);
    /* What is there already may still change, and what goes makes room. */
    held = numbered(7);
    assert_int_equal(notes_put(&notes, &held, false), 0);
    notes_take(&notes, &held);
    held = numbered(LIMIT_ADDRESSES);
    assert_int_equal(notes_put(&notes, &held, true), 0);
    notes_free(&notes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notes_are_kept_in_order),
        cmocka_unit_test(test_nic_and_prefix_tell_addresses_apart),
        cmocka_unit_test(test_an_empty_one_has_nothing),
        cmocka_unit_test(test_the_number_of_notes_is_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
