/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/effects/job.h"

#include <errno.h>
#include <string.h>

#include "agent/effects/job_fields.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define TIMEOUT_MAX_MS (JOB_TIMEOUT_MAX_NS / NSEC_PER_MSEC)

/* Rows: key, structure, member, whether it may be missing, and the limits. */
#define TEXT(key, type, member, may_miss, shortest, longest)                                             \
    {                                                                                                    \
        .name = (key), .kind = JOB_FIELD_TEXT, .optional = (may_miss), .offset = offsetof(type, member), \
        .least = (shortest), .most = (longest)                                                           \
    }
#define TEXTS(key, type, member, may_miss, shortest, fewest, greatest)                                    \
    {                                                                                                     \
        .name = (key), .kind = JOB_FIELD_TEXTS, .optional = (may_miss), .offset = offsetof(type, member), \
        .least = (shortest), .most = JOB_WORD_MAX, .n_least = (fewest), .n_most = (greatest)              \
    }
#define FLAG(key, type, member)                                                                   \
    {                                                                                             \
        .name = (key), .kind = JOB_FIELD_BOOL, .optional = true, .offset = offsetof(type, member) \
    }
#define NUMBER(key, number_kind, type, member, lowest, highest)                                                      \
    {                                                                                                                \
        .name = (key), .kind = (number_kind), .offset = offsetof(type, member), .least = (lowest), .most = (highest) \
    }
#define TIMEOUT(type) NUMBER("timeout_ms", JOB_FIELD_MS, type, timeout_ns, 1, TIMEOUT_MAX_MS)
#define IP(key, type, member, may_miss)                                                               \
    {                                                                                                 \
        .name = (key), .kind = JOB_FIELD_IP, .optional = (may_miss), .offset = offsetof(type, member) \
    }
#define STRUCTS(key, type, member, number, may_miss, fewest, greatest, element, element_fields)             \
    {                                                                                                       \
        .name = (key), .kind = JOB_FIELD_STRUCTS, .optional = (may_miss), .offset = offsetof(type, member), \
        .n_least = (fewest), .n_most = (greatest), .fields = (element_fields), .size = sizeof(element),     \
        .beside = offsetof(type, number)                                                                    \
    }

static const struct job_field run_fields[] = {
    TEXTS("run", struct job_run, argv, false, 0, 1, JOB_ARGS_MAX),
    FLAG("shell", struct job_run, shell),
    FLAG("check", struct job_run, check),
    TEXT("name", struct job_run, name, true, 1, JOB_TEXT_MAX),
    TEXT("user", struct job_run, user, true, 1, LIMIT_NAME),
    TEXTS("env", struct job_run, env, true, 2, 0, JOB_ENV_MAX),
    TEXT("stdin", struct job_run, input, true, 0, JOB_STDIN_MAX),
    TIMEOUT(struct job_run),
    {},
};

static const struct job_field range_fields[] = {
    NUMBER("from", JOB_FIELD_UINT16, struct job_range, from, 0, UINT16_MAX),
    NUMBER("to", JOB_FIELD_UINT16, struct job_range, to, 0, UINT16_MAX),
    {},
};

static const struct job_field url_fields[] = {
    TEXT("url", struct job_url, url, false, 1, JOB_TEXT_MAX),
    TIMEOUT(struct job_url),
    STRUCTS("expect", struct job_url, expect, n_expect, true, 0, JOB_EXPECT_MAX, struct job_range, range_fields),
    TEXT("body", struct job_url, body, true, 1, JOB_TEXT_MAX),
    TEXT("host", struct job_url, host, true, 1, JOB_TEXT_MAX),
    FLAG("verify", struct job_url, verify),
    FLAG("redirects", struct job_url, redirects),
    IP("from", struct job_url, from, true),
    TEXT("from_dev", struct job_url, from_dev, true, 1, LIMIT_NIC_NAME - 1),
    {},
};

static const char *const direction_names[] = {
    [JOB_DNS_CLAIM] = "claim", [JOB_DNS_RESTORE] = "restore", [JOB_DNS_LOOK] = "look", NULL};

static const struct job_field record_fields[] = {
    TEXT("name", struct job_record, name, false, 1, JOB_TEXT_MAX),
    IP("address", struct job_record, address, false),
    FLAG("ptr", struct job_record, ptr),
    {},
};

