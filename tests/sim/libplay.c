/* SPDX-License-Identifier: Apache-2.0 */
/* Plays a wild world: faults, then everything is mended and must come right, then a source is lost, act by act. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/libwild.h"

/* Before the first fault. */
#define QUIET_NS (4 * NSEC_PER_SEC)
/* How often the clients ping. */
#define PING_NS (100 * NSEC_PER_MSEC)
/* How often it is looked who holds what. */
#define LOOK_NS (250 * NSEC_PER_MSEC)
/* Witnesses whose own addresses have to be resolved first, link events, the last round under way. */
#define SLACK_NS (2 * NSEC_PER_SEC)
/* CORE_PUT_BACK_NS: what somebody kept taking off is not claimed before. */
#define HOLD_OFF_NS (10 * NSEC_PER_SEC)
/* CORE_YIELDS_MAX: so often one target gives way to another. */
#define YIELDS 2
/* CORE_YIELD_NS: and for so long at least. */
#define YIELD_NS (2500 * NSEC_PER_MSEC)
/* Commands are answered by then. */
#define ANSWER_NS (55 * NSEC_PER_SEC)
/* RFC 5227 as libdad.h does it. */
#define DAD_NS (6 * NSEC_PER_SEC)
/* Clients whose neighbour cache follows what is announced, and others: base_reachable_time and the requests after. */
#define FOLLOWS_NS (6 * NSEC_PER_SEC)
#define AGES_NS (45 * NSEC_PER_SEC)

static void build_host(struct play *p, unsigned number)
{
    const struct wild_host *from = &p->wild->hosts[number];
    struct sim_host *host = sim_host_new(p->world, from->name);
    char name[16];

    p->hosts[number] = host;
    host->refuses_gratuitous = from->refuses_gratuitous;
    host->locks_gratuitous = from->locks_gratuitous;
    host->answers_strictly = from->answers_strictly;
    host->ignores_echo = from->ignores_echo;
    for (unsigned k = 0; k < from->n_nics; k++) {
        struct sim_nic *nic;

        snprintf(name, sizeof name, "eth%u", k);
        nic = sim_nic_new(host, name, p->segments[from->nics[k].segment]);
        for (unsigned i = 0; i < from->nics[k].n_addresses; i++)
            sim_nic_add(nic, from->nics[k].addresses[i]);
    }
}

static void without_prefix(const char *text, char ip[static IP_ADDRESS_TEXT])
{
    snprintf(ip, IP_ADDRESS_TEXT, "%.*s", (int)strcspn(text, "/"), text);
}

static void start_clients(struct play *p)
{
    const struct wild *w = p->wild;

    for (unsigned i = 0; i < w->n_sources; i++) {
        unsigned client = wild_host_of(w, WILD_CLIENT, i);
        char from[IP_ADDRESS_TEXT], to[IP_ADDRESS_TEXT];

        without_prefix(w->hosts[client].nics[0].addresses[0], from);
        without_prefix(w->hosts[wild_host_of(w, WILD_SOURCE, i)].nics[0].addresses[0], to);
        p->clients[i] = sim_client_new(p->hosts[client]->nics[0], from, to, PING_NS);
    }
}

/* Agents start at any phase of each other's rounds. */
static void start_agents(struct play *p)
{
    const struct wild *w = p->wild;

    for (unsigned i = 0; i < w->n_targets; i++) {
        unsigned number = wild_host_of(w, WILD_TARGET, i);
        struct sim_host *host = p->hosts[number];

        if (ip_address_parse("192.0.2.1", &host->gateways[0]) < 0)
            abort();
        sim_run(p->world, (nsec_t)sim_random_below(&p->world->random, (uint64_t)w->rules[0].interval_ns));
        p->agents[i] = sim_agent_start(host, w->files[0]);
        p->agents[i]->guarded = w->hosts[number].guarded;
    }
}

static void build(struct play *p)
{
    const struct wild *w = p->wild;

    p->world = sim_world_new(w->seed);
    for (unsigned i = 0; i < w->n_segments; i++)
        p->segments[i] = sim_segment_new(p->world);
    for (unsigned i = 0; i < w->n_hosts; i++)
        build_host(p, i);
    start_clients(p);
    start_agents(p);
}

/* When a fault begins or ends. */
struct edge {
    nsec_t at_ns;
    const struct wild_fault *fault;
    bool begins;
};

