/* SPDX-License-Identifier: Apache-2.0 */
/* What checks, commands, units and DNS mean where they are right: values, defaults, limits. */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/config_world.h"

#define KEY \
    "key \"tsig.example\" {\n\talgorithm hmac-sha256;\n\tsecret \"c3RhbmRpbiBzdGFuZHMgaW4gZm9yIG90aGVycw==\";\n};\n"

/* The file is right, and nothing is said of it. */
static const struct ipmap_source *read_services(struct world *world, const char *text)
{
    read_text(world, text);
    assert_string_equal(world->printed, "");
    assert_int_equal(world->r, 0);
    return &world->ipmap->sources[0];
}

static void assert_ip(const struct ip_address *ip, const char *text)
{
    char shown[IP_ADDRESS_TEXT];

    assert_string_equal(ip_address_format(ip, shown), text);
}

static void test_check_defaults(void **state)
{
    struct world world;
    const struct ipmap_source *s;

    (void)state;
    s = read_services(&world,
                      IN_SOURCE("probe tcp 443; probe url \"https://a.example/x\"; probe exec \"/bin/c  -v\ta\""));
    assert_int_equal(s->n_checks, 3);
    assert_int_equal(s->probes, IPMAP_PROBE_ARP | IPMAP_PROBE_ND | IPMAP_PROBE_ICMP);
    assert_int_equal(s->on_service, IPMAP_TAKEOVER_NOTIFY);
    assert_false(s->force);
    assert_true(!s->fence && !s->dns && s->n_hooks == 0 && s->n_units == 0);
    assert_int_equal(s->checks[0].kind, IPMAP_CHECK_TCP);
    assert_string_equal(s->checks[0].text, "tcp 443");
    assert_int_equal(s->checks[0].port, 443);
    assert_int_equal(s->checks[0].interval_ns, NSEC_PER_SEC);
    assert_int_equal(s->checks[0].misses, 3);
    assert_int_equal(s->checks[0].timeout_ns, NSEC_PER_SEC);
    assert_ip(&s->checks[0].address, "192.0.2.10");
    assert_int_equal(s->checks[0].from.family, AF_UNSPEC);
    assert_string_equal(s->checks[0].from_dev, "");
    assert_int_equal(s->checks[0].place.line, 2);
    assert_string_equal(s->checks[0].place.file, "f");
    assert_int_equal(s->checks[1].kind, IPMAP_CHECK_URL);
    assert_string_equal(s->checks[1].text, "https://a.example/x");
    assert_string_equal(s->checks[1].url, "https://a.example/x");
    assert_int_equal(s->checks[1].n_expect, 1);
    assert_true(s->checks[1].expect[0].from == 200 && s->checks[1].expect[0].to == 399);
    assert_true(s->checks[1].verify_peer && !s->checks[1].redirects);
    assert_true(!s->checks[1].host && !s->checks[1].body);
    assert_int_equal(s->checks[2].kind, IPMAP_CHECK_EXEC);
    assert_string_equal(s->checks[2].text, "/bin/c  -v\ta");
    assert_true(s->checks[2].interval_ns == 30 * NSEC_PER_SEC && s->checks[2].timeout_ns == 10 * NSEC_PER_SEC);
    assert_int_equal(s->checks[2].command.n_args, 3);
    assert_string_equal(s->checks[2].command.argv[0], "/bin/c");
    assert_string_equal(s->checks[2].command.argv[1], "-v");
    assert_string_equal(s->checks[2].command.argv[2], "a");
    assert_null(s->checks[2].command.argv[3]);
    assert_true(s->checks[2].command.timeout_ns == 10 * NSEC_PER_SEC);
    assert_true(!s->checks[2].command.user && !s->checks[2].command.shell);
    end(&world);
}

