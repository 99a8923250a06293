/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and answers as packets: there and back, and whatever must be refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/effects/job.h"

#define RUN "{\"id\":1,\"run\":[\"/bin/true\"],\"timeout_ms\":10"
#define URL "{\"id\":2,\"url\":{\"url\":\"http://a/\",\"timeout_ms\":10"
#define DNS                                                                                                      \
    "{\"id\":3,\"dns\":{\"direction\":\"claim\",\"server\":\"192.0.2.53\",\"port\":53,\"zone\":\"example.net\"," \
    "\"key_name\":\"k\",\"key_algorithm\":\"hmac-sha256\",\"key_secret\":\"c2VjcmV0\",\"ttl_s\":60,"             \
    "\"timeout_ms\":10,\"retries\":2"
#define RECORD "{\"name\":\"www.example.net\",\"address\":\"192.0.2.1\"}"

static struct ip_address ip_of(const char *text)
{
    struct ip_address ip;

    assert_int_equal(ip_address_parse(text, &ip), 0);
    return ip;
}

static int parse(const char *text, struct job_request *ret)
{
    uint64_t id;

    return job_request_parse(text, strlen(text), ret, &id);
}

static void assert_read(const char *text)
{
    struct job_request request;

    if (parse(text, &request) < 0)
        fail_msg("refused: %s", text);
    job_request_free(&request);
}

static void assert_refused(const char *text)
{
    struct job_request request = {.id = 77};

    if (parse(text, &request) != -EBADMSG)
        fail_msg("not refused: %s", text);
    assert_int_equal(request.id, 77);
}

/* Builds, reads what was built, builds that, and compares the two texts. */
static struct job_request there_and_back(const struct job_request *request, const char *expected)
{
    struct job_request read;
    char *first, *second;
    size_t length, again;

    assert_int_equal(job_request_build(request, &first, &length), 0);
    assert_int_equal(length, strlen(first));
    if (expected)
        assert_string_equal(first, expected);
    assert_int_equal(parse(first, &read), 0);
    assert_int_equal(job_request_build(&read, &second, &again), 0);
    assert_string_equal(first, second);
    assert_int_equal(read.id, request->id);
    assert_int_equal(read.kind, request->kind);
    free(first);
    free(second);
    return read;
}

static void commands(void **state)
{
    struct job_request request = {.id = 1,
                                  .kind = JOB_RUN,
                                  .run = {.argv = {"/bin/echo", "", "\xc3\xa4 \"\n"},
                                          .check = true,
                                          .name = "web1",
                                          .user = "nobody",
                                          .env = {"A=", "B=c=d"},
                                          .input = "{}\n",
                                          .timeout_ns = 1500 * NSEC_PER_MSEC}};
    struct job_request read = there_and_back(
        &request, "{\"id\":1,\"run\":[\"/bin/echo\",\"\",\"\xc3\xa4 \\\"\\n\"],\"check\":true,\"name\":\"web1\","
                  "\"user\":\"nobody\",\"env\":[\"A=\",\"B=c=d\"],\"stdin\":\"{}\\n\",\"timeout_ms\":1500}");

    (void)state;
    assert_string_equal(read.run.argv[2], request.run.argv[2]);
    assert_null(read.run.argv[3]);
    assert_null(read.run.env[2]);
    assert_false(read.run.shell);
    assert_int_equal(job_limit_ns(&read), 1500 * NSEC_PER_MSEC);
    job_request_free(&read);

    request = (struct job_request){
        .id = INT64_MAX, .kind = JOB_RUN, .run = {.argv = {"exit 3"}, .shell = true, .timeout_ns = 1}};
    read =
        there_and_back(&request, "{\"id\":9223372036854775807,\"run\":[\"exit 3\"],\"shell\":true,\"timeout_ms\":1}");
    assert_null(read.run.user);
    assert_null(read.run.input);
    job_request_free(&read);

    request = (struct job_request){.id = 5, .kind = JOB_KILL};
    read = there_and_back(&request, "{\"id\":5,\"kill\":true}");
    job_request_free(&read);
}

static void urls(void **state)
{
    struct job_request request = {.id = 2,
                                  .kind = JOB_URL,
                                  .url = {.url = "https://192.0.2.20/health",
                                          .timeout_ns = NSEC_PER_SEC,
                                          .expect = {{200, 299}, {304, 304}},
                                          .n_expect = 2,
                                          .body = "ok",
                                          .host = "shop.example.net",
                                          .verify = true,
                                          .redirects = true,
                                          .from = ip_of("2001:db8::1"),
                                          .from_dev = "eth0"}};
    struct job_request read = there_and_back(&request, NULL);

    (void)state;
    assert_int_equal(read.url.n_expect, 2);
    assert_int_equal(read.url.expect[0].to, 299);
    assert_true(ip_address_equal(&read.url.from, &request.url.from));
    assert_string_equal(read.url.from_dev, "eth0");
    job_request_free(&read);

    request = (struct job_request){.id = 2, .kind = JOB_URL, .url = {.url = "smtp://a", .timeout_ns = NSEC_PER_MSEC}};
    read = there_and_back(&request, "{\"id\":2,\"url\":{\"url\":\"smtp://a\",\"timeout_ms\":1}}");
    assert_int_equal(read.url.n_expect, 0);
    assert_int_equal(read.url.from.family, 0);
    assert_null(read.url.from_dev);
    assert_false(read.url.verify);
    job_request_free(&read);
}

