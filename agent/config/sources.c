/* SPDX-License-Identifier: Apache-2.0 */
/* Sources and their NICs. */
#include <errno.h>
#include <string.h>

#include "agent/config/apply.h"
#include "agent/config/checks.h"
#include "agent/config/service.h"
#include "agent/config/text.h"
#include "agent/config/values.h"

bool apply_defaults(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    (void)opened;
    return statement->bad || expect_values(reader, statement, 0);
}

static bool source_name_equal(const void *userdata, size_t index, const void *key)
{
    const struct reader *reader = userdata;

    return strcmp(reader->sources[index].settings.values.name, key) == 0;
}

static uint64_t source_name_hash(const void *userdata, size_t index)
{
    const struct reader *reader = userdata;
    const char *name = reader->sources[index].settings.values.name;

    return lookup_hash_text(name, strlen(name));
}

/* Makes source number `index` known by its name, which none before it may have. */
static bool add_source_name(struct reader *reader, size_t index)
{
    const struct source_draft *source = &reader->sources[index];
    const char *name = source->settings.values.name;
    uint64_t hash = source_name_hash(reader, index);
    char first[PLACE_TEXT];
    size_t other = lookup_find(&reader->source_lookup, hash, source_name_equal, reader, name);

    if (other != SIZE_MAX) {
        reader_error(reader, &source->place, "source '%s' is given twice; first at %s", name,
                     reader_place_text(reader, &reader->sources[other].place, &source->place, first));
        return false;
    }
    if (lookup_reserve(&reader->source_lookup, source_name_hash, reader) < 0) {
        reader->status = -ENOMEM;
        return false;
    }
    lookup_add(&reader->source_lookup, hash, index);
    return true;
}

bool apply_source(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    struct source_draft *source;
    size_t n, index = reader->n_sources;
    const struct word *name = statement_values(statement, &n);

    opened->block = BLOCK_NONE; /* unless there is room */
    if (index == LIMIT_SOURCES) {
        if (!reader->sources_full)
            reader_error(reader, &statement->place, "more than %d sources", LIMIT_SOURCES);
        reader->sources_full = true;
        return false;
    }
    if (!READER_GROW(reader, reader->sources, index, reader->sources_room))
        return false;
    source = &reader->sources[index];
    *source = (struct source_draft){.place = statement->place};
    reader->n_sources++;
    opened->block = BLOCK_SOURCE;
    opened->source = index;
    opened->nic = opened->address = READER_NONE;
    if (statement->bad || !expect_values(reader, statement, 1))
        return false;
    source->place = name->place;
    return read_name(reader, name, BLOCK_SOURCE, source->settings.values.name) && add_source_name(reader, index);
}

/* Of a source that has one. */
static const struct ip_address *first_address(const struct reader *reader, const struct source_draft *source)
{
    const struct nic_draft *first = &reader->nics[reader->n_nics - source->n_nics];

    return &reader->addresses[first->first_address].ip;
}

void close_source(struct reader *reader, const struct frame *frame)
{
    const struct source_draft *source = &reader->sources[frame->source];

    if (source->n_nics > 0)
        warn_of_hold_down(reader, &frame->first[STATEMENT_HOLD_DOWN], source->settings.values.hold_down_ns);
    /* Where something in it was refused, a NIC is likely among it. */
    if (reader->n_errors != frame->errors || reader->status < 0)
        return;
    if (source->n_nics > 0)
        close_source_checks(reader, source, first_address(reader, source));
    else if (source->dns)
        close_source_checks(reader, source, NULL);
    else
        reader_error(reader, &frame->place, "'%s' has neither 'nic' nor 'dns'", frame->label);
}

static bool check_nic_name(struct reader *reader, const struct nic_draft *nic)
{
    char first[PLACE_TEXT];

    for (const struct nic_draft *other = reader->nics + reader->n_nics - 1; other-- > reader->nics;) {
        if (other->source != nic->source)
            break;
        if (strcmp(other->name, nic->name) == 0) {
            reader_error(reader, &nic->place, "nic '%s' is given twice; first at %s", nic->name,
                         reader_place_text(reader, &other->place, &nic->place, first));
            return false;
        }
    }
    return true;
}

