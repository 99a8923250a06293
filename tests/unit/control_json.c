/* SPDX-License-Identifier: Apache-2.0 */
/* The report as JSON: the form that scripts build on, so each key and each null is held by a golden text. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/control_sample.h"

static const char golden[] =
    "{\"agent\": {\"version\": \"0.1.0\", \"file\": \"/etc/standin/ipmap.conf\", \"file_generation\": 2, "
    "\"file_error\": \"/etc/standin/ipmap.conf:12:5: unknown statement `intervall`, "
    "perhaps `interval`\", \"uptime_ns\": 273600000000000, \"pid\": 812, \"paused\": false, "
    "\"realtime\": \"refused: Operation not permitted\", \"guard\": \"pid 813, removes after 1000 ms\", "
    "\"journal\": \"kept in /var/lib/standin\", \"memory_lock\": \"locked\", "
    "\"turns\": 1234567, \"stalls\": 1, \"lateness_p99_ns\": 95000, \"lateness_max_ns\": 2100000, "
    "\"lateness\": [{\"below_ns\": 1000, \"turns\": 5}, {\"below_ns\": 2000, \"turns\": 1234562}], "
    "\"netlink_overruns\": 0}, \"targets\": [{\"name\": \"eth0\", \"present\": true, \"up\": true, "
    "\"carrier\": true, \"own_address\": \"192.0.2.9\", "
    "\"witness\": \"192.0.2.1 answered 0.4 s ago\"}], \"sources\": [{\"name\": \"db1\", "
    "\"state\": \"holding\", \"healthy\": false, \"paused\": false, \"takeover\": \"automatic\", "
    "\"interval_ns\": 200000000, \"misses\": 5, \"nics\": [{\"name\": \"eth0\", \"state\": \"holding\", "
    "\"since_age_ns\": 12300000000, \"reason\": null, \"time_to_fail_ns\": null, "
    "\"approval_left_ns\": null, \"trigger\": \"all\", \"addresses\": [{\"ip\": \"192.0.2.10/24\", "
    "\"prefix\": 24, \"monitored\": true, \"life\": \"lost\", \"cannot_probe\": null, "
    "\"mac\": \"52:54:00:12:34:56\", \"misses\": 5, \"misses_limit\": 5, "
    "\"last_answer_age_ns\": 13300000000, \"last_answer_probe\": \"icmp\", \"rtt_min_ns\": 180000, "
    "\"rtt_avg_ns\": 220000, \"rtt_p99_ns\": 1400000, \"wait_ns\": 1220000, \"rounds\": 1000, \"answered\": 990, "
    "\"missed\": 5, \"late\": 1, \"voided\": 4, \"dev\": \"eth0\", \"fallback\": \"eth1\", "
    "\"claim\": \"held\", \"claim_error\": null, \"held_on\": \"eth0\", \"proof\": \"confirmed\", "
    "\"proof_by\": \"192.0.2.1\", \"proof_after_ns\": 840000, \"announced\": 6, "
    "\"source_answers\": false}, {\"ip\": \"2001:db8::10/64\", \"prefix\": 64, \"monitored\": true, "
    "\"life\": \"lost\", \"cannot_probe\": null, \"mac\": null, \"misses\": 5, \"misses_limit\": 5, "
    "\"last_answer_age_ns\": null, \"last_answer_probe\": null, \"rtt_min_ns\": null, "
    "\"rtt_avg_ns\": null, \"rtt_p99_ns\": null, \"wait_ns\": null, \"rounds\": 0, \"answered\": 0, \"missed\": 0, "
    "\"late\": 0, \"voided\": 0, \"dev\": \"eth0\", \"fallback\": null, \"claim\": \"held\", "
    "\"claim_error\": null, \"held_on\": \"eth0\", \"proof\": \"unconfirmed\", \"proof_by\": null, "
    "\"proof_after_ns\": null, \"announced\": 6, \"source_answers\": true}]}], "
    "\"service\": \"failed\", \"service_since_age_ns\": 13000000000, \"service_reason\": null, "
    "\"on_service\": \"notify\", \"step\": \"hook post-takeover /usr/local/sbin/tell\", "
    "\"step_age_ns\": 2000000000, "
    "\"trouble\": \"start of unit postgresql@db1.service: the job ended as failed; see its journal\", "
    "\"dns\": \"here\", \"dns_text\": \"serial 2026112501\", \"checks\": [{\"name\": \"tcp 5432\", "
    "\"state\": \"resting\", \"running\": false, \"misses\": 1, \"misses_limit\": 3, "
    "\"begun_age_ns\": 14000000000, \"passed_age_ns\": 15000000000, \"took_ns\": 1000000000, "
    "\"outcome\": \"timed out\", \"rounds\": 900, \"passes\": 898, \"failures\": 1, \"unable\": 1}], "
    "\"units\": [{\"name\": \"srv-db1.mount\", \"state\": \"started\", \"text\": null}, "
    "{\"name\": \"postgresql@db1.service\", \"state\": \"failed\", "
    "\"text\": \"the job ended as failed; see its journal\"}, "
    "{\"name\": \"standin-db1.target\", \"state\": null, \"text\": null}]}]}";

static void test_golden(void **state)
{
    struct report_nic nic = sample_db1_nics[0];
    struct report_source source = sample_sources[0];
    struct report report = sample_report;
    json_t *expected = json_loads(golden, 0, NULL), *made;
    char *expected_text, *made_text;

    (void)state;
    assert_non_null(expected);
    nic.reason = NULL;
    source.nics = &nic;
    source.n_nics = 1;
    report.sources = &source;
    report.n_sources = 1;
    report.n_targets = 1;
    made = report_to_json(&report);
    /* As text, so that the order of the keys counts as well. */
    expected_text = json_dumps(expected, JSON_INDENT(1));
    made_text = json_dumps(made, JSON_INDENT(1));
    assert_string_equal(made_text, expected_text);
    free(expected_text);
    free(made_text);
    json_decref(expected);
    json_decref(made);
}

