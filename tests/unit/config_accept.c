/* SPDX-License-Identifier: Apache-2.0 */
/* What a right ipmap means: values, defaults and who goes before whom, places, names that look like keywords. */
#include <sys/socket.h>

#include "tests/unit/config_world.h"

#define ALL_PROBES (IPMAP_PROBE_ARP | IPMAP_PROBE_ND | IPMAP_PROBE_ICMP)

static void assert_address(const struct ipmap_address *address, const char *text, unsigned prefix, const char *dev,
                           const char *fallback)
{
    char shown[IP_ADDRESS_TEXT];

    assert_string_equal(ip_address_format(&address->ip, shown), text);
    assert_int_equal(address->prefix, prefix);
    assert_string_equal(address->dev, dev);
    assert_string_equal(address->fallback, fallback);
}

static void assert_place(const struct ipmap_place *place, const char *file, unsigned line, unsigned column)
{
    assert_string_equal(place->file, file);
    assert_int_equal(place->line, line);
    assert_int_equal(place->column, column);
}

static const struct ipmap_source *source(const struct world *world, const char *name)
{
    const struct ipmap_source *found;

    assert_string_equal(world->printed, "");
    assert_non_null(world->ipmap);
    found = ipmap_find_source(world->ipmap, name);
    assert_non_null(found);
    return found;
}

static void test_program_defaults(void **state)
{
    struct world world;
    const struct ipmap_source *web1;

    (void)state;
    read_text(&world, "source web1 {\n  nic eth5 {\n    192.0.2.10/24 dev eth0\n  }\n}\n");
    web1 = source(&world, "web1");
    assert_int_equal(web1->interval_ns, 200 * NSEC_PER_MSEC);
    assert_int_equal(web1->misses, 5);
    assert_int_equal(web1->probes, ALL_PROBES);
    assert_int_equal(web1->on_host, IPMAP_TAKEOVER_AUTOMATIC);
    assert_int_equal(web1->on_nic, IPMAP_TAKEOVER_AUTOMATIC);
    assert_int_equal(web1->failback, IPMAP_FAILBACK_MANUAL);
    assert_true(web1->approval_timeout_ns == NSEC_NEVER);
    assert_int_equal(web1->approval_default, IPMAP_APPROVAL_DENY);
    assert_false(web1->claim_unseen);
    assert_true(web1->announce_source);
    assert_int_equal(web1->verify_asks, 3);
    assert_int_equal(web1->verify_within_ns, 60 * NSEC_PER_MSEC);
    assert_false(web1->witness_none);
    assert_int_equal(web1->n_witnesses, 0);
    assert_int_equal(web1->lease_ns, 3 * NSEC_PER_SEC);
    assert_int_equal(web1->hold_down_ns, 0);
    assert_int_equal(web1->max_takeovers, 0);
    assert_int_equal(web1->n_nics, 1);
    assert_string_equal(web1->nics[0].name, "eth5");
    assert_int_equal(web1->nics[0].trigger, IPMAP_TRIGGER_ALL);
    assert_int_equal(web1->nics[0].n_addresses, 1);
    assert_true(web1->nics[0].addresses[0].monitor);
    assert_address(&web1->nics[0].addresses[0], "192.0.2.10", 24, "eth0", "");
    assert_place(&web1->place, "f", 1, 8);
    assert_place(&web1->nics[0].place, "f", 2, 7);
    assert_place(&web1->nics[0].addresses[0].place, "f", 3, 5);
    assert_int_equal(world.ipmap->n_addresses, 1);
    assert_int_equal(world.ipmap->n_files, 1);
    assert_string_equal(world.ipmap->files[0], "f");
    assert_null(ipmap_find_source(world.ipmap, "web2"));
    end(&world);
}