static const struct job_field dns_fields[] = {
    {.name = "direction",
     .kind = JOB_FIELD_NAME,
     .offset = offsetof(struct job_dns, direction),
     .names = direction_names},
    IP("server", struct job_dns, server, false),
    NUMBER("port", JOB_FIELD_UINT16, struct job_dns, port, 1, UINT16_MAX),
    TEXT("zone", struct job_dns, zone, false, 1, JOB_TEXT_MAX),
    TEXT("key_name", struct job_dns, key_name, false, 1, JOB_TEXT_MAX),
    TEXT("key_algorithm", struct job_dns, key_algorithm, false, 1, JOB_TEXT_MAX),
    TEXT("key_secret", struct job_dns, key_secret, false, 1, JOB_TEXT_MAX),
    /* RFC 2181, section 8: a TTL has 31 bits. */
    NUMBER("ttl_s", JOB_FIELD_UINT32, struct job_dns, ttl_s, 0, INT32_MAX),
    TEXT("keep_old", struct job_dns, keep_old, true, 1, JOB_TEXT_MAX),
    STRUCTS("records", struct job_dns, records, n_records, false, 1, JOB_RECORDS_MAX, struct job_record, record_fields),
    TIMEOUT(struct job_dns),
    NUMBER("retries", JOB_FIELD_UINT32, struct job_dns, retries, 0, JOB_RETRIES_MAX),
    {},
};

static const struct job_field no_fields[] = {{}};

/* By kind: the key that tells it, and what is read where. */
static const struct {
    const char *key;
    const struct job_field *fields;
    size_t offset; /* of what they fill */
    bool inside;   /* they stand in an object of their own, the key's value; else beside the id */
} kinds[] = {
    [JOB_RUN] = {"run", run_fields, offsetof(struct job_request, run), false},
    [JOB_KILL] = {"kill", no_fields, offsetof(struct job_request, run), false},
    [JOB_URL] = {"url", url_fields, offsetof(struct job_request, url), true},
    [JOB_DNS] = {"dns", dns_fields, offsetof(struct job_request, dns), true},
};

/* What no table says. */
static bool run_is_valid(const struct job_run *run)
{
    if (run->shell ? run->argv[1] || run->argv[0][0] == '\0' : run->argv[0][0] != '/')
        return false;
    for (const char *const *variable = run->env; *variable; variable++) {
        const char *sign = strchr(*variable, '=');

        if (!sign || sign == *variable)
            return false;
    }
    return true;
}

static bool url_is_valid(const struct job_url *url)
{
    for (size_t i = 0; i < url->n_expect; i++) {
        if (url->expect[i].from > url->expect[i].to)
            return false;
    }
    return true;
}

static bool request_is_valid(const struct job_request *request)
{
    switch (request->kind) {
    case JOB_RUN:
        return run_is_valid(&request->run);
    case JOB_URL:
        return url_is_valid(&request->url);
    case JOB_KILL:
    case JOB_DNS:
        return true;
    }
    return false;
}

int job_request_build(const struct job_request *request, char **ret, size_t *ret_length)
{
    CLEANUP_JSON json_t *object = job_packet_begin(request->id);
    const void *from = (const char *)request + kinds[request->kind].offset;
    const char *key = kinds[request->kind].key;
    json_t *into = object;
    int r;

    if (!object)
        return -ENOMEM;
    if (request->id == 0 || request->id > INT64_MAX)
        return -EINVAL;
    if (kinds[request->kind].inside) {
        into = json_object();
        if (json_object_set_new_nocheck(object, key, into) < 0)
            return -ENOMEM;
    } else if (request->kind == JOB_KILL && json_object_set_new_nocheck(object, key, json_true()) < 0) {
        return -ENOMEM;
    }
    r = job_fields_write(into, kinds[request->kind].fields, from);
    if (r < 0)
        return r;
    return request_is_valid(request) ? job_packet_end(object, ret, ret_length) : -EINVAL;
}

static bool read_request(const json_t *object, struct job_request *request)
{
    for (size_t i = 0; i < LENGTH(kinds); i++) {
        const json_t *value = json_object_get(object, kinds[i].key);
        char *into = (char *)request + kinds[i].offset;

        if (!value)
            continue;
        request->kind = (enum job_kind)i;
        if (kinds[i].inside)
            return json_object_size(object) == 2 && job_fields_read(value, kinds[i].fields, 0, into);
        if (request->kind == JOB_KILL)
            return json_is_true(value) && job_fields_read(object, no_fields, 2, into);
        return job_fields_read(object, kinds[i].fields, 1, into);
    }
    return false;
}

int job_request_parse(const char *packet, size_t length, struct job_request *ret, uint64_t *ret_id)
{
    struct job_request request = {0};
    CLEANUP_JSON json_t *object = job_packet_load(packet, length, &request.id);

    *ret_id = request.id;
    if (!object || !read_request(object, &request) || !request_is_valid(&request))
        return -EBADMSG;
    request.memory = TAKE_POINTER(object);
    *ret = request;
    return 0;
}

void job_request_free(struct job_request *request)
{
    json_decref(request->memory);
    request->memory = NULL;
}

nsec_t job_limit_ns(const struct job_request *request)
{
    switch (request->kind) {
    case JOB_RUN:
        return request->run.timeout_ns;
    case JOB_URL:
        return request->url.timeout_ns;
    case JOB_DNS:
        return request->dns.timeout_ns * ((nsec_t)request->dns.retries + 1);
    case JOB_KILL:
        break;
    }
    return 0;
}
