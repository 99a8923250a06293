/* SPDX-License-Identifier: Apache-2.0 */
/* URLs that a check may ask for, and what may be asked of each. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* What a scheme of the allow-list can do. */
struct url_scheme {
    const char *name;
    bool http;   /* has a Host header, and redirects */
    bool tls;    /* shows a certificate */
    bool status; /* answers with a status of three digits */
    bool body;   /* answers with a text */
};

/* Judges a URL (RFC 3986). NULL and its scheme, or why it is refused: "is no URL; ...". */
const char *url_read(const char *text, size_t length, const struct url_scheme **ret);
/* Where its password stands: its first byte and its length; 0 where it has none. The URL must be a right one. */
size_t url_password(const char *text, size_t length, size_t *ret_length);