static void test_every_value(void **state)
{
    struct world world;
    const struct ipmap_source *s;

    (void)state;
    read_text(&world,
              IN_SOURCE("interval 100us; misses 1000; takeover manual; failback manual; approval-timeout 10m\n"
                        "approval-default approve; claim-unseen yes; announce-source no\n"
                        "verify 5 within 1s; witness 192.0.2.1, 2001:db8::1,\n\n 192.0.2.2; witness 192.0.2.3"));
    s = source(&world, "web1");
    assert_int_equal(s->interval_ns, 100 * NSEC_PER_USEC);
    assert_int_equal(s->misses, 1000);
    assert_int_equal(s->on_host, IPMAP_TAKEOVER_MANUAL);
    assert_int_equal(s->on_nic, IPMAP_TAKEOVER_MANUAL);
    assert_int_equal(s->approval_timeout_ns, 10 * NSEC_PER_MIN);
    assert_int_equal(s->approval_default, IPMAP_APPROVAL_APPROVE);
    assert_true(s->claim_unseen);
    assert_false(s->announce_source);
    assert_int_equal(s->verify_asks, 5);
    assert_int_equal(s->verify_within_ns, NSEC_PER_SEC);
    assert_int_equal(s->n_witnesses, 4);
    assert_int_equal(s->witnesses[1].family, AF_INET6);
    assert_int_equal(s->witnesses[3].bytes[3], 3);
    end(&world);
}

/* What rules how long something is held, and what may follow it. */
static void test_holding_values(void **state)
{
    struct world world;
    const struct ipmap_source *s;

    (void)state;
    read_text(&world, IN_SOURCE("lease off; hold-down 10s; max-takeovers 3 per 1h; failback automatic\n"
                                "on service notify; burst 10ms"));
    assert_string_equal(world.printed, "f:2:12: warning: for so long two hosts answer for each address, because there "
                                       "is no agent on the source\n");
    assert_int_equal(world.r, 0);
    s = &world.ipmap->sources[0];
    assert_true(s->lease_ns == NSEC_NEVER);
    assert_int_equal(s->burst_ns, 10 * NSEC_PER_MSEC);
    assert_int_equal(s->hold_down_ns, 10 * NSEC_PER_SEC);
    assert_int_equal(s->max_takeovers, 3);
    assert_true(s->max_takeovers_per_ns == NSEC_PER_HOUR);
    assert_int_equal(s->failback, IPMAP_FAILBACK_AUTOMATIC);
    assert_int_equal(s->on_host, IPMAP_TAKEOVER_AUTOMATIC);
    end(&world);
    read_text(&world, "guard 2s\n");
    assert_true(world.r == 0 && world.ipmap->guard_ns == 2 * NSEC_PER_SEC);
    end(&world);
    read_text(&world, "defaults { guard off }\n");
    assert_true(world.r == 0 && world.ipmap->guard_ns == NSEC_NEVER);
    end(&world);
    read_text(&world, "");
    assert_true(world.r == 0 && world.ipmap->guard_ns == NSEC_PER_SEC);
    end(&world);
    expect("guard 99ms\n", "f:1:7: '99ms' is out of range; guard takes 100ms to 1h, or off\n");
}

/* `defaults` serves every source, wherever it stands; what a source says goes before it. */
static void test_defaults(void **state)
{
    struct world world;
    const struct ipmap_source *a, *b;

    (void)state;
    read_text(&world,
              "source a { nic e { 192.0.2.10/24 dev eth0 } }\n"
              "defaults { interval 1s; misses 7; trigger any; probe icmp; approval-timeout 1m; claim-unseen yes\n"
              "           verify 2 within 5ms }\n"
              "source b { interval 2s; approval-timeout none; claim-unseen no; probe nd; trigger all\n"
              "  nic e { 192.0.2.11/24 dev eth0 }\n  nic f { trigger any; 192.0.2.12/24 dev eth0 } }\n");
    a = source(&world, "a");
    b = source(&world, "b");
    assert_int_equal(a->interval_ns, NSEC_PER_SEC);
    assert_int_equal(a->misses, 7);
    assert_int_equal(a->probes, IPMAP_PROBE_ICMP);
    assert_int_equal(a->approval_timeout_ns, NSEC_PER_MIN);
    assert_true(a->claim_unseen);
    assert_int_equal(a->verify_asks, 2);
    assert_int_equal(a->verify_within_ns, 5 * NSEC_PER_MSEC);
    assert_int_equal(a->nics[0].trigger, IPMAP_TRIGGER_ANY);
    assert_int_equal(b->interval_ns, 2 * NSEC_PER_SEC);
    assert_int_equal(b->misses, 7);
    assert_int_equal(b->probes, IPMAP_PROBE_ARP | IPMAP_PROBE_ND);
    assert_true(b->approval_timeout_ns == NSEC_NEVER);
    assert_false(b->claim_unseen);
    assert_int_equal(b->nics[0].trigger, IPMAP_TRIGGER_ALL);
    assert_int_equal(b->nics[1].trigger, IPMAP_TRIGGER_ANY);
    end(&world);
}