static int by_time(const void *left, const void *right)
{
    const struct edge *a = left, *b = right;

    if (a->at_ns != b->at_ns)
        return a->at_ns < b->at_ns ? -1 : 1;
    if (a->fault != b->fault)
        return a->fault < b->fault ? -1 : 1;
    return b->begins - a->begins;
}

static void play_faults(struct play *p, unsigned act)
{
    const struct wild *w = p->wild;
    struct edge edges[2 * WILD_FAULTS_MAX] = {0};
    size_t n = 0;
    nsec_t begun_ns = p->world->clock.now_ns;

    p->whole_ns = NSEC_NEVER;
    for (unsigned i = 0; i < w->n_faults; i++) {
        const struct wild_fault *f = &w->faults[i];

        if (f->act != act || f->left_out)
            continue;
        edges[n++] = (struct edge){f->at_ns, f, true};
        if (f->lasts_ns > 0 && f->lasts_ns < w->act_ns[act] - f->at_ns)
            edges[n++] = (struct edge){f->at_ns + f->lasts_ns, f, false};
    }
    qsort(edges, n, sizeof *edges, by_time);
    for (size_t i = 0; i < n && p->world->n_violations == 0; i++) {
        sim_run(p->world, begun_ns + edges[i].at_ns - p->world->clock.now_ns);
        if (edges[i].begins)
            play_begin_fault(p, edges[i].fault);
        else
            play_end_fault(p, edges[i].fault);
    }
    sim_run(p->world, begun_ns + w->act_ns[act] - p->world->clock.now_ns);
}

void play_run(struct play *p, nsec_t for_ns)
{
    nsec_t until_ns = p->world->clock.now_ns + for_ns;

    while (p->world->clock.now_ns < until_ns && p->world->n_violations == 0) {
        sim_run(p->world, nsec_min(LOOK_NS, until_ns - p->world->clock.now_ns));
        if (p->whole_ns != NSEC_NEVER)
            expect_no_rivals(p);
    }
}

/* The longest that it takes to serve a source from when all else is whole, whatever went before. */
static nsec_t serve_ns(const struct play *p, bool calm)
{
    nsec_t takeover_ns = wild_takeover_ns(&p->wild->rules[0]), whole_ns = p->world->clock.now_ns - p->whole_ns;
    /* Each time that one gives way, and once more. */
    nsec_t serve_ns = (1 + (p->wild->n_targets > 1 ? YIELDS : 0)) * takeover_ns;

    if (whole_ns < HOLD_OFF_NS)
        serve_ns += HOLD_OFF_NS - whole_ns;
    /* A first verdict may have come to nothing. */
    return serve_ns + (calm ? 0 : takeover_ns + SLACK_NS);
}

/* The command, and time until it is answered. */
static void command(struct play *p, unsigned target, const char *name, unsigned source)
{
    struct sim_agent *agent = p->agents[target];
    unsigned answers = agent->answers;
    nsec_t until_ns = p->world->clock.now_ns + ANSWER_NS;

    sim_agent_command(agent, name, play_source(p, source)->name, NULL);
    while (agent->answers == answers && p->world->clock.now_ns < until_ns && p->world->n_violations == 0)
        play_run(p, LOOK_NS);
    if (agent->answers == answers)
        sim_violate(p->world, "%s does not answer to %s", agent->host->name, name);
}

static void give_back(struct play *p, unsigned source)
{
    for (unsigned i = 0; i < p->wild->n_targets; i++) {
        command(p, i, "failback", source);
        expect_done(p, i, source);
    }
}

static nsec_t follows_ns(const struct play *p, unsigned source, bool announced)
{
    const struct wild_host *client = &p->wild->hosts[wild_host_of(p->wild, WILD_CLIENT, source)];

    return announced && !client->refuses_gratuitous ? FOLLOWS_NS : AGES_NS;
}

/*
 * Whether what the source's client pings is held by an agent that knows the source's MAC, so that a failback can tell
 * the client. Where it went with an agent that died, or was adopted, nobody can; and a second target may have learned
 * the MAC of the first one, which stood in.
 */
static bool holder_knows(const struct play *p, unsigned source)
{
    const char *address = p->wild->hosts[wild_host_of(p->wild, WILD_SOURCE, source)].nics[0].addresses[0];

    return p->wild->n_targets == 1 && p->agents[0]->incarnation == 0 && play_holders(p, address) == 1;
}

