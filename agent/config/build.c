/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the ipmap of what was read: what a source does not say, `defaults` or the program says for it. */
#include <errno.h>
#include <string.h>

#include "agent/config/statements.h"

#define DEFAULT_INTERVAL_NS (200 * NSEC_PER_MSEC)
#define DEFAULT_MISSES 5
#define DEFAULT_VERIFY_ASKS 3
#define DEFAULT_VERIFY_WITHIN_NS (60 * NSEC_PER_MSEC)
#define DEFAULT_LEASE_NS (3 * NSEC_PER_SEC)
#define DEFAULT_GUARD_NS (1 * NSEC_PER_SEC)

static const struct ipmap_source program_defaults = {
    .interval_ns = DEFAULT_INTERVAL_NS,
    .misses = DEFAULT_MISSES,
    .probes = IPMAP_PROBE_ARP | IPMAP_PROBE_ND | IPMAP_PROBE_ICMP,
    .on_host = IPMAP_TAKEOVER_AUTOMATIC,
    .on_nic = IPMAP_TAKEOVER_AUTOMATIC,
    .on_service = IPMAP_TAKEOVER_NOTIFY,
    .failback = IPMAP_FAILBACK_MANUAL,
    .approval_timeout_ns = NSEC_NEVER,
    .approval_default = IPMAP_APPROVAL_DENY,
    .announce_source = true,
    .verify_asks = DEFAULT_VERIFY_ASKS,
    .verify_within_ns = DEFAULT_VERIFY_WITHIN_NS,
    .burst_ns = NSEC_NEVER,
    .lease_ns = DEFAULT_LEASE_NS,
};

/* What settings say: a copy of each field whose statement was given. */
static void copy_given(struct settings *to, const struct settings *from)
{
    for (size_t i = 0; i < STATEMENTS; i++)
        for (size_t j = 0; j < 2 && is_given(from, (enum statement_id)i); j++) {
            struct field field = statement_kinds[i].fields[j];

            memcpy((char *)to + field.offset, (const char *)from + field.offset, field.size);
        }
}

/* In each of the two places the cause goes before `takeover`, and the source goes before the defaults. */
static void resolve_takeover(struct settings *to, const struct settings *from)
{
    if (is_given(from, STATEMENT_TAKEOVER))
        to->values.on_host = to->values.on_nic = from->takeover;
    if (is_given(from, STATEMENT_ON_HOST))
        to->values.on_host = from->values.on_host;
    if (is_given(from, STATEMENT_ON_NIC))
        to->values.on_nic = from->values.on_nic;
}

static void resolve_witnesses(struct ipmap_source *to, const struct settings *from)
{
    to->witness_none = from->values.witness_none;
    to->n_witnesses = from->values.n_witnesses;
    memcpy(to->witnesses, from->values.witnesses, sizeof to->witnesses);
}

static struct ipmap_place place_of(const struct ipmap *ipmap, const struct place *place)
{
    return (struct ipmap_place){ipmap->files[place->file], place->line, place->column};
}

static int build_nic(const struct reader *reader, const struct nic_draft *draft, const struct settings *settings,
                     struct ipmap *ipmap, struct ipmap_nic *ret)
{
    struct ipmap_nic nic = {
        .trigger = draft->trigger_given ? draft->trigger : settings->trigger,
        .n_addresses = draft->n_addresses,
        .place = place_of(ipmap, &draft->place),
    };

    nic.addresses = calloc(draft->n_addresses, sizeof *nic.addresses);
    if (!nic.addresses)
        return -ENOMEM;
    memcpy(nic.name, draft->name, sizeof nic.name);
    for (size_t i = 0; i < draft->n_addresses; i++) {
        const struct address_draft *from = &reader->addresses[draft->first_address + i];
        struct ipmap_address *to = &nic.addresses[i];

        to->ip = from->ip;
        to->prefix = from->prefix;
        to->monitor = from->monitor;
        to->place = place_of(ipmap, &from->place);
        memcpy(to->dev, from->dev, sizeof to->dev);
        memcpy(to->fallback, from->fallback, sizeof to->fallback);
    }
    *ret = nic;
    return 0;
}

static void resolve(const struct reader *reader, const struct source_draft *draft, struct settings *ret)
{
    const struct settings *own = &draft->settings, *defaults = &reader->defaults;

    *ret = (struct settings){.values = program_defaults, .trigger = IPMAP_TRIGGER_ALL};
    copy_given(ret, defaults);
    copy_given(ret, own);
    ret->values.on_host = program_defaults.on_host;
    ret->values.on_nic = program_defaults.on_nic;
    resolve_takeover(ret, defaults);
    resolve_takeover(ret, own);
    resolve_witnesses(&ret->values, is_given(own, STATEMENT_WITNESS) ? own : defaults);
    memcpy(ret->values.name, own->values.name, sizeof ret->values.name);
}

