/* SPDX-License-Identifier: Apache-2.0 */
/* Request lines of the control socket: whatever is taken must be what the handler was promised. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/limits.h"
#include "agent/control/request.h"
#include "agent/control/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const json_t *value)
{
    if (value && (!json_is_string(value) || json_string_length(value) == 0 || json_string_length(value) > LIMIT_NAME))
        abort();
}

static void check_request(json_t *request)
{
    if (!json_is_object(request) || !json_object_get(request, "command"))
        abort();
    check_name(json_object_get(request, "command"));
    check_name(json_object_get(request, "source"));
    check_name(json_object_get(request, "nic"));
}

/* What a terminal gets of such a name has no control character but the newline. */
static void check_sanitised(json_t *request)
{
    const char *command;

    text_sanitise(request);
    command = json_string_value(json_object_get(request, "command"));
    for (const char *c = command; *c; c++) {
        if (((unsigned char)*c < 0x20 && *c != '\n') || *c == 0x7f)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[CONTROL_ERROR_TEXT] = "";
    json_t *request = NULL;
    int r = control_request_parse((const char *)data, size, &request, error);

    if ((r == 0) != (request != NULL) || (r < 0 && (error[0] == '\0' || strlen(error) >= sizeof error)))
        abort();
    if (r == 0) {
        check_request(request);
        check_sanitised(request);
    }
    json_decref(request);
    return 0;
}
