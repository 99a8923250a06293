/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a job asks of a zone, as one update with prerequisites (RFC 2136): each name's records are read first, and the
 * update says that they still are what was read. No sockets, no clock.
 */
#pragma once

#include <ldns/ldns.h>

#include "agent/helper/report.h"

/* The records of one name and one type. */
struct change_set {
    ldns_rr_type type;    /* A or AAAA */
    ldns_rdf *owner;      /* the name */
    ldns_rdf *keeper;     /* the name that keeps the old value; NULL: none does */
    ldns_rr_list *wanted; /* as the job has them */
    ldns_rr_list *now;    /* as they were read; NULL: not yet */
    ldns_rr_list *kept;   /* likewise, under the keeper */
};

struct change {
    const struct job_dns *dns;
    struct change_set sets[JOB_RECORDS_MAX];
    size_t n_sets;
    bool sent; /* an update was sent of which nothing was heard: what is as it wanted may be its doing */
};

/* 0, or negative errno and *report says why. In any case change_free must follow. */
int change_begin(struct change *change, const struct job_dns *dns, struct report *report);
void change_free(struct change *change);

/* A question for what the name of a set has now, or what is kept of it. NULL: no memory. */
ldns_pkt *change_question(const struct change *change, size_t set, bool kept);
/* Takes the answer to that. 0, or negative errno and *report says why nothing can be changed. */
int change_take(struct change *change, size_t set, bool kept, const ldns_pkt *answer, struct report *report);

/*
 * All was read. *ret: the update, to be freed; NULL where there is nothing to be changed. *report says what becomes of
 * it all where that is made. 0 or -ENOMEM.
 */
int change_decide(const struct change *change, ldns_pkt **ret, struct report *report);

/* Reverse names (RFC 1035 section 3.5): who has the zone, and the record there. NULL: no memory. */
ldns_pkt *change_ask_zone(const struct job_record *record);
/* The zone's name, to be freed; NULL where the answer tells none. */
ldns_rdf *change_read_zone(const ldns_pkt *answer);
/* To change the PTR record of an address in its zone, or to ask for it where the job only looks. NULL: no memory. */
ldns_pkt *change_pointer(const struct job_dns *dns, const struct job_record *record, const ldns_rdf *zone);
/* Whether it is among the answers to that. */
bool change_has_pointer(const struct job_record *record, const ldns_pkt *answer);
