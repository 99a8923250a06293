/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/control/request.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/base/limits.h"
#include "agent/control/server.h"

/* What may stand in a request. A new key is one row. */
static const struct request_key {
    const char *name;
    bool is_name; /* a name of the ipmap or a command: a short string; else true or false */
} request_keys[] = {
    {"command", true},
    {"source", true},
    {"nic", true},
    {"force", false},
};

static void cleanup_json(json_t **value)
{
    json_decref(*value);
}

__attribute__((format(printf, 2, 3))) static int refuse(char error[static CONTROL_ERROR_TEXT], const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(error, CONTROL_ERROR_TEXT, format, arguments);
    va_end(arguments);
    return -EBADMSG;
}

static int check_value(const struct request_key *key, const json_t *value, char error[static CONTROL_ERROR_TEXT])
{
    size_t length;

    if (!key->is_name)
        return json_is_boolean(value) ? 0 : refuse(error, "\"%s\" is not true or false", key->name);
    if (!json_is_string(value))
        return refuse(error, "\"%s\" is not a string", key->name);
    length = json_string_length(value);
    if (length == 0 || length > LIMIT_NAME)
        return refuse(error, "\"%s\" is empty or longer than %d bytes", key->name, LIMIT_NAME);
    return 0;
}

static int check_keys(json_t *request, char error[static CONTROL_ERROR_TEXT])
{
    size_t known = 0;

    for (size_t i = 0; i < sizeof request_keys / sizeof request_keys[0]; i++) {
        const json_t *value = json_object_get(request, request_keys[i].name);
        int r = value ? check_value(&request_keys[i], value, error) : 0;

        if (r < 0)
            return r;
        known += value ? 1 : 0;
    }
    /* A misspelt "nic" that were passed over would move the whole source instead of one NIC of it. */
    if (json_object_size(request) != known)
        return refuse(error, "a request has \"command\", \"source\", \"nic\" and \"force\", and no other key");
    if (!json_object_get(request, "command"))
        return refuse(error, "the request has no \"command\"");
    if (json_object_get(request, "nic") && !json_object_get(request, "source"))
        return refuse(error, "a \"nic\" needs its \"source\"");
    return 0;
}

int control_request_parse(const char *line, size_t length, json_t **ret, char ret_error[static CONTROL_ERROR_TEXT])
{
    CLEANUP(cleanup_json) json_t *request = NULL;
    json_error_t error;
    int r;

    if (length > CONTROL_LINE_MAX)
        return refuse(ret_error, "the request is longer than %d bytes", CONTROL_LINE_MAX);
    request = json_loadb(line, length, JSON_REJECT_DUPLICATES, &error);
    /* The parser's own text may quote half a character of the request: only its place is passed on. */
    if (!request)
        return refuse(ret_error, "the request is not one line of valid JSON (byte %d)", error.position);
    if (!json_is_object(request))
        return refuse(ret_error, "the request is not a JSON object");
    r = check_keys(request, ret_error);
    if (r < 0)
        return r;
    *ret = TAKE_POINTER(request);
    return 0;
}