static void test_check_values(void **state)
{
    struct world world;
    const struct ipmap_source *s;

    (void)state;
    s = read_services(
        &world,
        IN_SOURCE(
            "probe tcp 1 { interval 10ms; misses 1000; timeout 1ms; from eth1; address 2001:db8::9 }\n"
            "probe url \"http://u:p@[2001:db8::1]:8080/a?b=%20\" { interval 24h; timeout 1h; expect 204, 301..302,\n"
            " 100..599; body \"a \\\"b\\\" \xc3\xbc\"; host SHOP.example.; verify no; redirects yes; "
            "from 192.0.2.9 }\n"
            "probe exec \"true && test -f $X\" { shell yes; user nobody-1; interval 5s }\n"
            "probe url \"smtp://mail.example\"; probe url \"ftp://f.example/x\" { expect 226 }"));
    assert_true(s->checks[0].interval_ns == 10 * NSEC_PER_MSEC && s->checks[0].timeout_ns == NSEC_PER_MSEC);
    assert_int_equal(s->checks[0].misses, 1000);
    assert_string_equal(s->checks[0].text, "tcp 1 at 2001:db8::9");
    assert_string_equal(s->checks[0].from_dev, "eth1");
    assert_ip(&s->checks[0].address, "2001:db8::9");
    assert_string_equal(s->checks[1].url, "http://u:p@[2001:db8::1]:8080/a?b=%20");
    assert_string_equal(s->checks[1].text, "http://u:***@[2001:db8::1]:8080/a?b=%20");
    assert_string_equal(s->checks[1].host, "shop.example");
    assert_string_equal(s->checks[1].body, "a \"b\" \xc3\xbc");
    assert_int_equal(s->checks[1].n_expect, 3);
    assert_true(s->checks[1].expect[0].from == 204 && s->checks[1].expect[0].to == 204);
    assert_true(s->checks[1].expect[2].from == 100 && s->checks[1].expect[2].to == 599);
    assert_true(!s->checks[1].verify_peer && s->checks[1].redirects);
    assert_ip(&s->checks[1].from, "192.0.2.9");
    assert_string_equal(s->checks[1].from_dev, "");
    assert_true(s->checks[2].command.shell && s->checks[2].command.n_args == 1);
    assert_string_equal(s->checks[2].command.argv[0], "true && test -f $X");
    assert_null(s->checks[2].command.argv[1]);
    assert_string_equal(s->checks[2].command.user, "nobody-1");
    assert_true(s->checks[2].command.timeout_ns == 5 * NSEC_PER_SEC && s->checks[2].timeout_ns == 5 * NSEC_PER_SEC);
    assert_int_equal(s->checks[3].n_expect, 0);
    assert_true(s->checks[4].n_expect == 1 && s->checks[4].expect[0].from == 226);
    end(&world);
}

static void test_schemes(void **state)
{
    static const char *const schemes[] = {"http",  "https", "ftp",   "ftps", "smtp",
                                          "smtps", "imap",  "imaps", "pop3", "pop3s"};

    (void)state;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        char text[256];
        struct world world;

        snprintf(text, sizeof text, IN_SOURCE("probe url \"%s://a.example\""), schemes[i]);
        read_services(&world, text);
        end(&world);
    }
}

static void test_commands(void **state)
{
    struct world world;
    const struct ipmap_source *s;

    (void)state;
    s = read_services(&world, IN_SOURCE("fence \" /usr/sbin/fence -a 1 \" { timeout 20s; user root }\n"
                                        "hook pre-takeover /a { timeout 10ms; veto yes }\nhook post-takeover \"/b c\"\n"
                                        "hook pre-failback /d { }; hook post-failback /e { timeout 1h; user n }\n"
                                        "hook alarm \"x | y\" { shell yes }; hook pre-takeover /f { veto no }\n"
                                        "on service manual; force yes; probe tcp 1"));
    assert_int_equal(s->fence->n_args, 3);
    assert_string_equal(s->fence->argv[0], "/usr/sbin/fence");
    assert_string_equal(s->fence->text, " /usr/sbin/fence -a 1 ");
    assert_true(s->fence->timeout_ns == 20 * NSEC_PER_SEC);
    assert_string_equal(s->fence->user, "root");
    assert_int_equal(s->n_hooks, 6);
    assert_int_equal(s->hooks[0].point, IPMAP_HOOK_PRE_TAKEOVER);
    assert_true(s->hooks[0].veto && s->hooks[0].command.timeout_ns == 10 * NSEC_PER_MSEC);
    assert_int_equal(s->hooks[1].point, IPMAP_HOOK_POST_TAKEOVER);
    assert_true(s->hooks[1].command.timeout_ns == 30 * NSEC_PER_SEC && !s->hooks[1].veto);
    assert_int_equal(s->hooks[2].point, IPMAP_HOOK_PRE_FAILBACK);
    assert_true(s->hooks[2].command.timeout_ns == 10 * NSEC_PER_SEC);
    assert_int_equal(s->hooks[3].point, IPMAP_HOOK_POST_FAILBACK);
    assert_int_equal(s->hooks[4].point, IPMAP_HOOK_ALARM);
    assert_string_equal(s->hooks[4].command.argv[0], "x | y");
    assert_true(s->hooks[5].command.timeout_ns == 10 * NSEC_PER_SEC && !s->hooks[5].veto);
    assert_int_equal(s->hooks[5].place.line, 6);
    assert_int_equal(s->on_service, IPMAP_TAKEOVER_MANUAL);
    assert_true(s->force);
    assert_string_equal(ipmap_hook_point_name(IPMAP_HOOK_ALARM), "alarm");
    end(&world);
    s = read_services(&world, IN_SOURCE("fence /f"));
    assert_true(s->fence->timeout_ns == 30 * NSEC_PER_SEC && !s->fence->user && !s->fence->shell);
    end(&world);
}

