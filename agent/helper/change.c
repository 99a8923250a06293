/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/helper/change.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/helper/update.h"

static ldns_rdf *name_of(const char *text)
{
    return ldns_rdf_new_frm_str(LDNS_RDF_TYPE_DNAME, text);
}

static ldns_rr_type type_of(const struct job_record *record)
{
    return record->address.family == AF_INET ? LDNS_RR_TYPE_A : LDNS_RR_TYPE_AAAA;
}

/* What the first name had is kept under keep_old, what another had under its own name with that behind it. */
static int name_keeper(const struct job_dns *dns, const struct job_record *record, ldns_rdf **ret)
{
    char text[2 * LIMIT_DNS_NAME + 2];

    if (!dns->keep_old)
        return 0;
    if (strcasecmp(record->name, dns->records[0].name) == 0)
        *ret = name_of(dns->keep_old);
    else if ((size_t)snprintf(text, sizeof text, "%s.%s", record->name, dns->keep_old) < sizeof text)
        *ret = name_of(text);
    return *ret ? 0 : -EINVAL;
}

static struct change_set *find_set(struct change *change, const ldns_rdf *owner, ldns_rr_type type)
{
    for (size_t i = 0; i < change->n_sets; i++)
        if (change->sets[i].type == type && ldns_dname_compare(change->sets[i].owner, owner) == 0)
            return &change->sets[i];
    return NULL;
}

static int add_record(struct change *change, const struct job_record *record)
{
    ldns_rr_type type = type_of(record);
    ldns_rdf *owner = name_of(record->name), *address;
    struct change_set *set = owner ? find_set(change, owner, type) : NULL;

    if (!owner)
        return -EINVAL;
    if (set) {
        ldns_rdf_deep_free(owner);
    } else {
        set = &change->sets[change->n_sets++];
        *set = (struct change_set){.type = type, .owner = owner, .wanted = ldns_rr_list_new()};
        if (!set->wanted)
            return -ENOMEM;
        if (name_keeper(change->dns, record, &set->keeper) < 0)
            return -EINVAL;
    }
    address = ldns_rdf_new_frm_data(type == LDNS_RR_TYPE_A ? LDNS_RDF_TYPE_A : LDNS_RDF_TYPE_AAAA,
                                    ip_address_size(record->address.family), record->address.bytes);
    return update_add(set->wanted, update_record(set->owner, type, LDNS_RR_CLASS_IN, change->dns->ttl_s, address));
}

int change_begin(struct change *change, const struct job_dns *dns, struct report *report)
{
    int r;

    *change = (struct change){.dns = dns};
    for (size_t i = 0; i < dns->n_records; i++) {
        r = add_record(change, &dns->records[i]);
        if (r < 0) {
            report_set(report, JOB_UNABLE, r == -ENOMEM ? "no memory" : "'%s' is no name, or too long to be kept",
                       dns->records[i].name);
            return r;
        }
    }
    return 0;
}

static void forget(ldns_rr_list **list)
{
    ldns_rr_list_deep_free(*list);
    *list = NULL;
}

void change_free(struct change *change)
{
    for (size_t i = 0; i < change->n_sets; i++) {
        struct change_set *set = &change->sets[i];

        forget(&set->wanted);
        forget(&set->now);
        forget(&set->kept);
        ldns_rdf_deep_free(set->owner);
        ldns_rdf_deep_free(set->keeper);
    }
    change->n_sets = 0;
}

ldns_pkt *change_question(const struct change *change, size_t set, bool kept)
{
    const struct change_set *of = &change->sets[set];

    return update_question(kept ? of->keeper : of->owner, of->type);
}

static int refuse_alias(const ldns_rdf *owner, struct report *report)
{
    char *name = ldns_rdf2str(owner);

    report_set(report, JOB_MISSED, "%s is an alias (CNAME), which can have no address", name ? name : "a name");
    free(name);
    return -EINVAL;
}

int change_take(struct change *change, size_t set, bool kept, const ldns_pkt *answer, struct report *report)
{
    struct change_set *of = &change->sets[set];
    ldns_rr_list **into = kept ? &of->kept : &of->now;
    const ldns_rdf *owner = kept ? of->keeper : of->owner;
    const ldns_rr_list *records = ldns_pkt_answer(answer);

    /* RFC 1035 section 4.1.1: only who has the zone itself tells what is in it now. */
    if (!ldns_pkt_aa(answer)) {
        report_set(report, JOB_MISSED, "the server is not in charge of the zone");
        return -EPERM;
    }
    forget(into);
    *into = ldns_rr_list_new();
    for (size_t i = 0; *into && i < ldns_rr_list_rr_count(records); i++) {
        const ldns_rr *record = ldns_rr_list_rr(records, i);

        if (ldns_dname_compare(ldns_rr_owner(record), owner) != 0)
            continue;
        /* RFC 2136 section 3.4.2.2: a server passes silently over an address that is added to an alias. */
        if (ldns_rr_get_type(record) == LDNS_RR_TYPE_CNAME)
            return refuse_alias(owner, report);
        if (ldns_rr_get_type(record) == of->type && ldns_rr_rd_count(record) == 1 &&
            update_add(*into, ldns_rr_clone(record)) < 0)
            forget(into);
    }
    if (*into)
        return 0;
    report_set(report, JOB_UNABLE, "no memory");
    return -ENOMEM;
}

