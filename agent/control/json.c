/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/control/json.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/control/fields.h"
#include "agent/control/report.h"

static json_t *struct_to_json(const void *structure, const struct field *fields);

json_t *report_text_to_json(const char *text)
{
    CLEANUP_FREE char *copy = NULL;
    json_t *value;

    if (!text)
        return json_null();
    value = json_string(text);
    if (value)
        return value;
    copy = strdup(text);
    if (!copy)
        return NULL;
    for (char *c = copy; *c; c++)
        *c = *c & 0x80 ? '?' : *c;
    return json_string(copy);
}

/* JSON readers take integers as signed: a larger number is cut to the greatest of those. */
static json_t *unsigned_to_json(uint64_t number)
{
    return json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number);
}

/* null where the time is `unset`. */
static json_t *time_to_json(nsec_t time_ns, nsec_t unset)
{
    return time_ns == unset ? json_null() : json_integer(time_ns);
}

static json_t *ip_to_json(const struct ip_address *ip, const uint8_t *prefix)
{
    char text[IP_ADDRESS_TEXT], with_prefix[IP_ADDRESS_TEXT + sizeof "/255"];

    if (ip->family == 0)
        return json_null();
    ip_address_format(ip, text);
    if (!prefix)
        return json_string_nocheck(text);
    snprintf(with_prefix, sizeof with_prefix, "%s/%u", text, *prefix);
    return json_string_nocheck(with_prefix);
}

static json_t *mac_to_json(const struct mac_address *mac)
{
    char text[MAC_ADDRESS_TEXT];

    return mac_address_is_unset(mac) ? json_null() : json_string_nocheck(mac_address_format(mac, text));
}

static json_t *list_to_json(const char *elements, size_t n, const struct field *field)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < n; i++) {
        if (json_array_append_new(list, struct_to_json(elements + i * field->size, field->fields)) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* The member of `structure` that the row names. A new reference, or NULL when memory ran out. */
static json_t *field_to_json(const char *structure, const struct field *field)
{
    const void *at = structure + field->offset, *beside = structure + field->beside;

    switch (field->kind) {
    case FIELD_TEXT:
        return report_text_to_json(*(const char *const *)at);
    case FIELD_BOOL:
        return json_boolean(*(const bool *)at);
    case FIELD_UINT8:
        return json_integer(*(const uint8_t *)at);
    case FIELD_UINT32:
        return json_integer(*(const uint32_t *)at);
    case FIELD_UINT64:
        return unsigned_to_json(*(const uint64_t *)at);
    case FIELD_INT64:
        return json_integer(*(const int64_t *)at);
    case FIELD_AGE:
        return time_to_json(*(const nsec_t *)at, NSEC_NEVER);
    case FIELD_SPAN:
        return time_to_json(*(const nsec_t *)at, NSEC_UNSET);
    case FIELD_IP:
        return ip_to_json(at, NULL);
    case FIELD_IP_PREFIX:
        return ip_to_json(at, beside);
    case FIELD_MAC:
        return mac_to_json(at);
    case FIELD_STRUCT:
        return struct_to_json(at, field->fields);
    case FIELD_LIST:
        return list_to_json(*(const char *const *)at, *(const size_t *)beside, field);
    }
    return NULL;
}

static json_t *struct_to_json(const void *structure, const struct field *fields)
{
    json_t *object = json_object();

    for (const struct field *field = fields; object && field->name; field++) {
        /* A failed value comes as NULL, which jansson refuses to set. */
        if (json_object_set_new_nocheck(object, field->name, field_to_json(structure, field)) < 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

json_t *report_to_json(const struct report *report)
{
    return struct_to_json(report, report_fields);
}

bool report_is_healthy(const struct report *report)
{
    for (size_t i = 0; i < report->n_sources; i++) {
        if (!report->sources[i].healthy)
            return false;
    }
    return true;
}