/* A cause goes before `takeover`, and whatever a source says before whatever the defaults say. */
static void test_takeover_layers(void **state)
{
    static const struct {
        const char *defaults, *source;
        enum ipmap_takeover on_host, on_nic;
    } rows[] = {
        {"", "on nic manual", IPMAP_TAKEOVER_AUTOMATIC, IPMAP_TAKEOVER_MANUAL},
        {"", "on host notify; takeover manual", IPMAP_TAKEOVER_NOTIFY, IPMAP_TAKEOVER_MANUAL},
        {"takeover manual", "", IPMAP_TAKEOVER_MANUAL, IPMAP_TAKEOVER_MANUAL},
        {"takeover manual; on host notify", "", IPMAP_TAKEOVER_NOTIFY, IPMAP_TAKEOVER_MANUAL},
        {"on nic notify", "takeover manual", IPMAP_TAKEOVER_MANUAL, IPMAP_TAKEOVER_MANUAL},
        {"takeover manual", "on host automatic", IPMAP_TAKEOVER_AUTOMATIC, IPMAP_TAKEOVER_MANUAL},
        {"on nic notify", "on host manual", IPMAP_TAKEOVER_MANUAL, IPMAP_TAKEOVER_NOTIFY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world world;
        char text[256];

        snprintf(text, sizeof text, "defaults { %s }\nsource a { %s\nnic e { 192.0.2.10/24 dev eth0 } }",
                 rows[i].defaults, rows[i].source);
        read_text(&world, text);
        assert_int_equal(source(&world, "a")->on_host, rows[i].on_host);
        assert_int_equal(source(&world, "a")->on_nic, rows[i].on_nic);
        end(&world);
    }
    assert_string_equal(ipmap_takeover_name(IPMAP_TAKEOVER_AUTOMATIC), "automatic");
    assert_string_equal(ipmap_takeover_name(IPMAP_TAKEOVER_MANUAL), "manual");
    assert_string_equal(ipmap_takeover_name(IPMAP_TAKEOVER_NOTIFY), "notify");
}

static void test_witness_layers(void **state)
{
    struct world world;

    (void)state;
    read_text(&world, "source a { nic e { 192.0.2.10/24 dev eth0 } }\n"
                      "source b { witness none; nic e { 192.0.2.11/24 dev eth0 } }\n"
                      "source c { witness 192.0.2.3; nic e { 192.0.2.12/24 dev eth0 } }\n"
                      "witness 192.0.2.1, 192.0.2.2\n");
    assert_int_equal(source(&world, "a")->n_witnesses, 2);
    assert_false(source(&world, "a")->witness_none);
    assert_int_equal(source(&world, "b")->n_witnesses, 0);
    assert_true(source(&world, "b")->witness_none);
    assert_int_equal(source(&world, "c")->n_witnesses, 1);
    assert_int_equal(source(&world, "c")->witnesses[0].bytes[3], 3);
    end(&world);
    read_text(&world, "witness none\nsource a { nic e { 192.0.2.10/24 dev eth0 } }\n"
                      "source b { witness 192.0.2.3; nic e { 192.0.2.12/24 dev eth0 } }\n");
    assert_true(source(&world, "a")->witness_none);
    assert_false(source(&world, "b")->witness_none);
    end(&world);
}

static void test_addresses(void **state)
{
    struct world world;
    const struct ipmap_nic *nic;

    (void)state;
    read_text(&world, IN_NIC("192.0.2.1/31 dev a or b; 192.0.2.0/31 dev a\n192.0.2.255/32 dev x {monitor no}\n"
                             "2001:db8::/127 dev \"q \\\"\" \n"));
    assert_int_equal(world.r, -EINVAL); /* a blank in the name of a NIC */
    end(&world);
    read_text(&world, IN_NIC("192.0.2.1/31 dev a or b; 192.0.2.0/31 dev a\n192.0.2.255/32 dev x {monitor no}\n"
                             "2001:DB8:0::/127 dev \"q\\\\\\\"\" or p { monitor yes; }"));
    nic = &source(&world, "web1")->nics[0];
    assert_int_equal(nic->n_addresses, 5);
    assert_address(&nic->addresses[0], "192.0.2.1", 31, "a", "b");
    assert_address(&nic->addresses[1], "192.0.2.0", 31, "a", "");
    assert_address(&nic->addresses[2], "192.0.2.255", 32, "x", "");
    assert_address(&nic->addresses[3], "2001:db8::", 127, "q\\\"", "p");
    assert_false(nic->addresses[2].monitor);
    assert_true(nic->addresses[3].monitor);
    end(&world);
}

/* Keywords are such only in their place. */
static void test_names_like_keywords(void **state)
{
    struct world world;
    const struct ipmap_source *s;

    (void)state;
    read_text(&world,
              "source source { nic dev { 192.0.2.10/24 dev or or dev }; nic nic { 192.0.2.11/24 dev monitor } }\n"
              "source defaults { nic 192.0.2.1/24 { 192.0.2.12/24 dev x#y\n } }\n\"source\" \"misses\"{nic Gi0/1 {\n"
              "\"192.0.2.13/24\" \"dev\" eth0 } }");
    s = source(&world, "source");
    assert_int_equal(s->n_nics, 2);
    assert_string_equal(s->nics[0].name, "dev");
    assert_address(&s->nics[0].addresses[0], "192.0.2.10", 24, "or", "dev");
    assert_string_equal(s->nics[1].name, "nic");
    assert_string_equal(source(&world, "defaults")->nics[0].name, "192.0.2.1/24");
    assert_string_equal(source(&world, "misses")->nics[0].name, "Gi0/1");
    end(&world);
}

static void test_layout(void **state)
{
    static const char *const same[] = {
        "source a{nic e{192.0.2.10/24 dev eth0}}",
        ";;source a { ; nic e { 192.0.2.10/24 dev eth0;; } ; } ;",
        "\n# one\nsource a { # two {\n\n\tnic e { # \"three\n192.0.2.10/24   dev\teth0#four\n}\n\n}\n#",
        "source a {\r\nnic e {\r\n192.0.2.10/24 dev eth0\r\n}\r\n}\r\n",
        "\xef\xbb\xbfsource a { nic e { 192.0.2.10/24 dev eth0 } } # \xff\xfe\x01",
        "defaults {} source a { nic e { 192.0.2.10/24 dev eth0 {} } }",
    };

    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        struct world world;

        read_text(&world, same[i]);
        assert_int_equal(source(&world, "a")->n_nics, 1);
        assert_address(&source(&world, "a")->nics[0].addresses[0], "192.0.2.10", 24, "eth0", "");
        end(&world);
    }
}

