/* SPDX-License-Identifier: Apache-2.0 */
/* Packets between the agent and its runner and helper: what is read of one builds the same again, and is read again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/effects/job.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_texts(const char *const *texts, size_t most)
{
    size_t n = 0;

    for (; texts[n]; n++)
        check(strlen(texts[n]) <= JOB_WORD_MAX);
    check(n <= most);
}

static void check_request(const struct job_request *request)
{
    check(request->id > 0 && request->id <= INT64_MAX);
    switch (request->kind) {
    case JOB_RUN:
        check(request->run.argv[0] && request->run.timeout_ns > 0 && request->run.timeout_ns <= JOB_TIMEOUT_MAX_NS);
        check_texts(request->run.argv, JOB_ARGS_MAX);
        check_texts(request->run.env, JOB_ENV_MAX);
        break;
    case JOB_KILL:
        break;
    case JOB_URL:
        check(request->url.url && request->url.n_expect <= JOB_EXPECT_MAX);
        break;
    case JOB_DNS:
        check(request->dns.n_records >= 1 && request->dns.n_records <= JOB_RECORDS_MAX && request->dns.key_secret);
        break;
    }
    check(job_limit_ns(request) >= 0);
}

/* What was read of a packet may be longer when it is written: numbers and escapes have more than one form. */
static void check_again(int built, char *packet, char *again)
{
    check(built == 0 && strcmp(packet, again) == 0);
    free(packet);
    free(again);
}

static void take_request(const char *packet, size_t size)
{
    struct job_request request, again;
    char *first, *second;
    size_t length;
    uint64_t id = 1;
    int r;

    if (job_request_parse(packet, size, &request, &id) < 0)
        return;
    check(id == request.id);
    check_request(&request);
    r = job_request_build(&request, &first, &length);
    check(r == 0 || r == -EMSGSIZE);
    if (r == 0) {
        check(job_request_parse(first, length, &again, &id) == 0);
        check_again(job_request_build(&again, &second, &length), first, second);
        job_request_free(&again);
    }
    job_request_free(&request);
}

static void take_answer(const char *packet, size_t size)
{
    struct job_answer answer, again;
    char *first, *second;
    size_t length;
    int r;

    if (job_answer_parse(packet, size, &answer) < 0)
        return;
    check(answer.id > 0 && answer.text && answer.status >= 0 && answer.status <= 255 && answer.took_ns >= 0);
    r = job_answer_build(&answer, &first, &length);
    check(r == 0 || r == -EMSGSIZE);
    if (r == 0) {
        check(job_answer_parse(first, length, &again) == 0);
        check_again(job_answer_build(&again, &second, &length), first, second);
        job_answer_free(&again);
    }
    job_answer_free(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* In memory of its own, so that a look beyond it shows. */
    char *packet = malloc(size + 1);

    memcpy(packet + 1, data, size);
    take_request(packet + 1, size);
    take_answer(packet + 1, size);
    free(packet);
    return 0;
}
