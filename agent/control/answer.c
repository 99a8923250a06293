/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to `status` as text, straight from the report: what json.c makes, without a value for each field. */
#include <stdbool.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/control/fields.h"
#include "agent/control/json.h"
#include "agent/control/report.h"

#define ROOM_MIN 4096

/* JSON text that is being written. */
struct writer {
    char *bytes; /* owned */
    size_t length;
    size_t room;
    bool failed; /* memory ran out: nothing more is written */
};

static void write_struct(struct writer *writer, const void *structure, const struct field *fields);

static void write_bytes(struct writer *writer, const char *bytes, size_t length)
{
    if (writer->failed)
        return;
    if (writer->room - writer->length < length) {
        size_t room = 2 * (writer->length + length) + ROOM_MIN;
        char *grown = realloc(writer->bytes, room);

        if (!grown) {
            writer->failed = true;
            return;
        }
        writer->bytes = grown;
        writer->room = room;
    }
    memcpy(writer->bytes + writer->length, bytes, length);
    writer->length += length;
}

static void write_plain(struct writer *writer, const char *text)
{
    write_bytes(writer, text, strlen(text));
}

/* Characters that stand in a JSON string as they are. */
static bool is_plain(const char *text)
{
    for (; *text; text++) {
        if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
            return false;
    }
    return true;
}

static void write_text(struct writer *writer, const char *text)
{
    CLEANUP_FREE char *quoted = NULL;
    json_t *value;

    if (!text) {
        write_plain(writer, "null");
    } else if (is_plain(text)) {
        write_plain(writer, "\"");
        write_plain(writer, text);
        write_plain(writer, "\"");
    } else {
        value = report_text_to_json(text);
        quoted = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
        json_decref(value);
        writer->failed = writer->failed || !quoted;
        write_plain(writer, quoted ? quoted : "");
    }
}

/* By hand, because most of a report are numbers and printf takes most of the time. */
static void write_integer(struct writer *writer, int64_t number)
{
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
    char text[sizeof "-9223372036854775808"], *first = text + sizeof text;

    do {
        *--first = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        *--first = '-';
    write_bytes(writer, first, (size_t)(text + sizeof text - first));
}

/* JSON readers take integers as signed: a larger number is cut to the greatest of those. */
static void write_unsigned(struct writer *writer, uint64_t number)
{
    write_integer(writer, number > INT64_MAX ? INT64_MAX : (int64_t)number);
}

/* null where the time is `unset`. */
static void write_time(struct writer *writer, nsec_t time_ns, nsec_t unset)
{
    if (time_ns == unset)
        write_plain(writer, "null");
    else
        write_integer(writer, time_ns);
}

static void write_ip(struct writer *writer, const struct ip_address *ip, const uint8_t *prefix)
{
    char text[IP_ADDRESS_TEXT];

    if (ip->family == 0) {
        write_plain(writer, "null");
        return;
    }
    write_plain(writer, "\"");
    write_plain(writer, ip_address_format(ip, text));
    if (prefix) {
        write_plain(writer, "/");
        write_integer(writer, *prefix);
    }
    write_plain(writer, "\"");
}

static void write_mac(struct writer *writer, const struct mac_address *mac)
{
    char text[MAC_ADDRESS_TEXT];

    write_text(writer, mac_address_is_unset(mac) ? NULL : mac_address_format(mac, text));
}

static void write_list(struct writer *writer, const char *elements, size_t n, const struct field *field)
{
    write_plain(writer, "[");
    for (size_t i = 0; i < n; i++) {
        write_plain(writer, i > 0 ? "," : "");
        write_struct(writer, elements + i * field->size, field->fields);
    }
    write_plain(writer, "]");
}

/* The member of `structure` that the row names. */
static void write_field(struct writer *writer, const char *structure, const struct field *field)
{
    const void *at = structure + field->offset, *beside = structure + field->beside;

    switch (field->kind) {
    case FIELD_TEXT:
        write_text(writer, *(const char *const *)at);
        return;
    case FIELD_BOOL:
        write_plain(writer, *(const bool *)at ? "true" : "false");
        return;
    case FIELD_UINT8:
        write_integer(writer, *(const uint8_t *)at);
        return;
    case FIELD_UINT32:
        write_integer(writer, *(const uint32_t *)at);
        return;
    case FIELD_UINT64:
        write_unsigned(writer, *(const uint64_t *)at);
        return;
    case FIELD_INT64:
        write_integer(writer, *(const int64_t *)at);
        return;
    case FIELD_AGE:
        write_time(writer, *(const nsec_t *)at, NSEC_NEVER);
        return;
    case FIELD_SPAN:
        write_time(writer, *(const nsec_t *)at, NSEC_UNSET);
        return;
    case FIELD_IP:
        write_ip(writer, at, NULL);
        return;
    case FIELD_IP_PREFIX:
        write_ip(writer, at, beside);
        return;
    case FIELD_MAC:
        write_mac(writer, at);
        return;
    case FIELD_STRUCT:
        write_struct(writer, at, field->fields);
        return;
    case FIELD_LIST:
        write_list(writer, *(const char *const *)at, *(const size_t *)beside, field);
        return;
    }
}

static void write_struct(struct writer *writer, const void *structure, const struct field *fields)
{
    write_plain(writer, "{");
    for (const struct field *field = fields; field->name; field++) {
        write_plain(writer, field == fields ? "\"" : ",\"");
        write_plain(writer, field->name);
        write_plain(writer, "\":");
        write_field(writer, structure, field);
    }
    write_plain(writer, "}");
}

char *report_to_answer(const struct report *report)
{
    struct writer writer = {0};

    write_plain(&writer, "{\"ok\":true,\"report\":");
    write_struct(&writer, report, report_fields);
    write_bytes(&writer, "}", sizeof "}");
    if (!writer.failed)
        return writer.bytes;
    free(writer.bytes);
    return NULL;
}