static void test_nothing(void **state)
{
    struct world world;

    (void)state;
    read_text(&world, "");
    assert_int_equal(world.r, 0);
    assert_int_equal(world.ipmap->n_sources, 0);
    end(&world);
    read_text(&world, "\xef\xbb\xbf");
    assert_int_equal(world.r, 0);
    end(&world);
}

/* The messages outlive the ipmap, and the reverse. */
static void test_lifetimes(void **state)
{
    struct world world;

    (void)state;
    read_text(&world, "\nsource a { failback automatic; hold-down 10s; nic e { 192.0.2.10/24 dev eth0 } }\n");
    ipmap_free(world.ipmap);
    world.ipmap = NULL;
    assert_place(&world.messages.list[0].place, "f", 2, 32);
    end(&world);
    read_text(&world, "\nsource a { failback automatic; hold-down 10s; nic e { 192.0.2.10/24 dev eth0 } }\n");
    ipmap_messages_free(&world.messages);
    assert_place(&world.ipmap->sources[0].place, "f", 2, 8);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_program_defaults), cmocka_unit_test(test_every_value),
        cmocka_unit_test(test_holding_values),   cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_takeover_layers),  cmocka_unit_test(test_witness_layers),
        cmocka_unit_test(test_addresses),        cmocka_unit_test(test_names_like_keywords),
        cmocka_unit_test(test_layout),           cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_lifetimes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