/* What was done to each set, for the text. */
struct tally {
    size_t left;    /* it is as wanted already */
    size_t changed; /* it becomes so */
    size_t kept;    /* restored: what was kept comes back */
    size_t strange; /* it is as somebody else has written it */
};

static int claim_set(const struct change_set *set, struct update *update, struct tally *tally)
{
    int r;

    /* Whoever wrote it, most likely this job's last attempt: what is kept must not become our own address. */
    if (update_same(set->now, set->wanted)) {
        tally->left++;
        return 0;
    }
    tally->changed++;
    r = update_require(update, set->owner, set->type, set->now);
    if (r == 0)
        r = update_replace(update, set->owner, set->type, set->wanted);
    return r == 0 && set->keeper ? update_replace(update, set->keeper, set->type, set->now) : r;
}

static int restore_set(const struct change *change, const struct change_set *set, struct update *update,
                       struct tally *tally)
{
    bool is_kept = set->kept && ldns_rr_list_rr_count(set->kept) > 0;
    int r;

    if (update_same(set->now, set->wanted)) {
        tally->changed++;
        tally->kept += is_kept;
        r = update_require(update, set->owner, set->type, set->now);
        if (r == 0)
            r = update_replace(update, set->owner, set->type, set->kept);
    } else if (is_kept) {
        tally->strange++;
        r = update_require(update, set->owner, set->type, set->now);
    } else {
        *(change->sent ? &tally->left : &tally->strange) += 1;
        return 0;
    }
    return r == 0 && is_kept ? update_replace(update, set->keeper, set->type, NULL) : r;
}

/* "www.example.net. A 192.0.2.7", of the first set that is not as wanted. */
static void describe(const struct change *change, struct report *report, enum job_outcome outcome, const char *begin)
{
    for (size_t i = 0; i < change->n_sets; i++) {
        const struct change_set *set = &change->sets[i];
        char *owner, *address = NULL;

        if (update_same(set->now, set->wanted))
            continue;
        owner = ldns_rdf2str(set->owner);
        if (ldns_rr_list_rr_count(set->now) > 0)
            address = ldns_rdf2str(ldns_rr_rdf(ldns_rr_list_rr(set->now, 0), 0));
        report_set(report, outcome, "%s%s has %s %s", begin, owner ? owner : "a name",
                   set->type == LDNS_RR_TYPE_A ? "A" : "AAAA", address ? address : "no more");
        free(owner);
        free(address);
        return;
    }
}

static void tell(const struct change *change, const struct tally *tally, struct report *report)
{
    switch (change->dns->direction) {
    case JOB_DNS_CLAIM:
        report_set(report, JOB_PASSED, tally->changed > 0 || change->sent ? "written" : "was written already");
        break;
    case JOB_DNS_RESTORE:
        if (tally->strange > 0)
            describe(change, report, JOB_PASSED, "the source has registered itself again: ");
        else
            report_set(report, JOB_PASSED, tally->kept > 0 || tally->changed == 0 ? "restored" : "taken out");
        break;
    case JOB_DNS_LOOK:
        if (tally->changed == 0)
            report_set(report, JOB_PASSED, "as written");
        else
            describe(change, report, JOB_MISSED, "");
        break;
    }
}

int change_decide(const struct change *change, ldns_pkt **ret, struct report *report)
{
    struct update update = {0};
    struct tally tally = {0};
    int r = update_begin(&update);

    for (size_t i = 0; i < change->n_sets && r == 0; i++) {
        const struct change_set *set = &change->sets[i];

        switch (change->dns->direction) {
        case JOB_DNS_CLAIM:
            r = claim_set(set, &update, &tally);
            break;
        case JOB_DNS_RESTORE:
            r = restore_set(change, set, &update, &tally);
            break;
        case JOB_DNS_LOOK:
            tally.changed += !update_same(set->now, set->wanted);
            break;
        }
    }
    if (r == 0)
        r = update_end(&update, change->dns->zone, ret);
    if (r == 0)
        tell(change, &tally, report);
    update_free(&update);
    return r;
}