static void test_units(void **state)
{
    struct world world;
    const struct ipmap_source *s;

    (void)state;
    s = read_services(&world,
                      IN_SOURCE("unit srv-shop.mount\nunit nginx@a\\x2d1.service { timeout 1s; on-failure release }\n"
                                "unit a.target { on-failure keep }"));
    assert_int_equal(s->n_units, 3);
    assert_string_equal(s->units[0].name, "srv-shop.mount");
    assert_true(s->units[0].timeout_ns == 90 * NSEC_PER_SEC && !s->units[0].release_on_failure);
    assert_string_equal(s->units[1].name, "nginx@a\\x2d1.service");
    assert_true(s->units[1].timeout_ns == NSEC_PER_SEC && s->units[1].release_on_failure);
    assert_false(s->units[2].release_on_failure);
    end(&world);
}

/* Each source has its own, also where others stand before and behind. */
static void test_layers(void **state)
{
    struct world world;
    const struct ipmap_source *s;

    (void)state;
    s = read_services(&world,
                      "defaults { on service manual; force yes }\n"
                      "source a { probe tcp 1; unit a.service; nic e { 192.0.2.10/24 dev eth0 } }\n"
                      "source b { nic e { 192.0.2.11/24 dev eth0 } }\n"
                      "source c { on service automatic; force no; fence /f; probe tcp 2; probe tcp 3; hook alarm /c\n"
                      " unit a.service; nic e { 2001:db8::1/64 dev eth0; 192.0.2.12/24 dev eth0 } }\n");
    assert_true(s[0].on_service == IPMAP_TAKEOVER_MANUAL && s[0].force && s[0].n_checks == 1 && s[0].n_units == 1);
    assert_true(s[1].n_checks == 0 && s[1].n_units == 0 && s[1].n_hooks == 0 && !s[1].fence);
    assert_true(s[2].on_service == IPMAP_TAKEOVER_AUTOMATIC && !s[2].force && s[2].fence);
    assert_true(s[2].n_checks == 2 && s[2].checks[1].port == 3 && s[2].n_hooks == 1 && s[2].n_units == 1);
    assert_ip(&s[2].checks[0].address, "2001:db8::1");
    end(&world);
}

static void test_check_equal(void **state)
{
    static const char *const others[] = {
        "probe tcp 2 { from eth0 }",
        "probe tcp 1 { from eth1 }",
        "probe tcp 1 { from eth0; misses 4 }",
        "probe tcp 1 { from eth0; interval 2s }",
        "probe tcp 1 { from eth0; timeout 2ms }",
        "probe tcp 1 { from eth0; address 192.0.2.11 }",
        "probe url http://a { from eth0 }",
        "probe url http://b { from eth0 }",
        "probe url http://b { from eth0; body x }",
        "probe url http://b { from eth0; body x; expect 200 }",
        "probe url http://b { from eth0; body x; expect 200; host c }",
        "probe url http://b { from eth0; body x; expect 200; host c; verify no }",
        "probe url http://b { from eth0; body x; expect 200; host c; redirects yes }",
        "probe exec /a",
        "probe exec \"/a b\"",
        "probe exec /a { shell yes }",
        "probe exec /a { user a }",
        "probe exec /a { user b }",
    };
    struct world first, world;

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char text[256];

        snprintf(text, sizeof text, IN_SOURCE("%s"), others[i]);
        read_services(&first, text);
        for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
            snprintf(text, sizeof text, "\n" IN_SOURCE("%s"), others[k]);
            read_services(&world, text);
            assert_int_equal(ipmap_check_equal(&first.ipmap->sources[0].checks[0], &world.ipmap->sources[0].checks[0]),
                             i == k);
            end(&world);
        }
        end(&first);
    }
}

