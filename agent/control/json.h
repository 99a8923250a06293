/* SPDX-License-Identifier: Apache-2.0 */
/* What the two ways of a report into JSON share. */
#pragma once

#include <jansson.h>

/*
 * A string value, or null for NULL. JSON text is UTF-8: what is not (a name in some other encoding) still gets out, its
 * odd bytes as '?'. NULL when memory ran out.
 */
json_t *report_text_to_json(const char *text);
