/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PTR records. A name is added to those that the address has, or taken from them, so that nothing has to be kept of the
 * others; neither hurts when it is done again.
 */
#include <string.h>
#include <sys/socket.h>

#include "agent/helper/change.h"
#include "agent/helper/update.h"

static ldns_rdf *reverse_name(const struct job_record *record)
{
    ldns_rdf *address = ldns_rdf_new_frm_data(record->address.family == AF_INET ? LDNS_RDF_TYPE_A : LDNS_RDF_TYPE_AAAA,
                                              ip_address_size(record->address.family), record->address.bytes);
    ldns_rdf *name = address ? ldns_rdf_address_reverse(address) : NULL;

    ldns_rdf_deep_free(address);
    return name;
}

ldns_pkt *change_ask_zone(const struct job_record *record)
{
    ldns_rdf *name = reverse_name(record);
    ldns_pkt *packet = name ? update_question(name, LDNS_RR_TYPE_SOA) : NULL;

    ldns_rdf_deep_free(name);
    return packet;
}

static ldns_rdf *find_zone(const ldns_rr_list *records)
{
    for (size_t i = 0; records && i < ldns_rr_list_rr_count(records); i++)
        if (ldns_rr_get_type(ldns_rr_list_rr(records, i)) == LDNS_RR_TYPE_SOA)
            return ldns_rdf_clone(ldns_rr_owner(ldns_rr_list_rr(records, i)));
    return NULL;
}

/* RFC 2308 section 2: where the name itself begins no zone, the SOA of the one that it is in comes along. */
ldns_rdf *change_read_zone(const ldns_pkt *answer)
{
    ldns_rdf *zone;

    if (!ldns_pkt_aa(answer))
        return NULL;
    zone = find_zone(ldns_pkt_answer(answer));
    return zone ? zone : find_zone(ldns_pkt_authority(answer));
}

/* RFC 2136 sections 2.5.1 and 2.5.4: add to an RRset, delete from it. */
static int change_record(struct update *update, const struct job_dns *dns, const struct job_record *record,
                         const ldns_rdf *name)
{
    ldns_rdf *value = ldns_rdf_new_frm_str(LDNS_RDF_TYPE_DNAME, record->name);
    bool add = dns->direction == JOB_DNS_CLAIM;
    int r = update_begin(update);

    if (r < 0 || !value) {
        ldns_rdf_deep_free(value);
        return -1;
    }
    return update_add(update->changes,
                      update_record(name, LDNS_RR_TYPE_PTR, add ? LDNS_RR_CLASS_IN : LDNS_RR_CLASS_NONE,
                                    add ? dns->ttl_s : 0, value));
}

ldns_pkt *change_pointer(const struct job_dns *dns, const struct job_record *record, const ldns_rdf *zone)
{
    struct update update = {0};
    ldns_rdf *name = reverse_name(record);
    ldns_pkt *packet = NULL;
    char *text = ldns_rdf2str(zone);

    if (name && text && dns->direction == JOB_DNS_LOOK)
        packet = update_question(name, LDNS_RR_TYPE_PTR);
    else if (name && text && change_record(&update, dns, record, name) == 0)
        (void)update_end(&update, text, &packet);
    update_free(&update);
    ldns_rdf_deep_free(name);
    free(text);
    return packet;
}

bool change_has_pointer(const struct job_record *record, const ldns_pkt *answer)
{
    ldns_rdf *name = ldns_rdf_new_frm_str(LDNS_RDF_TYPE_DNAME, record->name);
    const ldns_rr_list *records = ldns_pkt_answer(answer);
    bool found = false;

    for (size_t i = 0; name && records && i < ldns_rr_list_rr_count(records); i++) {
        const ldns_rr *one = ldns_rr_list_rr(records, i);

        found |= ldns_rr_get_type(one) == LDNS_RR_TYPE_PTR && ldns_rr_rd_count(one) == 1 &&
                 ldns_dname_compare(ldns_rr_rdf(one, 0), name) == 0;
    }
    ldns_rdf_deep_free(name);
    return found;
}
