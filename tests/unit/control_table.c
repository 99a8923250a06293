/* SPDX-License-Identifier: Apache-2.0 */
/* What people see: golden tables, folding, wrapping, colours, and what must not reach a terminal as it is. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/control/table.h"
#include "agent/control/text.h"
#include "tests/unit/control_sample.h"

static const char golden_status[] = "4 source NICs: 1 blocked, 1 holding, 1 late, 1 up\n"
                                    "standind 0.1.0, pid 812, up 3 d 4 h\n"
                                    "ipmap /etc/standin/ipmap.conf, generation 2\n"
                                    "warning: the newest ipmap is not in effect: /etc/standin/ipmap.conf:12:5:\n"
                                    "         unknown statement `intervall`, perhaps `interval`\n"
                                    "warning: no real-time scheduling: refused: Operation not permitted\n"
                                    "\n"
                                    "SOURCE/NIC          STATE      SINCE      EVIDENCE\n"
                                    "fw/lan              blocked    4 m 12 s   paused; 0 of 1 up, 1 failed\n"
                                    "  eth2 has no carrier: our own cable is out, which says nothing about the source\n"
                                    "  203.0.113.1/24    lost       missed 5/5, cannot probe: Network is down\n"
                                    "                    refused, dev eth2: Cannot assign requested address\n"
                                    "db1/eth0            holding    12.3 s     2 of 2 held, 1 confirmed, 1\n"
                                    "                                          unconfirmed, the source answers too\n"
                                    "  no answer in 5 rounds from any address, and the witness 192.0.2.1 answered;\n"
                                    "  `standinctl failback db1/eth0` gives the addresses back\n"
                                    "  192.0.2.10/24     lost       missed 5/5, last icmp 13.3 s ago\n"
                                    "                    held on eth0, confirmed by 192.0.2.1 in 0.84 ms\n"
                                    "  2001:db8::10/64   lost       missed 5/5, never answered\n"
                                    "                    held on eth0, unconfirmed; the source answers for it too\n"
                                    "db1/eth1            late       400 ms     0 of 1 up, lost in 600 ms\n"
                                    "  198.51.100.10/24  late       missed 2/5, last arp 512 ms ago, dev eth1\n"
                                    "  198.51.100.11/24  -          not monitored, dev eth1\n"
                                    "web1/eth0           up         3 d 4 h    1 up\n"
                                    "  192.0.2.20/24     up         last arp 80 ms ago, dev eth0 or eth1\n"
                                    "\n"
                                    "SOURCE            SERVICES   SINCE      CHECKS\n"
                                    "db1               failed     13.0 s     at rest while it is held here\n"
                                    "  under way: hook post-takeover /usr/local/sbin/tell\n"
                                    "  last trouble: start of unit postgresql@db1.service: the job ended as failed;\n"
                                    "  see its journal\n"
                                    "  DNS name: here: serial 2026112501\n"
                                    "  tcp 5432        resting    missed 1/3, timed out, took 1.0 s, 14.0 s ago; 1\n"
                                    "                             round could not be run\n"
                                    "  unit srv-db1.mount: started\n"
                                    "  unit postgresql@db1.service: failed: the job ended as failed; see its journal\n"
                                    "web1              awaiting   5.0 s      1 of 3 checks pass, 1 failed\n"
                                    "  the file says `on service manual`: standinctl approve or deny\n"
                                    "  tcp 443         passing    accepted, took 0.42 ms, 300 ms ago\n"
                                    "  https://www.example.net/health\n"
                                    "                  failed     missed 4/3, status 503, took 31 ms, 2.0 s ago\n"
                                    "  /usr/lib/checks/replication -v\n"
                                    "                  unknown    under way, 10 ms ago\n"
                                    "\n"
                                    "TARGET NIC       LINK        OWN ADDRESS      WITNESS\n"
                                    "eth0             up          192.0.2.9        192.0.2.1 answered 0.4 s ago\n"
                                    "eth1             up          198.51.100.9     none configured; the gateway\n"
                                    "                                              198.51.100.1 answered 0.1 s ago\n"
                                    "eth2             no carrier  none             none\n";

/* With a source named: the timing of the agent, and the counts of each address that was ever probed. */
static const char golden_timing[] = "woke late by 95 us (p99), 2.10 ms (most); stalls: 1 in 1234567 turns\n";
static const char golden_counts[] = "                    mac 52:54:00:12:34:56, 1000 rounds: 990 answered, 5 missed,\n"
                                    "                    1 late, 4 void; rtt min 0.18 ms, avg 0.22 ms, p99 1.40 ms\n";