static void names(void **state)
{
    struct job_request request = {.id = 3,
                                  .kind = JOB_DNS,
                                  .dns = {.direction = JOB_DNS_RESTORE,
                                          .server = ip_of("203.0.113.53"),
                                          .port = 53,
                                          .zone = "example.net",
                                          .key_name = "ddns",
                                          .key_algorithm = "hmac-sha512",
                                          .key_secret = "c2VjcmV0",
                                          .ttl_s = 60,
                                          .keep_old = "old.example.net",
                                          .records = {{"www.example.net", ip_of("198.51.100.20"), true},
                                                      {"www.example.net", ip_of("2001:db8::20"), false}},
                                          .n_records = 2,
                                          .timeout_ns = NSEC_PER_SEC,
                                          .retries = 2}};
    struct job_request read = there_and_back(&request, NULL);

    (void)state;
    assert_int_equal(read.dns.direction, JOB_DNS_RESTORE);
    assert_int_equal(read.dns.n_records, 2);
    assert_true(read.dns.records[0].ptr);
    assert_false(read.dns.records[1].ptr);
    assert_true(ip_address_equal(&read.dns.records[1].address, &request.dns.records[1].address));
    assert_string_equal(read.dns.key_secret, "c2VjcmV0");
    assert_int_equal(job_limit_ns(&read), 3 * NSEC_PER_SEC);
    job_request_free(&read);
}

static void refused_requests(void **state)
{
    static const char *const wrong[] = {
        "",
        "1",
        "[]",
        "{}",
        "{\"id\":1}",
        RUN,
        RUN "} ,",
        "{\"run\":[\"/bin/true\"],\"timeout_ms\":10}",
        "{\"id\":0,\"kill\":true}",
        "{\"id\":-1,\"kill\":true}",
        "{\"id\":1.0,\"kill\":true}",
        "{\"id\":\"1\",\"kill\":true}",
        "{\"id\":9223372036854775808,\"kill\":true}",
        "{\"id\":1,\"kill\":false}",
        "{\"id\":1,\"kill\":1}",
        "{\"id\":1,\"kill\":true,\"run\":[\"/bin/true\"],\"timeout_ms\":10}",
        "{\"id\":1,\"fly\":true}",
        RUN ",\"misspelt\":1}",
        RUN ",\"url\":{}}",
        RUN ",\"user\":\"a\",\"user\":\"b\"}",
        RUN ",\"user\":\"\"}",
        RUN ",\"user\":null}",
        RUN ",\"shell\":1}",
        RUN ",\"shell\":\"true\"}",
        RUN ",\"stdin\":\"\\u0000\"}",
        RUN ",\"env\":\"A=b\"}",
        RUN ",\"env\":[\"Ab\"]}",
        RUN ",\"env\":[\"=b\"]}",
        RUN ",\"env\":[1]}",
        "{\"id\":1,\"run\":[\"true\"],\"timeout_ms\":10}",
        "{\"id\":1,\"run\":[\"\"],\"timeout_ms\":10}",
        "{\"id\":1,\"run\":[],\"timeout_ms\":10}",
        "{\"id\":1,\"run\":\"/bin/true\",\"timeout_ms\":10}",
        "{\"id\":1,\"run\":[\"/bin/true\",[]],\"timeout_ms\":10}",
        "{\"id\":1,\"run\":[\"a\",\"b\"],\"shell\":true,\"timeout_ms\":10}",
        "{\"id\":1,\"run\":[\"/bin/true\"]}",
        "{\"id\":1,\"run\":[\"/bin/true\"],\"timeout_ms\":0}",
        "{\"id\":1,\"run\":[\"/bin/true\"],\"timeout_ms\":-5}",
        "{\"id\":1,\"run\":[\"/bin/true\"],\"timeout_ms\":1.5}",
        "{\"id\":1,\"run\":[\"/bin/true\"],\"timeout_ms\":3600001}",
        "{\"id\":1,\"run\":[\"/bin/\xff\"],\"timeout_ms\":10}",
        "{\"id\":2,\"url\":\"http://a/\"}",
        URL "}",
        URL "},\"more\":1}",
        URL ",\"scheme\":1}}",
        URL ",\"expect\":[200]}}",
        URL ",\"expect\":[{\"from\":200}]}}",
        URL ",\"expect\":[{\"from\":299,\"to\":200}]}}",
        URL ",\"expect\":[{\"from\":1,\"to\":65536}]}}",
        URL ",\"expect\":[{\"from\":1,\"to\":2,\"by\":1}]}}",
        URL ",\"from\":\"eth0\"}}",
        URL ",\"from_dev\":\"a-name-too-long-\"}}",
        DNS "}}",
        DNS ",\"records\":[]}}",
        DNS ",\"records\":[{\"name\":\"a\"}]}}",
        DNS ",\"records\":[{\"name\":\"a\",\"address\":\"192.0.2.1/24\"}]}}",
        DNS ",\"records\":[" RECORD "],\"ttl\":1}}",
    };

    (void)state;
    assert_read(RUN "}");
    assert_read(RUN ",\"shell\":false,\"env\":[],\"stdin\":\"\"}");
    assert_read(URL ",\"expect\":[{\"from\":200,\"to\":200}]}}");
    assert_read(DNS ",\"records\":[" RECORD "]}}");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_refused(wrong[i]);
}

