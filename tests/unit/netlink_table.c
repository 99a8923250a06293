/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "netlink/table.h"

#define MANY 5000

/* What table_drop_... told. */
struct told {
    unsigned n;
    struct link_address newest;
};

static void on_gone(void *userdata, const struct link_address *address)
{
    struct told *told = userdata;

    told->n++;
    told->newest = *address;
}

static int setup(void **state)
{
    struct table *table = malloc(sizeof *table);

    table_init(table, 12345);
    *state = table;
    return 0;
}

static int teardown(void **state)
{
    table_clear(*state);
    free(*state);
    return 0;
}

static struct link_info nic_of(int ifindex, const char *name)
{
    struct link_info info = {.ifindex = ifindex, .up = true, .ethernet = true};

    snprintf(info.name, sizeof info.name, "%s", name);
    return info;
}

static int put_nic(struct table *table, int ifindex, const char *name)
{
    struct link_info info = nic_of(ifindex, name);

    return table_put_nic(table, &info, NIC_PLAIN, 0, 0);
}

static struct link_address address_of(int ifindex, uint32_t number)
{
    struct link_address address = {.ifindex = ifindex, .prefix = 32};

    address.ip = ip_address_of(AF_INET, &number);
    return address;
}

static int put_address(struct table *table, int ifindex, uint32_t number)
{
    struct link_address address = address_of(ifindex, number);

    return table_put_address(table, &address);
}

static bool remove_address(struct table *table, int ifindex, uint32_t number)
{
    struct link_address address = address_of(ifindex, number);

    return table_remove_address(table, &address);
}

static void test_nics_are_found_by_index_and_name(void **state)
{
    struct table *table = *state;
    char name[LIMIT_NIC_NAME];

    for (int i = 1; i <= MANY; i++) {
        snprintf(name, sizeof name, "nic%d", i);
        assert_int_equal(put_nic(table, i, name), 1);
    }
    for (int i = 1; i <= MANY; i++) {
        snprintf(name, sizeof name, "nic%d", i);
        assert_int_equal(table_nic_by_name(table, name)->info.ifindex, i);
        assert_string_equal(table_nic_by_index(table, i)->info.name, name);
    }
    assert_null(table_nic_by_name(table, "nic0"));
    assert_null(table_nic_by_index(table, MANY + 1));
    assert_true(table_remove_nic(table, 77));
    assert_false(table_remove_nic(table, 77));
    assert_null(table_nic_by_name(table, "nic77"));
}

static void test_only_real_changes_count(void **state)
{
    struct link_info info = nic_of(1, "a");
    struct table *table = *state;

    assert_int_equal(table_put_nic(table, &info, NIC_PLAIN, 0, 0), 1);
    assert_int_equal(table_put_nic(table, &info, NIC_PLAIN, 5, 0), 0);
    assert_int_equal(table_nic_by_index(table, 1)->master, 5);
    info.carrier = true;
    assert_int_equal(table_put_nic(table, &info, NIC_PLAIN, 5, 0), 1);
    info.up = false;
    assert_int_equal(table_put_nic(table, &info, NIC_PLAIN, 5, 0), 1);
    info.mac.bytes[5] = 1;
    assert_int_equal(table_put_nic(table, &info, NIC_PLAIN, 5, 0), 1);
    info.ethernet = false;
    assert_int_equal(table_put_nic(table, &info, NIC_PLAIN, 5, 0), 1);
    strcpy(info.name, "b");
    assert_int_equal(table_put_nic(table, &info, NIC_PLAIN, 5, 0), 1);
    assert_int_equal(table_put_nic(table, &info, NIC_PLAIN, 5, 0), 0);
}

static void test_names_are_swapped(void **state)
{
    struct table *table = *state;

    put_nic(table, 1, "a");
    put_nic(table, 2, "b");
    put_nic(table, 1, "b"); /* for a moment both have this name */
    assert_int_equal(table_nic_by_name(table, "b")->info.ifindex, 1);
    put_nic(table, 2, "a");
    assert_int_equal(table_nic_by_name(table, "a")->info.ifindex, 2);
    assert_int_equal(table_nic_by_name(table, "b")->info.ifindex, 1);
}

static void test_addresses_are_kept_once_and_in_order(void **state)
{
    const struct address_entry *entry;
    struct table *table = *state;
    uint32_t expected = 0;

    put_nic(table, 1, "a");
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(put_address(table, 1, i), 1);
    assert_int_equal(put_address(table, 1, 5), 0);
    assert_int_equal(put_address(table, 2, 5), 1);
    TAILQ_FOREACH(entry, &table_nic_by_index(table, 1)->addresses, of_nic)
    {
        struct link_address wanted = address_of(1, expected++);

        assert_true(ip_address_equal(&entry->address.ip, &wanted.ip));
    }
    assert_int_equal(expected, MANY);
    assert_true(remove_address(table, 1, 5));
    assert_false(remove_address(table, 1, 5));
    assert_true(remove_address(table, 2, 5));
    assert_true(LIST_NEXT(LIST_FIRST(&table->all), in_all) == NULL); /* what stood for NIC 2 went with its address */
}

static void test_addresses_may_come_before_their_nic(void **state)
{
    struct table *table = *state;

    put_address(table, 1, 1);
    assert_null(table_nic_by_index(table, 1));
    assert_int_equal(put_nic(table, 1, "a"), 1);
    assert_false(TAILQ_EMPTY(&table_nic_by_index(table, 1)->addresses));
}

static void test_stale_and_dropped_addresses_are_told(void **state)
{
    struct table *table = *state;
    struct told told = {};

    put_nic(table, 1, "a");
    put_nic(table, 2, "b");
    put_address(table, 1, 1);
    put_address(table, 1, 2);
    put_address(table, 2, 3);
    table->generation++;
    put_address(table, 1, 2);
    put_address(table, 2, 3);
    table_drop_stale(table, on_gone, &told);
    assert_int_equal(told.n, 1);
    assert_true(told.newest.ifindex == 1 && told.newest.ip.bytes[0] == 1);
    table_drop_addresses(table, 2, on_gone, &told);
    assert_int_equal(told.n, 2);
    assert_true(told.newest.ifindex == 2 && told.newest.ip.bytes[0] == 3);
    table_drop_addresses(table, 3, on_gone, &told);
    assert_int_equal(told.n, 2);
    assert_non_null(table_nic_by_index(table, 2));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nics_are_found_by_index_and_name),
        TEST(test_only_real_changes_count),
        TEST(test_names_are_swapped),
        TEST(test_addresses_are_kept_once_and_in_order),
        TEST(test_addresses_may_come_before_their_nic),
        TEST(test_stale_and_dropped_addresses_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
