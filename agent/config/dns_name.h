/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the DNS as text. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/limits.h"

/* Room for a name with its NUL. */
#define DNS_NAME_TEXT (LIMIT_DNS_NAME + 1)

/*
 * Reads the name of a host or zone: in lower case, without the last dot. NULL, or why it is none: "is no DNS name; ..."
 */
const char *dns_name_read(const char *text, size_t length, char ret[static DNS_NAME_TEXT]);
/* Whether the name is that of the zone, or below it. */
bool dns_name_within(const char *name, const char *zone);