bool apply_nic(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    struct source_draft *source = &reader->sources[opened->source];
    struct nic_draft *nic;
    size_t n;
    const struct word *name = statement_values(statement, &n);

    opened->block = BLOCK_NONE; /* unless there is room */
    if (source->n_nics == LIMIT_NICS_PER_SOURCE) {
        reader_error(reader, &statement->place, "more than %d NICs in one source", LIMIT_NICS_PER_SOURCE);
        return false;
    }
    if (!READER_GROW(reader, reader->nics, reader->n_nics, reader->nics_room))
        return false;
    nic = &reader->nics[reader->n_nics];
    *nic =
        (struct nic_draft){.source = opened->source, .first_address = reader->n_addresses, .place = statement->place};
    source->n_nics++;
    opened->block = BLOCK_NIC;
    opened->nic = reader->n_nics++;
    if (statement->bad || !expect_values(reader, statement, 1))
        return false;
    nic->place = name->place;
    return read_name(reader, name, BLOCK_NIC, nic->name) && check_nic_name(reader, nic);
}

static int compare_addresses(const void *a, const void *b)
{
    const struct address_draft *const *left = a, *const *right = b;

    return memcmp(&(*left)->ip, &(*right)->ip, sizeof(*left)->ip);
}

/*
 * Two addresses that are in one subnet by the prefix lengths of both, which differ: one of them is likely a slip.
 * Sorted, such addresses are neighbours. Host prefixes say nothing about a subnet.
 */
static void check_prefixes(struct reader *reader, const struct nic_draft *nic)
{
    CLEANUP_FREE const struct address_draft **sorted = NULL;
    char one[IP_ADDRESS_TEXT], other[IP_ADDRESS_TEXT], first[PLACE_TEXT];
    size_t n = 0;

    sorted = calloc(nic->n_addresses, sizeof *sorted);
    if (!sorted) {
        reader->status = -ENOMEM;
        return;
    }
    for (size_t i = 0; i < nic->n_addresses; i++) {
        const struct address_draft *address = &reader->addresses[nic->first_address + i];

        if (address->prefix < ip_address_bits(address->ip.family))
            sorted[n++] = address;
    }
    qsort(sorted, n, sizeof *sorted, compare_addresses);
    for (size_t i = 1; i < n; i++) {
        const struct address_draft *a = sorted[i - 1], *b = sorted[i], *later = a > b ? a : b, *earlier = a > b ? b : a;

        if (a->prefix == b->prefix ||
            !ip_address_same_net(&a->ip, &b->ip, a->prefix > b->prefix ? a->prefix : b->prefix))
            continue;
        reader_warning(reader, &later->place, "%s/%u is in the subnet of %s/%u at %s, with another prefix length",
                       ip_address_format(&later->ip, one), later->prefix, ip_address_format(&earlier->ip, other),
                       earlier->prefix, reader_place_text(reader, &earlier->place, &later->place, first));
        return;
    }
}

void close_nic(struct reader *reader, const struct frame *frame)
{
    struct nic_draft *nic = &reader->nics[frame->nic];
    size_t n_monitored = 0;

    nic->n_addresses = reader->n_addresses - nic->first_address;
    if (reader->n_errors != frame->errors)
        return;
    for (size_t i = 0; i < nic->n_addresses; i++)
        n_monitored += reader->addresses[nic->first_address + i].monitor;
    if (nic->n_addresses == 0)
        reader_error(reader, &frame->place, "'%s' has no address", frame->label);
    else if (n_monitored == 0)
        reader_error(reader, &frame->place, "'%s' has no monitored address; without one it is never lost",
                     frame->label);
    else
        check_prefixes(reader, nic);
}