/* Lists of one more than there is room for, texts of one byte more than is allowed. */
static void limits(void **state)
{
    static char text[JOB_PACKET_MAX + 2], word[JOB_STDIN_MAX + 2];
    struct job_request request = {.id = 1, .kind = JOB_RUN, .run = {.timeout_ns = NSEC_PER_SEC}};
    char *packet;
    size_t length, n;

    (void)state;
    for (size_t more = 0; more < 2; more++) {
        n = (size_t)snprintf(text, sizeof text, "{\"id\":1,\"timeout_ms\":1,\"run\":[\"/a\"");
        for (size_t i = 1; i < JOB_ARGS_MAX + more; i++)
            n += (size_t)snprintf(text + n, sizeof text - n, ",\"\"");
        snprintf(text + n, sizeof text - n, "]}");
        (more ? assert_refused : assert_read)(text);
        n = (size_t)snprintf(text, sizeof text, URL ",\"expect\":[{\"from\":1,\"to\":1}");
        for (size_t i = 1; i < JOB_EXPECT_MAX + more; i++)
            n += (size_t)snprintf(text + n, sizeof text - n, ",{\"from\":1,\"to\":1}");
        snprintf(text + n, sizeof text - n, "]}}");
        (more ? assert_refused : assert_read)(text);
        n = (size_t)snprintf(text, sizeof text, DNS ",\"records\":[" RECORD);
        for (size_t i = 1; i < JOB_RECORDS_MAX + more; i++)
            n += (size_t)snprintf(text + n, sizeof text - n, "," RECORD);
        snprintf(text + n, sizeof text - n, "]}}");
        (more ? assert_refused : assert_read)(text);
        memset(word, 'x', sizeof word);
        word[JOB_STDIN_MAX + more] = '\0';
        snprintf(text, sizeof text, RUN ",\"stdin\":\"%s\"}", word);
        (more ? assert_refused : assert_read)(text);
    }
    /* What the writer refuses. */
    request.run.argv[0] = "relative";
    assert_int_equal(job_request_build(&request, &packet, &length), -EINVAL);
    request.run.argv[0] = "/\xff";
    assert_int_equal(job_request_build(&request, &packet, &length), -EILSEQ);
    request.run.argv[0] = "/a";
    request.run.input = word;
    assert_int_equal(job_request_build(&request, &packet, &length), -EINVAL);
    memset(word, '\n', JOB_STDIN_MAX);
    word[JOB_STDIN_MAX] = '\0';
    assert_int_equal(job_request_build(&request, &packet, &length), -EMSGSIZE);
    request.run.input = NULL;
    request.id = 0;
    assert_int_equal(job_request_build(&request, &packet, &length), -EINVAL);
    request.id = 1;
    request.run.argv[0] = NULL;
    assert_int_equal(job_request_build(&request, &packet, &length), -EINVAL);
    /* Valid, but longer than a packet. */
    memset(text, ' ', sizeof text);
    memcpy(text, RUN, strlen(RUN));
    text[JOB_PACKET_MAX - 1] = '}';
    text[JOB_PACKET_MAX] = '\0';
    assert_read(text);
    memcpy(text + JOB_PACKET_MAX - 1, " }", 3);
    assert_refused(text);
}

/* The id of what is otherwise refused, so that it gets an answer. */
static void id_of_refused(void **state)
{
    static const char text[] = "{\"id\":7,\"fly\":true}", none[] = "{\"id\":[],\"kill\":true}";
    struct job_request request;
    uint64_t id = 1;

    (void)state;
    assert_int_equal(job_request_parse(text, strlen(text), &request, &id), -EBADMSG);
    assert_int_equal(id, 7);
    assert_int_equal(job_request_parse(none, strlen(none), &request, &id), -EBADMSG);
    assert_int_equal(id, 0);
}

