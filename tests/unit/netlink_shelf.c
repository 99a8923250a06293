/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "netlink/links.h"
#include "netlink/shelf.h"
#include "tests/unit/netlink_world.h"

static void names_lead_back(void **state)
{
    char name[LIMIT_NIC_NAME];

    (void)state;
    assert_int_equal(shelf_name(name, 7, 19), 0);
    assert_string_equal(name, "standin7-19");
    assert_int_equal(shelf_target(name, SHELF_GROUP), 7);
    assert_int_equal(shelf_name(name, 99999, 99), 0);
    assert_int_equal(shelf_target(name, SHELF_GROUP), 99999);
    assert_int_equal(shelf_name(name, 999999, 99), -ENAMETOOLONG);
}

static void other_names_are_none(void **state)
{
    static const char *const others[] = {"eth0",        "standin",     "standin7",   "standin-1-2", "standin07-1",
                                         "standin7-1x", "standin7-01", "standin0-1", "xstandin7-1", "standin7-"};

    (void)state;
    assert_int_equal(shelf_target("standin7-1", 0), 0);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(shelf_target(others[i], SHELF_GROUP), 0);
}

/* Up, without an address of its own, and with words for people; made again, it stays as it is. */
static void a_shelf_is_made_once(void **state)
{
    (void)state;
    run("ip link add v0 type veth peer name v1");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(shelf_make((int)if_nametoindex("v0"), 3), 0);
        run("ip -br link show | grep -q '^standin[0-9]*-3 .*LOWER_UP'");
        run("test $(ip -br link show | grep -c '^standin') = 1");
        run("ip link show | grep -q 'addresses that standin claims for v0'");
        run("! ip -6 addr show | grep -q standin");
    }
}

static void what_has_its_name_is_left_alone(void **state)
{
    (void)state;
    run("ip link add standin5-0 type bridge");
    assert_int_equal(shelf_make(5, 0), -EEXIST);
    run("ip link show standin5-0 | grep -q 'state DOWN'");
    assert_int_equal(shelf_sweep(), 0);
    run("ip link show standin5-0 > /dev/null");
}

/* IPv6 tells of a NIC by messages that have neither kind nor group, and count for nothing. */
static void the_view_knows_it(void **state)
{
    static const struct links_callbacks none;
    struct links *links;
    struct link_info info;

    (void)state;
    assert_int_equal(links_open(&links, &none, NULL), 0);
    assert_int_equal(shelf_make(5, 0), 0);
    run("ip link set standin5-0 addrgenmode eui64");
    while (becomes_readable(links_fd(links), 0))
        assert_int_equal(links_on_readable(links), 0);
    assert_int_equal(links_by_name(links, "standin5-0", &info), 0);
    assert_int_equal(info.shelf_of, 5);
    assert_int_equal(links_by_name(links, "lo", &info), 0);
    assert_int_equal(info.shelf_of, 0);
    links_close(links);
}

/* A port of a bridge has the table of local addresses that all have. */
static void a_bridge_is_no_vrf(void **state)
{
    static const struct links_callbacks none;
    struct links *links;

    (void)state;
    run("ip link add v0 type veth peer name v1");
    run("ip link add b0 type bridge");
    run("ip link set v0 master b0");
    assert_int_equal(links_open(&links, &none, NULL), 0);
    assert_false(links_in_vrf(links, (int)if_nametoindex("v0")));
    assert_false(links_in_vrf(links, (int)if_nametoindex("v1")));
    assert_false(links_in_vrf(links, 99));
    links_close(links);
}

static void only_empty_ones_are_swept(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(shelf_make(5, i), 0);
    run("ip addr add 192.0.2.10/32 dev standin5-0");
    run("ip addr add 2001:db8::10/128 dev standin5-2");
    assert_int_equal(shelf_sweep(), 0);
    run("ip link show standin5-0 > /dev/null");
    run("! ip link show standin5-1 2> /dev/null");
    run("ip link show standin5-2 > /dev/null");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_lead_back),
        cmocka_unit_test(other_names_are_none),
        cmocka_unit_test_setup(a_shelf_is_made_once, enter_namespace),
        cmocka_unit_test_setup(what_has_its_name_is_left_alone, enter_namespace),
        cmocka_unit_test_setup(the_view_knows_it, enter_namespace),
        cmocka_unit_test_setup(a_bridge_is_no_vrf, enter_namespace),
        cmocka_unit_test_setup(only_empty_ones_are_swept, enter_namespace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