static const char golden_ipmap[] = "# /etc/standin/ipmap.conf, as it is in effect\n"
                                   "\n"
                                   "source db1 {\n"
                                   "    interval 200ms\n"
                                   "    misses 5\n"
                                   "    takeover automatic\n"
                                   "    nic eth0 {\n"
                                   "        trigger all\n"
                                   "        192.0.2.10/24        dev eth0 or eth1\n"
                                   "        2001:db8::10/64      dev eth0\n"
                                   "    }\n"
                                   "    nic eth1 {\n"
                                   "        trigger any\n"
                                   "        198.51.100.10/24     dev eth1\n"
                                   "        198.51.100.11/24     dev eth1 { monitor no }\n"
                                   "    }\n"
                                   "}\n"
                                   "\n"
                                   "source web1 {\n"
                                   "    interval 200ms\n"
                                   "    misses 5\n"
                                   "    takeover automatic\n"
                                   "    nic eth0 {\n"
                                   "        trigger all\n"
                                   "        192.0.2.20/24        dev eth0 or eth1\n"
                                   "    }\n"
                                   "}\n"
                                   "\n"
                                   "source fw {\n"
                                   "    interval 1s\n"
                                   "    misses 3\n"
                                   "    takeover notify\n"
                                   "    nic lan {\n"
                                   "        trigger all\n"
                                   "        203.0.113.1/24       dev eth2\n"
                                   "    }\n"
                                   "}\n";

static char *status_of(const json_t *report, const struct table_style *style)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    table_print_status(out, report, style);
    fclose(out);
    return text;
}

