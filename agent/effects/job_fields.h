/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets of JSON, and structures of plain data to and from their objects by tables: what a table says holds for both
 * directions, so that what was written can be read. A new key is one row.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/cleanup.h"

enum job_field_kind {
    JOB_FIELD_TEXT,   /* const char *; NULL where it may be missing */
    JOB_FIELD_TEXTS,  /* const char *[], ends with NULL; each of at most `most` bytes */
    JOB_FIELD_BOOL,   /* bool; false where it is missing */
    JOB_FIELD_UINT16, /* uint16_t, uint32_t, int, nsec_t: from `least` to `most` */
    JOB_FIELD_UINT32,
    JOB_FIELD_INT,
    JOB_FIELD_MS,      /* nsec_t, sent as ms and rounded up to them; limits are in ms */
    JOB_FIELD_IP,      /* struct ip_address; unset where it may be missing */
    JOB_FIELD_NAME,    /* an enumeration from 0 on, by its `names` */
    JOB_FIELD_STRUCTS, /* an array of structures, each with its `fields`, and how many as a size_t `beside` */
};

struct job_field {
    const char *name;               /* the key; NULL ends a table */
    enum job_field_kind kind;       /* the member's type */
    bool optional;                  /* may be missing; then the member stays as it was */
    size_t offset;                  /* of the member */
    int64_t least, most;            /* bytes of a text, or a number; see the kinds */
    size_t n_least, n_most;         /* elements */
    const char *const *names;       /* JOB_FIELD_NAME: ends with NULL */
    const struct job_field *fields; /* JOB_FIELD_STRUCTS */
    size_t size;                    /* JOB_FIELD_STRUCTS: bytes of one */
    size_t beside;                  /* JOB_FIELD_STRUCTS: offset of their number */
};

static inline void job_cleanup_json(json_t **value)
{
    json_decref(*value);
}
#define CLEANUP_JSON CLEANUP(job_cleanup_json)

/* Adds to `object`. 0; -EINVAL: not within the limits; -EILSEQ: a text that is no UTF-8; -ENOMEM. */
int job_fields_write(json_t *object, const struct job_field *fields, const void *structure);
/*
 * Whether all of `object` is as the fields say, but for `n_others` keys that somebody else reads. Fills the structure,
 * whose texts then live in the object.
 */
bool job_fields_read(const json_t *object, const struct job_field *fields, size_t n_others, void *structure);

/* An object with an "id", which is from 1 to INT64_MAX; NULL when memory ran out. */
json_t *job_packet_begin(uint64_t id);
/* Its text, to be freed. 0; -EMSGSIZE: too long for a packet; -ENOMEM. */
int job_packet_end(const json_t *object, char **ret, size_t *ret_length);
/* The object of a packet, and its id; NULL where it is no object with one. */
json_t *job_packet_load(const char *packet, size_t length, uint64_t *ret_id);
