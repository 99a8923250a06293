/* SPDX-License-Identifier: Apache-2.0 */
/* What a wild world must come to once all is mended. */
#include <string.h>

#include "tests/sim/libwild.h"

/* How long two targets hold one address at most: one address after the other of a NIC is asked for by broadcast, and
 * from one probe of their contest to the next some time passes. As in agent/core/return.c. */
#define RIVALS_ASK_NS (1 * NSEC_PER_SEC + 250 * NSEC_PER_MSEC)
#define RIVALS_ASK_EACH_NS (20 * NSEC_PER_MSEC)
#define RIVALS_PROBE_NS (1 * NSEC_PER_SEC)

static bool is_broken(const struct play *p)
{
    return p->world->n_violations > 0;
}

static const struct wild_host *source_of(const struct play *p, unsigned source)
{
    return &p->wild->hosts[wild_host_of(p->wild, WILD_SOURCE, source)];
}

unsigned play_holders(const struct play *p, const char *address)
{
    char ip[IP_ADDRESS_TEXT];
    unsigned n = 0;

    snprintf(ip, sizeof ip, "%.*s", (int)strcspn(address, "/"), address);
    for (unsigned i = 0; i < p->wild->n_targets; i++)
        n += sim_host_holds(play_target(p, i), ip);
    return n;
}

/* Calls `each` for every address of the source. */
static void each_address(struct play *p, unsigned source,
                         void (*each)(struct play *, const char *address, const char *nic))
{
    const struct wild_host *host = source_of(p, source);
    char nic[16];

    for (unsigned k = 0; k < host->n_nics; k++) {
        snprintf(nic, sizeof nic, "eth%u", k);
        for (unsigned i = 0; i < host->nics[k].n_addresses && !is_broken(p); i++)
            each(p, host->nics[k].addresses[i], nic);
    }
}

/* A state in which a lost source is left alone, and a person can see why. */
static bool is_excused(struct sim_agent *agent, const char *source, const char *nic)
{
    static const char *const excuses[] = {"unseen", "disarmed", "awaiting", "lost"};
    const char *state = sim_agent_state(agent, source, nic);

    for (size_t i = 0; i < sizeof excuses / sizeof *excuses; i++)
        if (strcmp(state, excuses[i]) == 0)
            return true;
    return strcmp(state, "blocked") == 0 && strstr(sim_agent_reason(agent, source, nic), "cut off");
}

static bool is_monitored(const struct play *p, const char *address)
{
    const char *line = strstr(p->wild->files[0], address);
    const char *monitor = line ? strstr(line, "monitor no") : NULL;

    return !monitor || strchr(line, '\n') < monitor;
}

/* An address that was left behind when others of its NIC were claimed, and is not monitored, is never lost by itself;
 * nor is the rest taken over by itself of what a person approved. */
static bool is_left_behind(const struct play *p, const struct wild_nic *nic, unsigned number)
{
    if (p->wild->rules[0].all_automatic && is_monitored(p, nic->addresses[number]))
        return false;
    for (unsigned i = 0; i < nic->n_addresses; i++)
        if (play_holders(p, nic->addresses[i]) > 0)
            return true;
    return false;
}

static void expect_nic_served(struct play *p, unsigned source, unsigned k)
{
    const struct wild_host *host = source_of(p, source);
    char nic[16];

    snprintf(nic, sizeof nic, "eth%u", k);
    for (unsigned i = 0; i < host->nics[k].n_addresses; i++) {
        if (play_holders(p, host->nics[k].addresses[i]) > 0 || is_left_behind(p, &host->nics[k], i))
            continue;
        for (unsigned t = 0; t < p->wild->n_targets && !is_broken(p); t++) {
            struct sim_agent *agent = p->agents[t];

            char state[32];

            if (is_excused(agent, host->name, nic))
                continue;
            snprintf(state, sizeof state, "%s", sim_agent_state(agent, host->name, nic));
            sim_violate(p->world, "%s is dead, all else is whole, and nobody serves %s: %s says %s, %s", host->name,
                        host->nics[k].addresses[i], agent->host->name, state, sim_agent_reason(agent, host->name, nic));
        }
    }
}

void expect_served_or_excused(struct play *p)
{
    for (unsigned i = 0; i < p->wild->n_sources; i++)
        for (unsigned k = 0; k < source_of(p, i)->n_nics; k++)
            if (!play_source(p, i)->alive && !is_broken(p))
                expect_nic_served(p, i, k);
}

/* Of several targets that claim at the same moment, the one that goes on may have left to another, which gives way,
 * what is not monitored. */
void expect_served(struct play *p, unsigned source)
{
    const struct wild_host *host = source_of(p, source);

    for (unsigned k = 0; k < host->n_nics; k++)
        for (unsigned i = 0; i < host->nics[k].n_addresses && !is_broken(p); i++) {
            const char *address = host->nics[k].addresses[i];
            bool may_be_left = p->wild->n_targets > 1 && !is_monitored(p, address);

            if (play_holders(p, address) == 0 && !(may_be_left && is_left_behind(p, &host->nics[k], i)))
                sim_violate(p->world, "nobody holds %s of the lost eth%u", address, k);
        }
}

