/* SPDX-License-Identifier: Apache-2.0 */
/* What is a request and what is not: the pure reading of one line. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/control/request.h"
#include "agent/control/server.h"

static void assert_refused(const char *line, size_t length, const char *why)
{
    json_t *request = NULL;
    char error[CONTROL_ERROR_TEXT] = "";

    assert_int_equal(control_request_parse(line, length, &request, error), -EBADMSG);
    assert_null(request);
    if (!strstr(error, why))
        fail_msg("\"%s\" was refused with \"%s\", not with \"%s\"", line, error, why);
}

static void test_whole_request(void **state)
{
    static const char line[] = "{\"command\":\"failback\",\"source\":\"web1\",\"nic\":\"eth0\",\"force\":true}";
    char error[CONTROL_ERROR_TEXT];
    json_t *request;

    (void)state;
    assert_int_equal(control_request_parse(line, strlen(line), &request, error), 0);
    assert_string_equal(json_string_value(json_object_get(request, "command")), "failback");
    assert_string_equal(json_string_value(json_object_get(request, "source")), "web1");
    assert_string_equal(json_string_value(json_object_get(request, "nic")), "eth0");
    assert_true(json_is_true(json_object_get(request, "force")));
    json_decref(request);
}

static void test_blanks_around(void **state)
{
    static const char line[] = "  { \"command\" : \"status\" }\t\r";
    char error[CONTROL_ERROR_TEXT];
    json_t *request;

    (void)state;
    assert_int_equal(control_request_parse(line, strlen(line), &request, error), 0);
    json_decref(request);
}

static void test_refused(void **state)
{
    static const struct {
        const char *line, *why;
    } cases[] = {
        {"", "not one line of valid JSON"},
        {"status", "not one line of valid JSON"},
        {"{\"command\":\"status\"", "not one line of valid JSON"},
        {"{\"command\":\"status\"} x", "not one line of valid JSON"},
        {"{\"command\":\"status\"}{\"command\":\"status\"}", "not one line of valid JSON"},
        {"{\"command\":\"status\",\"command\":\"failback\"}", "not one line of valid JSON"},
        {"{\"command\":\"a\\u0000b\"}", "not one line of valid JSON"},
        {"{\"command\":\"\xff\xfe\"}", "not one line of valid JSON"},
        {"[\"command\"]", "not a JSON object"},
        {"{}", "no \"command\""},
        {"{\"source\":\"web1\"}", "no \"command\""},
        {"{\"command\":1}", "\"command\" is not a string"},
        {"{\"command\":\"\"}", "\"command\" is empty"},
        {"{\"command\":\"failback\",\"source\":null}", "\"source\" is not a string"},
        {"{\"command\":\"failback\",\"source\":\"\"}", "\"source\" is empty"},
        {"{\"command\":\"failback\",\"source\":\"web1\",\"nic\":[]}", "\"nic\" is not a string"},
        {"{\"command\":\"failover\",\"source\":\"web1\",\"force\":\"yes\"}", "\"force\" is not true or false"},
        {"{\"command\":\"failback\",\"nic\":\"eth0\"}", "needs its \"source\""},
        /* Would give back the whole source if it were passed over. */
        {"{\"command\":\"failback\",\"source\":\"web1\",\"nci\":\"eth0\"}", "no other key"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_refused(cases[i].line, strlen(cases[i].line), cases[i].why);
}

static void test_nul_bytes(void **state)
{
    static const char nul_behind[] = "{\"command\":\"status\"}\0{\"command\":\"failback\"}";

    (void)state;
    assert_refused("\0\0\0\0", 4, "not one line of valid JSON");
    assert_refused(nul_behind, sizeof nul_behind - 1, "not one line of valid JSON");
}

static void test_length_limits(void **state)
{
    char line[CONTROL_LINE_MAX + 2], name[160], error[CONTROL_ERROR_TEXT];
    json_t *request;

    (void)state;
    memset(line, ' ', sizeof line);
    memcpy(line, "{\"command\":\"status\"}", strlen("{\"command\":\"status\"}"));
    assert_int_equal(control_request_parse(line, CONTROL_LINE_MAX, &request, error), 0);
    json_decref(request);
    assert_refused(line, CONTROL_LINE_MAX + 1, "longer than 4096 bytes");

    snprintf(name, sizeof name, "{\"command\":\"failback\",\"source\":\"%063d\"}", 1);
    assert_int_equal(control_request_parse(name, strlen(name), &request, error), 0);
    json_decref(request);
    snprintf(name, sizeof name, "{\"command\":\"failback\",\"source\":\"%064d\"}", 1);
    assert_refused(name, strlen(name), "longer than 63 bytes");
}

static void test_deep_nesting(void **state)
{
    char line[CONTROL_LINE_MAX];

    (void)state;
    memset(line, '[', sizeof line);
    assert_refused(line, sizeof line, "not one line of valid JSON");
    memset(line, ']', sizeof line);
    memset(line, '[', sizeof line / 2);
    assert_refused(line, sizeof line, "JSON");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_request), cmocka_unit_test(test_blanks_around), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_nul_bytes),     cmocka_unit_test(test_length_limits), cmocka_unit_test(test_deep_nesting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