static size_t count_lines(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void test_status(void **state)
{
    const struct table_style style = {0};
    json_t *report = report_to_json(&sample_report);
    char *text = status_of(report, &style);

    (void)state;
    assert_string_equal(text, golden_status);
    free(text);
    json_decref(report);
}

static void test_status_of_one_source(void **state)
{
    const struct table_style style = {.detailed = true};
    json_t *report = report_to_json(&sample_report);
    char *text = status_of(report, &style);

    (void)state;
    assert_non_null(strstr(text, golden_timing));
    assert_non_null(strstr(text, golden_counts));
    assert_null(strstr(text, " 0 rounds"));
    free(text);
    json_decref(report);
}

static void test_ipmap(void **state)
{
    json_t *report = report_to_json(&sample_report);
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    (void)state;
    table_print_ipmap(out, report);
    fclose(out);
    assert_string_equal(text, golden_ipmap);
    free(text);
    json_decref(report);
}

static void test_lines_fit_the_screen(void **state)
{
    const struct table_style style = {.detailed = true};
    json_t *report = report_to_json(&sample_report);
    char *text = status_of(report, &style);

    (void)state;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        assert_true(strlen(line) <= TEXT_COLUMNS);
    free(text);
    json_decref(report);
}

static void test_colours_change_nothing_else(void **state)
{
    const struct table_style style = {.colour = true};
    json_t *report = report_to_json(&sample_report);
    char *text = status_of(report, &style), *to = text;

    (void)state;
    assert_non_null(strstr(text, "\033[1;31mblocked"));
    assert_non_null(strstr(text, "\033[32mup"));
    for (const char *from = text; *from;) {
        if (*from == '\033')
            from = strchr(from, 'm') + 1;
        else
            *to++ = *from++;
    }
    *to = '\0';
    assert_string_equal(text, golden_status);
    free(text);
    json_decref(report);
}

/* A report of n sources, of which every hundredth is held. */
static json_t *many_sources(size_t n)
{
    json_t *report = report_to_json(&sample_report), *sources = json_array();

    for (size_t i = 0; i < n; i++) {
        json_t *source = json_deep_copy(json_array_get(json_object_get(report, "sources"), i % 100 == 7 ? 0 : 1));
        char name[32];

        snprintf(name, sizeof name, "host%zu", i);
        json_object_set_new(source, "name", json_string(name));
        if (i % 100 != 7)
            json_object_set_new(source, "service", json_string("passing"));
        if (i % 100 == 7)
            json_array_remove(json_object_get(source, "nics"), 1);
        json_array_append_new(sources, source);
    }
    json_object_set_new(report, "sources", sources);
    return report;
}

static void test_many_sources_fold(void **state)
{
    const struct table_style style = {0}, detailed = {.detailed = true};
    json_t *report = many_sources(200);
    char *text = status_of(report, &style), *all = status_of(report, &detailed), *held, *up;

    (void)state;
    assert_ptr_equal(strstr(text, "200 source NICs: 2 holding, 198 up\n"), text);
    /* One line for each that is well; what is not comes first, in full. */
    assert_true(count_lines(text) < 250);
    assert_non_null(strstr(text, "\nthe services of 198 more pass; `standinctl status SOURCE` lists them\n"));
    held = strstr(text, "host107/eth0");
    up = strstr(text, "host0/eth0");
    assert_non_null(held);
    assert_non_null(up);
    assert_true(held < up);
    assert_non_null(strstr(text, "confirmed by 192.0.2.1"));
    assert_true(count_lines(all) > 400);
    free(text);
    free(all);
    json_decref(report);
}

static void test_many_addresses_fold(void **state)
{
    const struct table_style style = {0}, detailed = {.detailed = true};
    json_t *report = report_to_json(&sample_report);
    json_t *nic = json_array_get(json_object_get(json_array_get(json_object_get(report, "sources"), 1), "nics"), 0);
    json_t *addresses = json_object_get(nic, "addresses");
    char *text;

    (void)state;
    for (int i = 0; i < 9; i++)
        json_array_append_new(addresses, json_deep_copy(json_array_get(addresses, 0)));
    text = status_of(report, &style);
    assert_non_null(
        strstr(text, "10 up, last arp 80 ms ago\n  10 addresses, listed by `standinctl status web1/eth0`\n"));
    assert_null(strstr(text, "192.0.2.20/24"));
    free(text);
    text = status_of(report, &detailed);
    assert_null(strstr(text, "listed by"));
    assert_non_null(strstr(text, "192.0.2.20/24"));
    free(text);
    json_decref(report);
}

static void test_empty_and_strange_reports(void **state)
{
    static const char *const reports[] = {
        "{}",
        "{\"agent\":null,\"sources\":7,\"targets\":\"x\"}",
        "{\"sources\":[{}, 3, {\"nics\":[{}, null, {\"state\":\"dancing\",\"addresses\":[{}, 1]}]}],\"targets\":[{}]}",
    };
    const struct table_style style = {.detailed = true};

    (void)state;
    for (size_t i = 0; i < sizeof reports / sizeof reports[0]; i++) {
        json_t *report = json_loads(reports[i], 0, NULL);
        char *text = status_of(report, &style);

        assert_non_null(strstr(text, i == 2 ? "3 source NICs: 3 unknown" : "0 source NICs"));
        free(text);
        json_decref(report);
    }
}

static void test_long_names_keep_the_columns(void **state)
{
    const struct table_style style = {0};
    json_t *report = report_to_json(&sample_report);
    json_t *source = json_array_get(json_object_get(report, "sources"), 1);
    char *text;

    (void)state;
    json_object_set_new(source, "name",
                        json_string("a-source-with-a-name-of-sixty-three-bytes-which-is-the-most-ther"));
    text = status_of(report, &style);
    assert_non_null(strstr(text, "-the-most-ther/eth0\n                    up         3 d 4 h    1 up\n"));
    free(text);
    json_decref(report);
}

static void test_sanitise(void **state)
{
    static const char *const cases[][2] = {
        {"plain text, na\xc3\xafve", "plain text, na\xc3\xafve"},
        {"a\033[2Jb\a\r\t\x7f", "a?[2Jb????"},
        {"two\nlines", "two\nlines"},
        {"c1 \xc2\x9b"
         "31m",
         "c1 ?31m"},
        {"\xc2\xa0 and \xc3\x80", "\xc2\xa0 and \xc3\x80"},
        {"bidi \xe2\x80\xae"
         "gpj.exe",
         "bidi ?gpj.exe"},
        {"isolate \xe2\x81\xa6x\xe2\x81\xa9", "isolate ?x?"},
    };
    json_t *value = json_pack("{s:[s], s:{}, s:i}", "list", "", "object", "number", 1);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_array_set_new(json_object_get(value, "list"), 0, json_string(cases[i][0]));
        text_sanitise(value);
        assert_string_equal(json_string_value(json_array_get(json_object_get(value, "list"), 0)), cases[i][1]);
    }
    json_decref(value);
}

