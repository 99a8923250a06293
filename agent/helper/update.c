/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/helper/update.h"

#include <errno.h>

#include "agent/helper/exchange.h"

int update_begin(struct update *update)
{
    update->prerequisites = ldns_rr_list_new();
    update->changes = ldns_rr_list_new();
    return update->prerequisites && update->changes ? 0 : -ENOMEM;
}

void update_free(struct update *update)
{
    ldns_rr_list_deep_free(update->prerequisites);
    ldns_rr_list_deep_free(update->changes);
    *update = (struct update){0};
}

ldns_rr *update_record(const ldns_rdf *owner, ldns_rr_type type, ldns_rr_class class, uint32_t ttl_s, ldns_rdf *value)
{
    ldns_rdf *name = ldns_rdf_clone(owner);
    ldns_rr *record = name ? ldns_rr_new() : NULL;

    if (!record) {
        ldns_rdf_deep_free(name);
        ldns_rdf_deep_free(value);
        return NULL;
    }
    ldns_rr_set_owner(record, name);
    ldns_rr_set_type(record, type);
    ldns_rr_set_class(record, class);
    ldns_rr_set_ttl(record, ttl_s);
    if (value && !ldns_rr_push_rdf(record, value)) {
        ldns_rdf_deep_free(value);
        ldns_rr_free(record);
        return NULL;
    }
    return record;
}

int update_add(ldns_rr_list *list, ldns_rr *record)
{
    if (record && ldns_rr_list_push_rr(list, record))
        return 0;
    ldns_rr_free(record);
    return -ENOMEM;
}

/* A copy for this name; ttl_s: in the place of its own, unless that is kept. */
static ldns_rr *copy_record(const ldns_rr *record, const ldns_rdf *owner, bool keep_ttl)
{
    ldns_rdf *value = ldns_rdf_clone(ldns_rr_rdf(record, 0));

    if (!value)
        return NULL;
    return update_record(owner, ldns_rr_get_type(record), LDNS_RR_CLASS_IN, keep_ttl ? ldns_rr_ttl(record) : 0, value);
}

int update_require(struct update *update, const ldns_rdf *owner, ldns_rr_type type, const ldns_rr_list *records)
{
    size_t n = records ? ldns_rr_list_rr_count(records) : 0;
    int r = 0;

    /* RFC 2136 section 2.4.3: RRset does not exist. */
    if (n == 0)
        return update_add(update->prerequisites, update_record(owner, type, LDNS_RR_CLASS_NONE, 0, NULL));
    /* RFC 2136 section 2.4.2: RRset exists, and is this; the TTL is zero. */
    for (size_t i = 0; i < n && r == 0; i++)
        r = update_add(update->prerequisites, copy_record(ldns_rr_list_rr(records, i), owner, false));
    return r;
}

int update_replace(struct update *update, const ldns_rdf *owner, ldns_rr_type type, const ldns_rr_list *records)
{
    /* RFC 2136 section 2.5.2: delete an RRset. */
    int r = update_add(update->changes, update_record(owner, type, LDNS_RR_CLASS_ANY, 0, NULL));

    for (size_t i = 0; records && i < ldns_rr_list_rr_count(records) && r == 0; i++)
        r = update_add(update->changes, copy_record(ldns_rr_list_rr(records, i), owner, true));
    return r;
}

int update_end(const struct update *update, const char *zone, ldns_pkt **ret)
{
    ldns_rdf *name;
    ldns_pkt *packet;

    if (ldns_rr_list_rr_count(update->changes) == 0) {
        *ret = NULL;
        return 0;
    }
    name = ldns_rdf_new_frm_str(LDNS_RDF_TYPE_DNAME, zone);
    packet = name ? ldns_update_pkt_new(name, LDNS_RR_CLASS_IN, update->prerequisites, update->changes, NULL) : NULL;
    if (!packet)
        return -ENOMEM;
    /* RFC 2136 section 2.2: all flags are zero. */
    ldns_pkt_set_rd(packet, false);
    ldns_pkt_set_random_id(packet);
    *ret = packet;
    return 0;
}

static bool is_among(const ldns_rr_list *list, const ldns_rr *record)
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++)
        if (ldns_rdf_compare(ldns_rr_rdf(ldns_rr_list_rr(list, i), 0), ldns_rr_rdf(record, 0)) == 0)
            return true;
    return false;
}

/* No value stands twice in either (RFC 2181 section 5). */
bool update_same(const ldns_rr_list *a, const ldns_rr_list *b)
{
    if (ldns_rr_list_rr_count(a) != ldns_rr_list_rr_count(b))
        return false;
    for (size_t i = 0; i < ldns_rr_list_rr_count(a); i++)
        if (!is_among(b, ldns_rr_list_rr(a, i)))
            return false;
    return true;
}

ldns_pkt *update_question(const ldns_rdf *owner, ldns_rr_type type)
{
    ldns_rdf *name = ldns_rdf_clone(owner);
    ldns_pkt *packet = name ? ldns_pkt_query_new(name, type, LDNS_RR_CLASS_IN, 0) : NULL;

    if (!packet)
        return NULL;
    ldns_pkt_set_random_id(packet);
    ldns_pkt_set_edns_udp_size(packet, EXCHANGE_UDP_MAX);
    return packet;
}
