/* SPDX-License-Identifier: Apache-2.0 */
/* What can be judged only when all files are read. */
#include <errno.h>
#include <string.h>

#include "agent/config/reader.h"

/* A source is never its own witness, and an address that may come to us is no witness of anybody. */
static void check_witnesses(struct reader *reader)
{
    char text[IP_ADDRESS_TEXT], where[PLACE_TEXT];

    for (size_t i = 0; i < reader->n_witnesses; i++) {
        const struct witness_draft *witness = &reader->witnesses[i];
        size_t address = reader_find_address(reader, &witness->ip);

        if (address != READER_NONE)
            reader_error(reader, &witness->place, "%s is a source's own address (%s) and cannot be a witness",
                         ip_address_format(&witness->ip, text),
                         reader_place_text(reader, &reader->addresses[address].place, &witness->place, where));
    }
}

/* A target NIC with the witnesses that are asked there. */
struct target {
    const char *nic;
    const struct ipmap_source *asks; /* whose witnesses */
};

struct targets {
    const struct reader *reader;
    struct target list[LIMIT_TARGETS + 1]; /* the last is only tried */
    size_t n;
    struct lookup lookup;
};

static uint64_t target_hash(const void *userdata, size_t index)
{
    const struct targets *targets = userdata;
    const struct target *target = &targets->list[index];
    uint64_t hash = lookup_hash_text(target->nic, strlen(target->nic));

    hash = hash * 31 + target->asks->n_witnesses * 2 + target->asks->witness_none;
    for (size_t i = 0; i < target->asks->n_witnesses; i++)
        hash = hash * 31 + ip_address_hash(&target->asks->witnesses[i], 0);
    return hash;
}

static bool target_equal(const void *userdata, size_t index, const void *key)
{
    const struct targets *targets = userdata;
    const struct target *a = &targets->list[index], *b = key;

    return strcmp(a->nic, b->nic) == 0 && a->asks->witness_none == b->asks->witness_none &&
           a->asks->n_witnesses == b->asks->n_witnesses &&
           memcmp(a->asks->witnesses, b->asks->witnesses, a->asks->n_witnesses * sizeof(struct ip_address)) == 0;
}

/* False where there is no room for one more. */
static bool add_target(struct reader *reader, struct targets *targets, const char *nic, const struct ipmap_source *asks)
{
    struct target *target = &targets->list[targets->n];
    uint64_t hash;

    *target = (struct target){.nic = nic, .asks = asks};
    hash = target_hash(targets, targets->n);
    if (*nic == '\0' || lookup_find(&targets->lookup, hash, target_equal, targets, target) != SIZE_MAX)
        return true;
    if (targets->n == LIMIT_TARGETS)
        return false;
    if (lookup_reserve(&targets->lookup, target_hash, targets) < 0) {
        reader->status = -ENOMEM;
        return true;
    }
    lookup_add(&targets->lookup, hash, targets->n++);
    return true;
}

/* Each target costs the agent sockets and questions: their number is limited. */
static void check_targets(struct reader *reader)
{
    CLEANUP_FREE struct targets *targets = calloc(1, sizeof *targets);
    bool room = true;

    if (!targets) {
        reader->status = -ENOMEM;
        return;
    }
    for (size_t i = 0; i < reader->n_nics && room; i++) {
        const struct nic_draft *nic = &reader->nics[i];
        const struct settings *own = &reader->sources[nic->source].settings;
        const struct settings *settings = is_given(own, STATEMENT_WITNESS) ? own : &reader->defaults;

        for (size_t j = 0; j < nic->n_addresses && room && reader->status == 0; j++) {
            const struct address_draft *address = &reader->addresses[nic->first_address + j];

            room = add_target(reader, targets, address->dev, &settings->values) &&
                   add_target(reader, targets, address->fallback, &settings->values);
            if (!room)
                reader_error(reader, &address->place, "more than %d target NICs, counted for each set of witnesses",
                             LIMIT_TARGETS);
        }
    }
    lookup_free(&targets->lookup);
}

/* What a source will not do although its statements look as if it would. */
static void check_service_policy(struct reader *reader, const struct source_draft *source)
{
    const struct settings *own = &source->settings, *defaults = &reader->defaults;
    const struct settings *on_service = is_given(own, STATEMENT_ON_SERVICE) ? own : defaults;
    bool force = (is_given(own, STATEMENT_FORCE) ? own : defaults)->values.force;
    bool decides = is_given(on_service, STATEMENT_ON_SERVICE);
    enum ipmap_takeover policy = decides ? on_service->values.on_service : IPMAP_TAKEOVER_NOTIFY;

    if (source->dns && source->n_nics == 0 && source->n_checks == 0)
        reader_warning(reader, &source->place, "no check watches this source: its names move by command alone");
    if (source->n_checks == 0)
        return;
    /* Its host may live, and two hosts with one address are worse than a service that fails. */
    if (policy != IPMAP_TAKEOVER_NOTIFY && source->n_nics > 0 && !source->fence && !force)
        reader_warning(reader, &source->place,
                       "'on service %s' takes nothing over here: there is neither 'fence' nor 'force yes'",
                       ipmap_takeover_name(policy));
    if (force && policy == IPMAP_TAKEOVER_NOTIFY)
        reader_warning(reader, &source->place, "'force yes' does nothing here: 'on service' is notify");
}

void reader_check_whole(struct reader *reader)
{
    check_witnesses(reader);
    for (size_t i = 0; i < reader->n_sources; i++)
        check_service_policy(reader, &reader->sources[i]);
    check_targets(reader);
}