static void test_durations(void **state)
{
    static const struct {
        nsec_t duration_ns;
        const char *text;
    } cases[] = {
        {-1, "0 us"},
        {0, "0 us"},
        {95 * NSEC_PER_USEC, "95 us"},
        {840 * NSEC_PER_USEC, "0.84 ms"},
        {9999 * NSEC_PER_USEC, "9.99 ms"},
        {80 * NSEC_PER_MSEC, "80 ms"},
        {999999 * NSEC_PER_USEC, "999 ms"},
        {13300 * NSEC_PER_MSEC, "13.3 s"},
        {59999 * NSEC_PER_MSEC, "59.9 s"},
        {60 * NSEC_PER_SEC, "1 m"},
        {252 * NSEC_PER_SEC, "4 m 12 s"},
        {90 * NSEC_PER_MIN, "1 h 30 m"},
        {76 * NSEC_PER_HOUR, "3 d 4 h"},
        {NSEC_NEVER - 1, "106751 d 23 h"},
        {NSEC_NEVER, "never"},
    };
    char text[TEXT_DURATION];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(text_duration(cases[i].duration_ns, text), cases[i].text);
}

static void test_durations_read(void **state)
{
    static const struct {
        const char *text;
        int r;
        nsec_t duration_ns;
    } cases[] = {
        {"60s", 0, 60 * NSEC_PER_SEC},
        {"1ms", 0, NSEC_PER_MSEC},
        {"24h", 0, 24 * NSEC_PER_HOUR},
        {"2m", 0, 2 * NSEC_PER_MIN},
        {"1000us", 0, NSEC_PER_MSEC},
        {"999us", -ERANGE, 7},
        {"0s", -ERANGE, 7},
        {"25h", -ERANGE, 7},
        {"99999999999999999999s", -ERANGE, 7},
        {"60", -EINVAL, 7},
        {"s", -EINVAL, 7},
        {"-1s", -EINVAL, 7},
        {" 1s", -EINVAL, 7},
        {"1.5s", -EINVAL, 7},
        {"1s ", -EINVAL, 7},
        {"", -EINVAL, 7},
        {"1S", -EINVAL, 7},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        nsec_t duration_ns = 7;

        assert_int_equal(text_parse_duration(cases[i].text, &duration_ns), cases[i].r);
        assert_int_equal(duration_ns, cases[i].duration_ns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_status_of_one_source),
        cmocka_unit_test(test_ipmap),
        cmocka_unit_test(test_lines_fit_the_screen),
        cmocka_unit_test(test_colours_change_nothing_else),
        cmocka_unit_test(test_many_sources_fold),
        cmocka_unit_test(test_many_addresses_fold),
        cmocka_unit_test(test_empty_and_strange_reports),
        cmocka_unit_test(test_long_names_keep_the_columns),
        cmocka_unit_test(test_sanitise),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_durations_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