static void test_unset_is_null(void **state)
{
    const struct report_address address = {.last_answer_age_ns = NSEC_NEVER};
    const struct report_nic nic = {.time_to_fail_ns = NSEC_NEVER, .addresses = &address, .n_addresses = 1};
    const struct report_source source = {.nics = &nic, .n_nics = 1};
    const struct report report = {.sources = &source, .n_sources = 1};
    static const char *const nulls[] = {
        "ip",          "life",          "cannot_probe",      "mac",   "last_answer_age_ns",
        "rtt_min_ns",  "rtt_avg_ns",    "rtt_p99_ns",        "dev",   "fallback",
        "claim",       "held_on",       "last_answer_probe", "proof", "proof_by",
        "claim_error", "proof_after_ns"};
    json_t *made = report_to_json(&report), *nics, *json;

    (void)state;
    assert_true(json_is_array(json_object_get(made, "targets")));
    assert_int_equal(json_array_size(json_object_get(made, "targets")), 0);
    nics = json_object_get(json_array_get(json_object_get(made, "sources"), 0), "nics");
    json = json_array_get(nics, 0);
    assert_true(json_is_null(json_object_get(json, "time_to_fail_ns")));
    json = json_array_get(json_object_get(json, "addresses"), 0);
    for (size_t i = 0; i < sizeof nulls / sizeof nulls[0]; i++)
        assert_true(json_is_null(json_object_get(json, nulls[i])));
    assert_true(json_is_false(json_object_get(json, "monitored")));
    assert_int_equal(json_integer_value(json_object_get(json, "misses")), 0);
    json_decref(made);
}

static void test_text_that_is_not_utf8(void **state)
{
    const struct report report = {.agent = {.version = "caf\xe9", .file = "na\xc3\xafve", .turns = UINT64_MAX}};
    json_t *made = report_to_json(&report), *agent = json_object_get(made, "agent");

    (void)state;
    assert_string_equal(json_string_value(json_object_get(agent, "version")), "caf?");
    assert_string_equal(json_string_value(json_object_get(agent, "file")), "na\xc3\xafve");
    assert_true(json_integer_value(json_object_get(agent, "turns")) == INT64_MAX);
    json_decref(made);
}

/* The two ways into JSON must not part: the text that the agent sends, and the tree. */
static void assert_same_answer(const struct report *report)
{
    char *text = report_to_answer(report);
    json_t *answer = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *made = report_to_json(report);

    assert_null(strchr(text, '\n'));
    assert_true(json_is_true(json_object_get(answer, "ok")));
    assert_int_equal(json_object_size(answer), 2);
    assert_true(json_equal(json_object_get(answer, "report"), made));
    free(text);
    json_decref(answer);
    json_decref(made);
}

static void test_answer_as_text(void **state)
{
    const struct report empty = {0};
    const struct report strange = {.agent = {.version = "caf\xe9",
                                             .file = "na\xc3\xafve",
                                             .file_error = "a \"quoted\" \\ and\nbroken\tline \x7f \x01",
                                             .realtime = "",
                                             .turns = UINT64_MAX,
                                             .pid = INT64_MIN,
                                             .lateness_max_ns = NSEC_NEVER}};

    (void)state;
    assert_same_answer(&sample_report);
    assert_same_answer(&empty);
    assert_same_answer(&strange);
}

static void test_healthy(void **state)
{
    struct report_source sources[2] = {{.healthy = true}, {.healthy = true}};
    const struct report report = {.sources = sources, .n_sources = 2}, empty = {0};

    (void)state;
    assert_true(report_is_healthy(&empty));
    assert_true(report_is_healthy(&report));
    sources[1].healthy = false;
    assert_false(report_is_healthy(&report));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_unset_is_null),
        cmocka_unit_test(test_text_that_is_not_utf8),
        cmocka_unit_test(test_answer_as_text),
        cmocka_unit_test(test_healthy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