static void answers(void **state)
{
    static const struct {
        struct job_answer answer;
        const char *packet;
    } rows[] = {
        {{.id = 1, .outcome = JOB_STARTED}, "{\"id\":1,\"started\":true}"},
        {{.id = 1, .outcome = JOB_EXITED, .status = 3, .took_ns = 12 * NSEC_PER_MSEC, .text = "a\n"},
         "{\"id\":1,\"exit\":3,\"ms\":12,\"output\":\"a\\n\"}"},
        {{.id = 1, .outcome = JOB_SIGNALLED, .status = 9, .text = ""},
         "{\"id\":1,\"signal\":9,\"ms\":0,\"output\":\"\"}"},
        {{.id = 1, .outcome = JOB_TIMED_OUT, .took_ns = NSEC_PER_SEC, .text = ""},
         "{\"id\":1,\"timeout\":true,\"ms\":1000,\"output\":\"\"}"},
        {{.id = 1, .outcome = JOB_REFUSED, .text = "why"}, "{\"id\":1,\"refused\":\"why\",\"ms\":0}"},
        {{.id = 1, .outcome = JOB_FAILED, .text = "why"}, "{\"id\":1,\"failed\":\"why\",\"ms\":0}"},
        {{.id = 2, .outcome = JOB_PASSED, .took_ns = NSEC_PER_MSEC, .text = "200"},
         "{\"id\":2,\"pass\":true,\"ms\":1,\"text\":\"200\"}"},
        {{.id = 2, .outcome = JOB_MISSED, .text = "reset"}, "{\"id\":2,\"pass\":false,\"ms\":0,\"text\":\"reset\"}"},
        {{.id = 2, .outcome = JOB_UNABLE, .text = "why"}, "{\"id\":2,\"unable\":\"why\",\"ms\":0}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct job_answer *answer = &rows[i].answer;
        struct job_answer read;
        char *packet;
        size_t length;

        assert_int_equal(job_answer_build(answer, &packet, &length), 0);
        assert_string_equal(packet, rows[i].packet);
        assert_int_equal(job_answer_parse(packet, length, &read), 0);
        assert_int_equal(read.id, answer->id);
        assert_int_equal(read.outcome, answer->outcome);
        assert_int_equal(read.status, answer->status);
        assert_int_equal(read.took_ns, answer->took_ns);
        assert_string_equal(read.text, answer->text ? answer->text : "");
        assert_true(job_outcome_name(read.outcome)[0] != '\0');
        job_answer_free(&read);
        free(packet);
    }
}

static void refused_answers(void **state)
{
    static const char *const wrong[] = {
        "{\"id\":1}",
        "{\"id\":1,\"started\":false}",
        "{\"id\":1,\"started\":true,\"ms\":1}",
        "{\"id\":1,\"exit\":256}",
        "{\"id\":1,\"exit\":-1}",
        "{\"id\":1,\"exit\":true}",
        "{\"id\":1,\"exit\":0,\"signal\":9}",
        "{\"id\":1,\"exit\":0,\"text\":\"\"}",
        "{\"id\":1,\"exit\":0,\"ms\":-1}",
        "{\"id\":1,\"signal\":65}",
        "{\"id\":1,\"timeout\":1}",
        "{\"id\":1,\"refused\":true}",
        "{\"id\":1,\"pass\":\"yes\"}",
        "{\"id\":1,\"pass\":true,\"output\":\"\"}",
        "{\"id\":1,\"unable\":null}",
        "{\"exit\":0}",
    };
    struct job_answer read = {.id = 77};
    char *packet;
    size_t length;

    (void)state;
    assert_int_equal(job_answer_parse("{\"id\":1,\"exit\":0}", 17, &read), 0);
    assert_string_equal(read.text, "");
    job_answer_free(&read);
    read.id = 77;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (job_answer_parse(wrong[i], strlen(wrong[i]), &read) != -EBADMSG || read.id != 77)
            fail_msg("not refused: %s", wrong[i]);
    read = (struct job_answer){.id = 1, .outcome = JOB_EXITED, .status = 256};
    assert_int_equal(job_answer_build(&read, &packet, &length), -EINVAL);
    read = (struct job_answer){.id = 1, .outcome = JOB_REFUSED};
    assert_int_equal(job_answer_build(&read, &packet, &length), -EINVAL);
    read.text = "\xff";
    assert_int_equal(job_answer_build(&read, &packet, &length), -EILSEQ);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands), cmocka_unit_test(urls),
        cmocka_unit_test(names),    cmocka_unit_test(refused_requests),
        cmocka_unit_test(limits),   cmocka_unit_test(id_of_refused),
        cmocka_unit_test(answers),  cmocka_unit_test(refused_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