/* All is mended: what is dead is served, what is back is given back, and all is well. */
static void heal(struct play *p, unsigned act)
{
    const struct wild *w = p->wild;

    play_mend(p);
    p->whole_ns = p->world->clock.now_ns;
    if (w->stays_dead[act]) {
        play_run(p, serve_ns(p, false));
        expect_served_or_excused(p);
    }
    play_return_sources(p, w->returns[act]);
    play_run(p, SLACK_NS + wild_takeover_ns(&w->rules[0]) + w->rules[0].hold_down_ns +
                    (w->returns[act] == WILD_RETURNS_WITH_DAD ? DAD_NS : 0));
    for (unsigned i = 0; i < w->n_sources; i++) {
        bool told = w->rules[0].announces_source && holder_knows(p, i);

        play_configure_source(p, i);
        give_back(p, i);
        expect_reached(p, i, true, follows_ns(p, i, told));
    }
    play_run(p, SLACK_NS + wild_takeover_ns(&w->rules[0]));
    for (unsigned i = 0; i < w->n_sources; i++)
        expect_up(p, i, AGES_NS); /* a ping goes by our own kernel's entry */
}

/* A person is asked where the source was taken over too often. */
static void approve_where_asked(struct play *p, unsigned target, unsigned source)
{
    const struct wild_host *host = &p->wild->hosts[wild_host_of(p->wild, WILD_SOURCE, source)];
    char nic[16];

    for (unsigned k = 0; k < host->n_nics; k++) {
        snprintf(nic, sizeof nic, "eth%u", k);
        if (strcmp(sim_agent_state(p->agents[target], host->name, nic), "awaiting") != 0)
            continue;
        command(p, target, "approve", source);
        return;
    }
}

/* Whether an agent gives way with a NIC of the source, to another that has not claimed it. */
static bool gives_way(const struct play *p, unsigned source)
{
    const struct wild_host *host = &p->wild->hosts[wild_host_of(p->wild, WILD_SOURCE, source)];
    char nic[16];

    for (unsigned i = 0; i < p->wild->n_targets; i++)
        for (unsigned k = 0; k < host->n_nics; k++) {
            snprintf(nic, sizeof nic, "eth%u", k);
            if (strcmp(sim_agent_state(p->agents[i], host->name, nic), "blocked") == 0 &&
                strstr(sim_agent_reason(p->agents[i], host->name, nic), "gave way"))
                return true;
        }
    return false;
}

/* A source is lost, and nothing else is wrong. */
static void lose(struct play *p, unsigned source)
{
    const struct wild *w = p->wild;
    unsigned target = (unsigned)sim_random_below(&p->world->random, w->n_targets);

    sim_host_set_alive(play_source(p, source), false);
    play_run(p, serve_ns(p, true));
    /* Who declared itself may have come to ask a person, once another target had taken over the source's other NIC. */
    for (unsigned i = 0; i < YIELDS && gives_way(p, source); i++)
        play_run(p, YIELD_NS + wild_takeover_ns(&w->rules[0]));
    switch (w->rules[0].on_host) {
    case IPMAP_TAKEOVER_AUTOMATIC:
        break;
    case IPMAP_TAKEOVER_NOTIFY:
        expect_state(p, source, "lost", 0);
        return;
    case IPMAP_TAKEOVER_MANUAL:
        if (w->rules[0].answers_itself)
            return;
        expect_state(p, source, "awaiting", 0);
        command(p, target, "approve", source);
        break;
    }
    if (w->rules[0].damped)
        for (unsigned i = 0; i < w->n_targets; i++)
            approve_where_asked(p, i, source);
    expect_served(p, source);
    expect_reached(p, source, false, follows_ns(p, source, true));
}

void wild_play(const struct wild *w, struct wild_result *ret)
{
    struct play p = {.wild = w};
    nsec_t begun_ns;

    *ret = (struct wild_result){0};
    build(&p);
    begun_ns = NSEC_PER_HOUR; /* sim_clock_init */
    sim_run(p.world, QUIET_NS);
    for (unsigned act = 0; act < w->n_acts && p.world->n_violations == 0; act++) {
        play_faults(&p, act);
        if (p.world->n_violations == 0)
            heal(&p, act);
        if (p.world->n_violations == 0)
            lose(&p, w->lost[act]);
    }
    ret->played_ns = p.world->clock.now_ns - begun_ns;
    for (unsigned i = 0; i < w->n_targets; i++)
        ret->claims += sim_agent_did(p.agents[i], SIM_CLAIM, NULL);
    ret->broken = p.world->n_violations > 0;
    snprintf(ret->violation, sizeof ret->violation, "%s", p.world->violation);
    sim_world_free(p.world);
}
