/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/effects/job_fields.h"

#include <errno.h>
#include <string.h>

#include "agent/base/address.h"
#include "agent/base/time.h"
#include "agent/effects/job.h"

static int text_to_json(const struct job_field *field, const char *text, json_t **ret)
{
    int64_t length = (int64_t)strlen(text);

    if (length < field->least || length > field->most)
        return -EINVAL;
    *ret = json_string(text);
    if (*ret)
        return 0;
    *ret = json_string_nocheck(text);
    if (!*ret)
        return -ENOMEM;
    json_decref(*ret);
    *ret = NULL;
    return -EILSEQ;
}

/* Takes over `element`, which may be NULL: no memory. */
static int append(json_t *list, int r, json_t *element)
{
    if (r < 0)
        return r;
    return json_array_append_new(list, element) < 0 ? -ENOMEM : 0;
}

static int texts_to_json(const struct job_field *field, const char *const *texts, json_t **ret)
{
    CLEANUP_JSON json_t *list = json_array();
    size_t n = 0;
    int r = list ? 0 : -ENOMEM;

    for (; r >= 0 && n <= field->n_most && texts[n]; n++) {
        json_t *element = NULL;

        r = text_to_json(field, texts[n], &element);
        r = append(list, r, element);
    }
    if (r < 0)
        return r;
    if (n < field->n_least || n > field->n_most)
        return -EINVAL;
    *ret = n > 0 ? TAKE_POINTER(list) : NULL;
    return 0;
}

static int structs_to_json(const struct job_field *field, const char *elements, size_t n, json_t **ret)
{
    CLEANUP_JSON json_t *list = json_array();
    int r = list ? 0 : -ENOMEM;

    if (n < field->n_least || n > field->n_most)
        return -EINVAL;
    for (size_t i = 0; r >= 0 && i < n; i++) {
        json_t *object = json_object();

        r = append(list, 0, object);
        if (r >= 0)
            r = job_fields_write(object, field->fields, elements + i * field->size);
    }
    if (r < 0)
        return r;
    *ret = n > 0 ? TAKE_POINTER(list) : NULL;
    return 0;
}

static int number_to_json(const struct job_field *field, int64_t number, json_t **ret)
{
    if (number < field->least || number > field->most)
        return -EINVAL;
    *ret = json_integer(number);
    return *ret ? 0 : -ENOMEM;
}

static int time_to_json(const struct job_field *field, nsec_t time_ns, json_t **ret)
{
    return number_to_json(field, time_ns / NSEC_PER_MSEC + (time_ns % NSEC_PER_MSEC > 0), ret);
}

static int ip_to_json(const struct job_field *field, const struct ip_address *ip, json_t **ret)
{
    char text[IP_ADDRESS_TEXT];

    if (ip->family == 0)
        return field->optional ? 0 : -EINVAL;
    *ret = json_string_nocheck(ip_address_format(ip, text));
    return *ret ? 0 : -ENOMEM;
}

static int name_to_json(const struct job_field *field, unsigned value, json_t **ret)
{
    for (unsigned i = 0; field->names[i]; i++) {
        if (i != value)
            continue;
        *ret = json_string_nocheck(field->names[i]);
        return *ret ? 0 : -ENOMEM;
    }
    return -EINVAL;
}

/* *ret stays NULL where the key is left out. */
static int field_to_json(const struct job_field *field, const char *structure, json_t **ret)
{
    const void *at = structure + field->offset;

    switch (field->kind) {
    case JOB_FIELD_TEXT:
        if (!*(const char *const *)at)
            return field->optional ? 0 : -EINVAL;
        return text_to_json(field, *(const char *const *)at, ret);
    case JOB_FIELD_TEXTS:
        return texts_to_json(field, at, ret);
    case JOB_FIELD_BOOL:
        *ret = *(const bool *)at ? json_true() : NULL;
        return 0;
    case JOB_FIELD_UINT16:
        return number_to_json(field, *(const uint16_t *)at, ret);
    case JOB_FIELD_UINT32:
        return number_to_json(field, *(const uint32_t *)at, ret);
    case JOB_FIELD_INT:
        return number_to_json(field, *(const int *)at, ret);
    case JOB_FIELD_MS:
        return time_to_json(field, *(const nsec_t *)at, ret);
    case JOB_FIELD_IP:
        return ip_to_json(field, at, ret);
    case JOB_FIELD_NAME:
        return name_to_json(field, *(const unsigned *)at, ret);
    case JOB_FIELD_STRUCTS:
        return structs_to_json(field, at, *(const size_t *)(const void *)(structure + field->beside), ret);
    }
    return -EINVAL;
}

