/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields of the report as tables: name, kind and place of each. Whatever is made of the report walks these, so that
 * a new field is one row in fields.c, under the very name that it has in report.h.
 */
#pragma once

#include <stddef.h>

enum field_kind {
    FIELD_TEXT,      /* const char *; NULL: null */
    FIELD_BOOL,      /* bool */
    FIELD_UINT8,     /* uint8_t */
    FIELD_UINT32,    /* uint32_t */
    FIELD_UINT64,    /* uint64_t */
    FIELD_INT64,     /* int64_t */
    FIELD_AGE,       /* nsec_t; NSEC_NEVER: null */
    FIELD_SPAN,      /* nsec_t; 0, which is not measured: null */
    FIELD_IP,        /* struct ip_address; unset: null */
    FIELD_IP_PREFIX, /* struct ip_address, with the uint8_t prefix beside it */
    FIELD_MAC,       /* struct mac_address; unset: null */
    FIELD_STRUCT,    /* a struct of fields of its own */
    FIELD_LIST,      /* a pointer to an array of them, and their number */
};

struct field {
    const char *name;           /* key in JSON, member in report.h */
    size_t offset;              /* of the member in its struct */
    size_t beside;              /* FIELD_IP_PREFIX: offset of the prefix; FIELD_LIST: of the number */
    size_t size;                /* FIELD_LIST: of one element */
    const struct field *fields; /* FIELD_STRUCT, FIELD_LIST: table of the element */
    enum field_kind kind;
};

/* Of struct report. Each table ends with a row without a name. */
extern const struct field report_fields[];
