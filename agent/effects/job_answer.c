/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "agent/effects/job.h"
#include "agent/effects/job_fields.h"

#define STATUS(key, highest)                                                                                   \
    {                                                                                                          \
        .name = (key), .kind = JOB_FIELD_INT, .offset = offsetof(struct job_answer, status), .most = (highest) \
    }
#define TEXT(key, may_miss)                                                                                         \
    {                                                                                                               \
        .name = (key), .kind = JOB_FIELD_TEXT, .optional = (may_miss), .offset = offsetof(struct job_answer, text), \
        .most = JOB_TEXT_MAX                                                                                        \
    }
#define TOOK                                                                                                  \
    {                                                                                                         \
        .name = "ms", .kind = JOB_FIELD_MS, .optional = true, .offset = offsetof(struct job_answer, took_ns), \
        .most = INT64_MAX / NSEC_PER_MSEC                                                                     \
    }

static const struct job_field started_fields[] = {{}};
static const struct job_field exited_fields[] = {STATUS("exit", 255), TOOK, TEXT("output", true), {}};
static const struct job_field signalled_fields[] = {STATUS("signal", 64), TOOK, TEXT("output", true), {}};
static const struct job_field timed_out_fields[] = {TOOK, TEXT("output", true), {}};
static const struct job_field refused_fields[] = {TEXT("refused", false), TOOK, {}};
static const struct job_field failed_fields[] = {TEXT("failed", false), TOOK, {}};
static const struct job_field tried_fields[] = {TOOK, TEXT("text", true), {}};
static const struct job_field unable_fields[] = {TEXT("unable", false), TOOK, {}};

enum mark {
    MARK_FIELD, /* the key's value is one of the fields */
    MARK_TRUE,  /* it is true, and that is all */
    MARK_FALSE,
};

/* By outcome: the key that tells it, what stands beside it, and how people call it. */
static const struct {
    const char *key;
    enum mark mark;
    const struct job_field *fields;
    const char *name;
} outcomes[] = {
    [JOB_STARTED] = {"started", MARK_TRUE, started_fields, "started"},
    [JOB_EXITED] = {"exit", MARK_FIELD, exited_fields, "exit status"},
    [JOB_SIGNALLED] = {"signal", MARK_FIELD, signalled_fields, "signal"},
    [JOB_TIMED_OUT] = {"timeout", MARK_TRUE, timed_out_fields, "time limit"},
    [JOB_REFUSED] = {"refused", MARK_FIELD, refused_fields, "refused"},
    [JOB_FAILED] = {"failed", MARK_FIELD, failed_fields, "not started"},
    [JOB_PASSED] = {"pass", MARK_TRUE, tried_fields, "passed"},
    [JOB_MISSED] = {"pass", MARK_FALSE, tried_fields, "failed"},
    [JOB_UNABLE] = {"unable", MARK_FIELD, unable_fields, "could not be tried"},
};

int job_answer_build(const struct job_answer *answer, char **ret, size_t *ret_length)
{
    CLEANUP_JSON json_t *object = job_packet_begin(answer->id);
    enum mark mark = outcomes[answer->outcome].mark;
    int r;

    if (!object)
        return -ENOMEM;
    if (answer->id == 0 || answer->id > INT64_MAX)
        return -EINVAL;
    if (mark != MARK_FIELD &&
        json_object_set_new_nocheck(object, outcomes[answer->outcome].key, json_boolean(mark == MARK_TRUE)) < 0)
        return -ENOMEM;
    r = job_fields_write(object, outcomes[answer->outcome].fields, answer);
    return r < 0 ? r : job_packet_end(object, ret, ret_length);
}

static bool read_answer(const json_t *object, struct job_answer *answer)
{
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
        const json_t *value = json_object_get(object, outcomes[i].key);
        enum mark mark = outcomes[i].mark;

        if (!value || (mark == MARK_TRUE && !json_is_true(value)) || (mark == MARK_FALSE && !json_is_false(value)))
            continue;
        answer->outcome = (enum job_outcome)i;
        return job_fields_read(object, outcomes[i].fields, mark == MARK_FIELD ? 1 : 2, answer);
    }
    return false;
}

int job_answer_parse(const char *packet, size_t length, struct job_answer *ret)
{
    struct job_answer answer = {.text = ""};
    CLEANUP_JSON json_t *object = job_packet_load(packet, length, &answer.id);

    if (!object || !read_answer(object, &answer))
        return -EBADMSG;
    answer.memory = TAKE_POINTER(object);
    *ret = answer;
    return 0;
}

void job_answer_free(struct job_answer *answer)
{
    json_decref(answer->memory);
    answer->memory = NULL;
}

const char *job_outcome_name(enum job_outcome outcome)
{
    return outcomes[outcome].name;
}