int job_fields_write(json_t *object, const struct job_field *fields, const void *structure)
{
    for (const struct job_field *field = fields; field->name; field++) {
        json_t *value = NULL;
        int r = field_to_json(field, structure, &value);

        if (r < 0)
            return r;
        if (value && json_object_set_new_nocheck(object, field->name, value) < 0)
            return -ENOMEM;
    }
    return 0;
}

static bool read_text(const struct job_field *field, const json_t *value, const char **ret)
{
    /* Never with a NUL in it: the parser refuses those. */
    int64_t length = (int64_t)json_string_length(value);

    if (!json_is_string(value) || length < field->least || length > field->most)
        return false;
    *ret = json_string_value(value);
    return true;
}

static bool is_list(const struct job_field *field, const json_t *value)
{
    size_t n = json_array_size(value);

    return json_is_array(value) && n >= field->n_least && n <= field->n_most;
}

static bool read_texts(const struct job_field *field, const json_t *value, const char **ret)
{
    if (!is_list(field, value))
        return false;
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!read_text(field, json_array_get(value, i), &ret[i]))
            return false;
    }
    ret[json_array_size(value)] = NULL;
    return true;
}

static bool read_structs(const struct job_field *field, const json_t *value, char *ret, size_t *ret_n)
{
    if (!is_list(field, value))
        return false;
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!job_fields_read(json_array_get(value, i), field->fields, 0, ret + i * field->size))
            return false;
    }
    *ret_n = json_array_size(value);
    return true;
}

static bool read_number(const struct job_field *field, const json_t *value, void *ret)
{
    int64_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < field->least || number > field->most)
        return false;
    if (field->kind == JOB_FIELD_UINT16)
        *(uint16_t *)ret = (uint16_t)number;
    else if (field->kind == JOB_FIELD_UINT32)
        *(uint32_t *)ret = (uint32_t)number;
    else if (field->kind == JOB_FIELD_INT)
        *(int *)ret = (int)number;
    else
        *(nsec_t *)ret = number * NSEC_PER_MSEC;
    return true;
}

static bool read_ip(const json_t *value, struct ip_address *ret)
{
    return json_is_string(value) && ip_address_parse(json_string_value(value), ret) == 0;
}

static bool read_name(const struct job_field *field, const json_t *value, unsigned *ret)
{
    for (unsigned i = 0; json_is_string(value) && field->names[i]; i++) {
        if (strcmp(field->names[i], json_string_value(value)) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static bool read_field(const struct job_field *field, const json_t *value, char *structure)
{
    void *at = structure + field->offset;

    switch (field->kind) {
    case JOB_FIELD_TEXT:
        return read_text(field, value, at);
    case JOB_FIELD_TEXTS:
        return read_texts(field, value, at);
    case JOB_FIELD_BOOL:
        *(bool *)at = json_is_true(value);
        return json_is_boolean(value);
    case JOB_FIELD_UINT16:
    case JOB_FIELD_UINT32:
    case JOB_FIELD_INT:
    case JOB_FIELD_MS:
        return read_number(field, value, at);
    case JOB_FIELD_IP:
        return read_ip(value, at);
    case JOB_FIELD_NAME:
        return read_name(field, value, at);
    case JOB_FIELD_STRUCTS:
        return read_structs(field, value, at, (size_t *)(void *)(structure + field->beside));
    }
    return false;
}

bool job_fields_read(const json_t *object, const struct job_field *fields, size_t n_others, void *structure)
{
    size_t known = n_others;

    if (!json_is_object(object))
        return false;
    for (const struct job_field *field = fields; field->name; field++) {
        const json_t *value = json_object_get(object, field->name);

        if (!value && !field->optional)
            return false;
        if (value && !read_field(field, value, structure))
            return false;
        known += value ? 1 : 0;
    }
    return json_object_size(object) == known;
}

json_t *job_packet_begin(uint64_t id)
{
    json_t *object = json_object();

    if (object && json_object_set_new_nocheck(object, "id", json_integer((json_int_t)id)) < 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

int job_packet_end(const json_t *object, char **ret, size_t *ret_length)
{
    CLEANUP_FREE char *text = json_dumps(object, JSON_COMPACT);
    size_t length = text ? strlen(text) : 0;

    if (!text)
        return -ENOMEM;
    if (length > JOB_PACKET_MAX)
        return -EMSGSIZE;
    *ret = TAKE_POINTER(text);
    *ret_length = length;
    return 0;
}

json_t *job_packet_load(const char *packet, size_t length, uint64_t *ret_id)
{
    json_t *object = length <= JOB_PACKET_MAX ? json_loadb(packet, length, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const json_t *id = json_object_get(object, "id");

    if (!json_is_integer(id) || json_integer_value(id) <= 0) {
        json_decref(object);
        return NULL;
    }
    *ret_id = (uint64_t)json_integer_value(id);
    return object;
}