static void expect_no_holder(struct play *p, const char *address, const char *nic)
{
    if (play_holders(p, address) > 0)
        sim_violate(p->world, "%s is held, though all of %s was given back", address, nic);
}

/* Whether every NIC of the source is in the state for every agent; one that is not is told in `ret`. */
static bool is_everywhere(struct play *p, unsigned source, const char *state, char ret[static 320])
{
    const struct wild_host *host = source_of(p, source);
    char nic[16], found[32];

    for (unsigned t = 0; t < p->wild->n_targets; t++)
        for (unsigned k = 0; k < host->n_nics; k++) {
            snprintf(nic, sizeof nic, "eth%u", k);
            snprintf(found, sizeof found, "%s", sim_agent_state(p->agents[t], host->name, nic));
            if (strcmp(found, state) == 0)
                continue;
            snprintf(ret, 320, "for %s, %s/%s is %s instead of %s: %.160s", p->agents[t]->host->name, host->name, nic,
                     found, state, sim_agent_reason(p->agents[t], host->name, nic));
            return false;
        }
    return true;
}

void expect_state(struct play *p, unsigned source, const char *state, nsec_t within_ns)
{
    nsec_t until_ns = p->world->clock.now_ns + within_ns;
    char wrong[320];

    while (!is_broken(p) && !is_everywhere(p, source, state, wrong)) {
        if (p->world->clock.now_ns >= until_ns) {
            sim_violate(p->world, "%s", wrong);
            return;
        }
        play_run(p, 250 * NSEC_PER_MSEC);
    }
}

void expect_up(struct play *p, unsigned source, nsec_t within_ns)
{
    each_address(p, source, expect_no_holder);
    expect_state(p, source, "up", within_ns);
    each_address(p, source, expect_no_holder);
}

/* When a host of that kind last answered the client. */
static nsec_t last_answer_ns(const struct play *p, unsigned source, bool itself)
{
    nsec_t last_ns = NSEC_UNSET;

    if (itself)
        return sim_client_last(p->clients[source], play_source(p, source));
    for (unsigned i = 0; i < p->wild->n_targets; i++) {
        nsec_t at_ns = sim_client_last(p->clients[source], play_target(p, i));

        last_ns = at_ns > last_ns ? at_ns : last_ns;
    }
    return last_ns;
}

void expect_reached(struct play *p, unsigned source, bool itself, nsec_t within_ns)
{
    nsec_t begun_ns = p->world->clock.now_ns;

    while (!is_broken(p) && last_answer_ns(p, source, itself) < begun_ns) {
        if (p->world->clock.now_ns - begun_ns > within_ns) {
            sim_violate(p->world, "%s's client has no answer from %s after %lld ms", source_of(p, source)->name,
                        itself ? "it" : "a target", (long long)(within_ns / NSEC_PER_MSEC));
            return;
        }
        play_run(p, 250 * NSEC_PER_MSEC);
    }
}

static nsec_t rivals_ns(const struct play *p)
{
    unsigned n_nics = 0;

    for (unsigned i = 0; i < p->wild->n_sources; i++)
        n_nics += source_of(p, i)->n_nics;
    return WILD_ADDRESSES_MAX * (RIVALS_ASK_NS + n_nics * RIVALS_ASK_EACH_NS) + RIVALS_PROBE_NS;
}

void expect_no_rivals(struct play *p)
{
    const struct sim_world *world = p->world;
    char ip[IP_ADDRESS_TEXT];

    for (size_t i = 0; i < world->n_overlaps; i++) {
        nsec_t since_ns = world->overlaps[i].since_ns;

        if (since_ns == NSEC_NEVER)
            continue;
        since_ns = since_ns > p->whole_ns ? since_ns : p->whole_ns;
        if (world->clock.now_ns - since_ns > rivals_ns(p))
            sim_violate(p->world, "two targets hold %s for %lld ms, and all is whole",
                        ip_address_format(&world->overlaps[i].ip, ip),
                        (long long)((world->clock.now_ns - since_ns) / NSEC_PER_MSEC));
    }
}

void expect_done(struct play *p, unsigned target, unsigned source)
{
    const struct sim_agent *agent = p->agents[target];
    const struct wild_host *host = source_of(p, source);

    if (!agent->answer_ok && strstr(agent->answer, "nothing of it is held") == NULL)
        sim_violate(p->world, "%s cannot give %s back: %s", agent->host->name, host->name, agent->answer);
    for (unsigned k = 0; k < host->n_nics; k++)
        for (unsigned i = 0; i < host->nics[k].n_addresses; i++) {
            char ip[IP_ADDRESS_TEXT];

            snprintf(ip, sizeof ip, "%.*s", (int)strcspn(host->nics[k].addresses[i], "/"), host->nics[k].addresses[i]);
            if (sim_host_holds(agent->host, ip))
                sim_violate(p->world, "%s says \"%s\", and holds %s", agent->host->name, agent->answer, ip);
        }
}
