/* SPDX-License-Identifier: Apache-2.0 */
/* Members of an answer. An agent of another version may send other ones: what is missing reads as nothing. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "agent/base/time.h"

/* NULL where there is none. */
static inline const char *member_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static inline const char *member_text_or(const json_t *object, const char *key, const char *otherwise)
{
    const char *text = member_text(object, key);

    return text ? text : otherwise;
}

static inline bool member_is_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

static inline json_int_t member_integer(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* NSEC_NEVER where there is none. */
static inline nsec_t member_age_ns(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_integer(value) ? (nsec_t)json_integer_value(value) : NSEC_NEVER;
}
