/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of an update (RFC 2136 sections 2.4 and 2.5), and plain questions. What is handed in is copied. */
#pragma once

#include <ldns/ldns.h>
#include <stdbool.h>

struct update {
    ldns_rr_list *prerequisites; /* what must hold */
    ldns_rr_list *changes;       /* in their order */
};

/* 0 or -ENOMEM, as all below. update_free must follow in any case. */
int update_begin(struct update *update);
void update_free(struct update *update);
/* The records of this name and type must be just these; none: there must be none. */
int update_require(struct update *update, const ldns_rdf *owner, ldns_rr_type type, const ldns_rr_list *records);
/* They become these, under this name; NULL or none: they go. */
int update_replace(struct update *update, const ldns_rdf *owner, ldns_rr_type type, const ldns_rr_list *records);
/* The packet, to be freed; *ret is NULL where nothing is to be changed. */
int update_end(const struct update *update, const char *zone, ldns_pkt **ret);

/* A record; takes `value`, which may be NULL: it has none. NULL: no memory. */
ldns_rr *update_record(const ldns_rdf *owner, ldns_rr_type type, ldns_rr_class class, uint32_t ttl_s, ldns_rdf *value);
/* Takes the record, which may be NULL: no memory. */
int update_add(ldns_rr_list *list, ldns_rr *record);
/* Whether both hold the same values, in any order, whatever their TTL. */
bool update_same(const ldns_rr_list *a, const ldns_rr_list *b);
/* A question for what the server itself has. NULL: no memory. */
ldns_pkt *update_question(const ldns_rdf *owner, ldns_rr_type type);