/* Where a source's part of each of reader's lists begins. */
struct part {
    size_t nic, check, hook, unit;
};

/* Its checks, hooks, units and DNS. What the pool holds of them is the ipmap's already. */
static int build_services(const struct reader *reader, const struct source_draft *draft, const struct part *part,
                          struct ipmap *ipmap, struct ipmap_source *source)
{
    source->checks = pool_alloc(&ipmap->pool, draft->n_checks * sizeof *source->checks);
    source->hooks = pool_alloc(&ipmap->pool, draft->n_hooks * sizeof *source->hooks);
    source->units = pool_alloc(&ipmap->pool, draft->n_units * sizeof *source->units);
    if (!source->checks || !source->hooks || !source->units)
        return -ENOMEM;
    for (size_t i = 0; i < draft->n_checks; i++) {
        const struct check_draft *from = &reader->checks[part->check + i];

        source->checks[i] = from->check;
        source->checks[i].place = place_of(ipmap, &from->place);
    }
    for (size_t i = 0; i < draft->n_hooks; i++) {
        const struct hook_draft *from = &reader->hooks[part->hook + i];

        source->hooks[i] = from->hook;
        source->hooks[i].place = place_of(ipmap, &from->place);
    }
    for (size_t i = 0; i < draft->n_units; i++) {
        const struct unit_draft *from = &reader->units[part->unit + i];

        source->units[i] = from->unit;
        source->units[i].place = place_of(ipmap, &from->place);
    }
    source->n_checks = draft->n_checks;
    source->n_hooks = draft->n_hooks;
    source->n_units = draft->n_units;
    source->fence = draft->fence;
    source->dns = draft->dns;
    if (draft->dns)
        draft->dns->place = place_of(ipmap, &draft->dns_place);
    return 0;
}

/* Fills the source in; on failure it can be freed. */
static int build_source(const struct reader *reader, const struct source_draft *draft, const struct part *part,
                        struct ipmap *ipmap, struct ipmap_source *source)
{
    struct settings settings;

    resolve(reader, draft, &settings);
    *source = settings.values;
    source->place = place_of(ipmap, &draft->place);
    source->nics = calloc(draft->n_nics + 1, sizeof *source->nics);
    if (!source->nics)
        return -ENOMEM;
    for (size_t i = 0; i < draft->n_nics; i++) {
        int r = build_nic(reader, &reader->nics[part->nic + i], &settings, ipmap, &source->nics[i]);

        if (r < 0)
            return r;
        source->n_nics++;
    }
    return build_services(reader, draft, part, ipmap, source);
}

/* The messages keep the reader's own names, and may outlive the ipmap. */
static int copy_files(const struct reader *reader, struct ipmap *ipmap)
{
    ipmap->files = calloc(reader->n_files, sizeof *ipmap->files);
    if (!ipmap->files)
        return -ENOMEM;
    for (size_t i = 0; i < reader->n_files; i++) {
        ipmap->files[i] = strdup(reader->files[i]);
        if (!ipmap->files[i])
            return -ENOMEM;
        ipmap->n_files++;
    }
    return 0;
}

static int build(struct reader *reader, struct ipmap *ipmap)
{
    struct part part = {0};
    int r = copy_files(reader, ipmap);

    ipmap->pool = TAKE_POINTER(reader->pool);
    ipmap->guard_ns = is_given(&reader->defaults, STATEMENT_GUARD) ? reader->defaults.guard_ns : DEFAULT_GUARD_NS;
    if (r < 0 || reader->n_sources == 0)
        return r;
    ipmap->sources = calloc(reader->n_sources, sizeof *ipmap->sources);
    if (!ipmap->sources)
        return -ENOMEM;
    for (size_t i = 0; i < reader->n_sources; i++) {
        ipmap->n_sources++;
        const struct source_draft *draft = &reader->sources[i];

        r = build_source(reader, draft, &part, ipmap, &ipmap->sources[i]);
        if (r < 0)
            return r;
        part.nic += draft->n_nics;
        part.check += draft->n_checks;
        part.hook += draft->n_hooks;
        part.unit += draft->n_units;
    }
    ipmap->n_addresses = reader->n_addresses;
    return 0;
}

int reader_build(struct reader *reader, struct ipmap **ret)
{
    struct ipmap *ipmap = calloc(1, sizeof *ipmap);
    int r = ipmap ? build(reader, ipmap) : -ENOMEM;

    if (r < 0) {
        ipmap_free(ipmap);
        reader->status = r;
        return r;
    }
    *ret = ipmap;
    return 0;
}