/* The keys of the tests stand in a folder of their own. */
static char key_path[64];

static int make_key(void **state)
{
    char folder[] = "/tmp/standin-key-XXXXXX";
    FILE *file;

    assert_non_null(mkdtemp(folder));
    snprintf(key_path, sizeof key_path, "%s/key", folder);
    *state = strdup(folder);
    file = fopen(key_path, "we");
    assert_non_null(file);
    assert_true(fputs(KEY, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return chmod(key_path, 0600);
}

static int remove_key(void **state)
{
    unlink(key_path);
    assert_int_equal(rmdir(*state), 0);
    free(*state);
    return 0;
}

static void test_dns(void **state)
{
    struct world world;
    const struct ipmap_source *s;
    char text[1024];

    (void)state;
    snprintf(text, sizeof text,
             "source www { probe url http://203.0.113.10; dns {\nrecord WWW.example.net A 198.51.100.20\n"
             "record www.example.net. AAAA 2001:db8::20 ptr; server 203.0.113.53; key-file %s; zone example.NET.\n"
             "keep-old old.example.net } }\n",
             key_path);
    s = read_services(&world, text);
    assert_true(s->n_nics == 0 && s->dns);
    assert_ip(&s->dns->server, "203.0.113.53");
    assert_int_equal(s->dns->port, 53);
    assert_string_equal(s->dns->zone, "example.net");
    assert_string_equal(s->dns->key_file, key_path);
    assert_string_equal(s->dns->key->name, "tsig.example");
    assert_string_equal(s->dns->key->secret, "c3RhbmRpbiBzdGFuZHMgaW4gZm9yIG90aGVycw==");
    assert_int_equal(s->dns->key->algorithm, IPMAP_KEY_HMAC_SHA256);
    assert_string_equal(ipmap_key_algorithm_name(s->dns->key->algorithm), "hmac-sha256");
    assert_int_equal(s->dns->n_records, 2);
    assert_string_equal(s->dns->records[0].name, "www.example.net");
    assert_true(!s->dns->records[0].ptr && s->dns->records[1].ptr);
    assert_ip(&s->dns->records[1].ip, "2001:db8::20");
    assert_string_equal(s->dns->keep_old, "old.example.net");
    assert_true(s->dns->ttl_s == 60 && s->dns->timeout_ns == 2 * NSEC_PER_SEC && s->dns->retries == 3);
    assert_int_equal(s->dns->place.line, 1);
    end(&world);
    snprintf(
        text, sizeof text,
        IN_SOURCE("dns { server ::1 65535; zone lan; key-file %s; record lan A 192.0.2.10; ttl 24h; timeout 100ms\n"
                  " retries 0 }"),
        key_path);
    s = read_services(&world, text);
    assert_true(s->n_nics == 1 && s->dns->port == 65535 && s->dns->ttl_s == 86400 && s->dns->retries == 0);
    assert_true(s->dns->timeout_ns == 100 * NSEC_PER_MSEC && !s->dns->keep_old);
    end(&world);
}

/* The key must be there, be a key, and be secret. */
static void test_key(void **state)
{
    struct world world;
    char text[512], lines[512];

    (void)state;
    snprintf(text, sizeof text, IN_SOURCE("dns { server ::1; zone a; record a A 192.0.2.1\nkey-file %s }"), key_path);
    assert_int_equal(chmod(key_path, 0640), 0);
    snprintf(lines, sizeof lines,
             "f:3:10: '%s' holds a secret that its group or others may read; "
             "chmod 600\n",
             key_path);
    expect(text, lines);
    assert_int_equal(chmod(key_path, 0400), 0);
    read_services(&world, text);
    end(&world);
    assert_int_equal(chmod(key_path, 0600), 0);
    assert_int_equal(truncate(key_path, 60), 0);
    snprintf(lines, sizeof lines,
             "f:3:10: '%s' is no TSIG key: line 3: the secret is too "
             "short; it must have 16 bytes or more\n",
             key_path);
    expect(text, lines);
    assert_int_equal(truncate(key_path, 4097), 0);
    snprintf(lines, sizeof lines, "f:3:10: '%s' is too large for a file with a key\n", key_path);
    expect(text, lines);
    expect(IN_SOURCE("dns { server ::1; zone a; record a A 192.0.2.1\nkey-file /dev/null }"),
           "f:3:10: '/dev/null' is no regular file\n");
    expect(IN_SOURCE("dns { server ::1; zone a; record a A 192.0.2.1\nkey-file /path/to/key }"),
           "f:3:10: warning: '/path/to/key' cannot be opened: No such file or directory; no name can be moved until it "
           "is there and the ipmap is loaded again\n");
    if (geteuid() != 0)
        return;
    assert_int_equal(truncate(key_path, 0), 0);
    assert_int_equal(chown(key_path, 1, 1), 0);
    snprintf(lines, sizeof lines, "f:3:10: '%s' belongs to another user; root must own it\n", key_path);
    expect(text, lines);
}

/* As many as there may be of something in a source, and one more. */
static void check_limit(const char *before, const char *statement, const char *rest, const char *after, unsigned limit,
                        const char *refusal)
{
    for (unsigned more = 0; more < 2; more++) {
        char *text = NULL;
        size_t length;
        FILE *out = open_memstream(&text, &length);
        struct world world;

        assert_non_null(out);
        fprintf(out, "source a {%s\n", before);
        for (unsigned i = 1; i <= limit + more; i++)
            fprintf(out, "%s%u%s\n", statement, i, rest);
        fprintf(out, "%snic e { 192.0.2.10/24 dev eth0 } }\n", after);
        assert_int_equal(fclose(out), 0);
        read_text(&world, text);
        assert_int_equal(world.r, more ? -EINVAL : 0);
        if (more) {
            assert_int_equal(world.messages.n_errors, 1);
            assert_non_null(strstr(world.printed, refusal));
        }
        end(&world);
        free(text);
    }
}

static void test_limits(void **state)
{
    (void)state;
    check_limit("", "probe tcp ", "", "", LIMIT_CHECKS_PER_SOURCE, ": more than 1024 checks in one source\n");
    check_limit("", "probe exec /x", " { }", "", LIMIT_CHECKS_PER_SOURCE, ": more than 1024 checks in one source\n");
    check_limit("", "hook alarm /x", "", "", LIMIT_HOOKS_PER_SOURCE, "f:66:1: more than 64 hooks in one source\n");
    check_limit("", "unit x", ".service", "", LIMIT_UNITS_PER_SOURCE, "f:66:1: more than 64 units in one source\n");
    check_limit("dns { server ::1; zone a; key-file /path/to/key", "record x", ".a A 192.0.2.1", "} ",
                LIMIT_RECORDS_PER_SOURCE, "f:66:1: more than 64 records in one source\n");
}

/* In the whole file, where each source is within its own limit. */
static void test_limit_of_all(void **state)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    struct world world;

    (void)state;
    assert_non_null(out);
    for (unsigned i = 0; i <= LIMIT_CHECKS / 1000; i++) {
        fprintf(out, "source s%u { nic e { 192.0.2.%u/32 dev eth0 }\n", i, i + 1);
        for (unsigned k = 1; k <= 1000 && i * 1000 + k <= LIMIT_CHECKS + 2; k++)
            fprintf(out, "probe tcp %u\n", k);
        fputs("}\n", out);
    }
    assert_int_equal(fclose(out), 0);
    read_text(&world, text);
    assert_int_equal(world.messages.n_errors, 1);
    assert_non_null(strstr(world.printed, "f:20042:1: more than 20000 checks\n"));
    end(&world);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_defaults),
        cmocka_unit_test(test_check_values),
        cmocka_unit_test(test_schemes),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_check_equal),
        cmocka_unit_test_setup_teardown(test_dns, make_key, remove_key),
        cmocka_unit_test_setup_teardown(test_key, make_key, remove_key),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_limit_of_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
