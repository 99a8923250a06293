/* SPDX-License-Identifier: Apache-2.0 */
/* What each kind of fault does to a world that is being played, and how all is mended. */
#include <string.h>

#include "tests/sim/libdad.h"
#include "tests/sim/libwild.h"

#define QUEUE_USUAL 1000
#define KERNEL_USUAL_NS (20 * NSEC_PER_USEC)

struct sim_host *play_source(const struct play *p, unsigned source)
{
    return p->hosts[wild_host_of(p->wild, WILD_SOURCE, source)];
}

struct sim_host *play_target(const struct play *p, unsigned target)
{
    return p->hosts[wild_host_of(p->wild, WILD_TARGET, target)];
}

/* Somebody takes off what the agent holds there. */
static void delete_claims(struct sim_nic *nic)
{
    for (size_t i = nic->n_addresses; i-- > 0;) {
        char ip[IP_ADDRESS_TEXT];

        if (nic->addresses[i].claimed)
            sim_nic_remove(nic, ip_address_format(&nic->addresses[i].ip, ip));
    }
}

static bool has(const struct sim_nic *nic, const char *text)
{
    char ip[IP_ADDRESS_TEXT];
    struct ip_address address;

    snprintf(ip, sizeof ip, "%.*s", (int)strcspn(text, "/"), text);
    return ip_address_parse(ip, &address) == 0 && sim_nic_find(nic, &address);
}

/* Somebody configures what the host has lost of its own addresses. */
static void restore(struct play *p, unsigned number)
{
    const struct wild_host *from = &p->wild->hosts[number];
    struct sim_host *host = p->hosts[number];

    sim_host_stop_dad(host);
    for (unsigned k = 0; k < from->n_nics; k++)
        for (unsigned i = 0; host->nics[k]->up && i < from->nics[k].n_addresses; i++)
            if (!p->dropped[number][k][i] && !has(host->nics[k], from->nics[k].addresses[i]))
                sim_nic_add(host->nics[k], from->nics[k].addresses[i]);
}

static void drop_address(struct play *p, const struct wild_fault *f, bool drop)
{
    bool *dropped = &p->dropped[f->host][f->nic][f->value];
    const char *text = p->wild->hosts[f->host].nics[f->nic].addresses[f->value];

    if (*dropped == drop)
        return;
    *dropped = drop;
    if (drop && has(p->hosts[f->host]->nics[f->nic], text))
        sim_nic_remove(p->hosts[f->host]->nics[f->nic], text);
    else if (!drop)
        restore(p, f->host);
}

/* How it comes back: without a word, telling everybody, or asking first. */
static void revive(struct play *p, unsigned number, enum wild_return how)
{
    struct sim_host *host = p->hosts[number];

    restore(p, number);
    sim_host_reboot(host);
    switch (how) {
    case WILD_RETURNS_QUIETLY:
        break;
    case WILD_RETURNS_ANNOUNCED:
        sim_host_announce(host);
        break;
    case WILD_RETURNS_WITH_DAD:
        if (p->wild->hosts[number].role == WILD_SOURCE)
            sim_host_return_with_dad(host);
        break;
    case WILD_RETURNS:
        break;
    }
}

void play_begin_fault(struct play *p, const struct wild_fault *f)
{
    struct sim_host *host = p->hosts[f->host];
    struct sim_nic *nic = host->nics[f->nic];
    struct sim_agent *agent = host->agent;

    switch (f->kind) {
    case WILD_STILL:
        sim_host_set_alive(host, false);
        break;
    case WILD_REBOOT:
        if (agent && agent->agent)
            sim_agent_kill(agent);
        sim_host_drop_claims(host);
        sim_host_set_alive(host, false);
        break;
    case WILD_CABLE:
        sim_nic_connect(nic, false);
        break;
    case WILD_NIC_DOWN:
        sim_nic_set_up(nic, false);
        break;
    case WILD_PORT:
        sim_nic_set_faults(nic, &f->faults);
        break;
    case WILD_PAUSE:
        if (sim_agent_runs(agent))
            sim_agent_pause(agent);
        break;
    case WILD_KILL:
        if (agent->agent)
            sim_agent_kill(agent);
        break;
    case WILD_LATE:
        agent->lateness_ns = f->value;
        break;
    case WILD_SLOW_KERNEL:
        agent->claim_delay_ns = f->value;
        break;
    case WILD_REFUSE_CLAIMS:
        nic->refuse_claims = (int)-f->value;
        break;
    case WILD_REFUSE_PROBES:
        agent->refuse_probes = (int)f->value;
        break;
    case WILD_REFUSE_FRAMES:
        agent->refuse_frames = (int)-f->value;
        break;
    case WILD_SMALL_QUEUE:
        agent->queue_max = (size_t)f->value;
        break;
    case WILD_LINK_LAG:
        host->link_lag_ns = f->value;
        break;
    case WILD_DELETE:
        delete_claims(nic);
        break;
    case WILD_CLOCK_STEP:
        sim_host_step_clock(host, f->value);
        break;
    case WILD_COMMAND:
        if (sim_agent_runs(agent))
            sim_agent_command(agent, wild_commands[f->value],
                              p->wild->hosts[wild_host_of(p->wild, WILD_SOURCE, f->other)].name, NULL);
        break;
    case WILD_RELOAD:
        if (sim_agent_runs(agent))
            sim_agent_reload(agent, p->wild->files[1]);
        break;
    case WILD_DROP_ADDRESS:
        drop_address(p, f, true);
        break;
    case WILD_ANNOUNCE:
        if (host->alive)
            sim_host_announce(host);
        break;
    case WILD_FAULTS:
        break;
    }
}

void play_end_fault(struct play *p, const struct wild_fault *f)
{
    struct sim_host *host = p->hosts[f->host];
    struct sim_nic *nic = host->nics[f->nic];
    struct sim_agent *agent = host->agent;

    switch (f->kind) {
    case WILD_STILL:
        sim_host_set_alive(host, true);
        break;
    case WILD_REBOOT:
        if (!host->alive)
            revive(p, f->host, (enum wild_return)f->value);
        break;
    case WILD_CABLE:
        sim_nic_connect(nic, true);
        break;
    case WILD_NIC_DOWN:
        sim_nic_set_up(nic, true);
        restore(p, f->host);
        break;
    case WILD_PORT:
        sim_nic_set_faults(nic, &(struct sim_faults){0});
        break;
    case WILD_PAUSE:
        if (agent->paused)
            sim_agent_resume(agent);
        break;
    case WILD_KILL:
        if (!agent->agent && host->alive)
            sim_agent_begin(agent, agent->file);
        break;
    case WILD_LATE:
        agent->lateness_ns = 0;
        break;
    case WILD_SLOW_KERNEL:
        agent->claim_delay_ns = KERNEL_USUAL_NS;
        break;
    case WILD_REFUSE_CLAIMS:
        nic->refuse_claims = 0;
        break;
    case WILD_REFUSE_PROBES:
        agent->refuse_probes = 0;
        break;
    case WILD_REFUSE_FRAMES:
        agent->refuse_frames = 0;
        break;
    case WILD_SMALL_QUEUE:
        agent->queue_max = QUEUE_USUAL;
        break;
    case WILD_LINK_LAG:
        host->link_lag_ns = 0;
        break;
    case WILD_RELOAD:
        if (sim_agent_runs(agent))
            sim_agent_reload(agent, p->wild->files[0]);
        break;
    case WILD_DROP_ADDRESS:
        drop_address(p, f, false);
        break;
    case WILD_DELETE:
    case WILD_CLOCK_STEP:
    case WILD_COMMAND:
    case WILD_ANNOUNCE:
    case WILD_FAULTS:
        break;
    }
}

static void mend_agent(const struct wild *w, struct sim_agent *agent)
{
    agent->lateness_ns = 0;
    agent->claim_delay_ns = KERNEL_USUAL_NS;
    agent->refuse_probes = agent->refuse_frames = 0;
    agent->queue_max = QUEUE_USUAL;
    if (!agent->agent)
        sim_agent_begin(agent, agent->file);
    if (agent->paused)
        sim_agent_resume(agent);
    if (strcmp(agent->file, w->files[0]) != 0)
        sim_agent_reload(agent, w->files[0]);
    sim_agent_command(agent, "resume", NULL, NULL);
}

static void mend_host(struct sim_host *host)
{
    host->link_lag_ns = 0;
    for (size_t k = 0; k < host->n_nics; k++) {
        host->nics[k]->refuse_claims = 0;
        sim_nic_set_up(host->nics[k], true);
        sim_nic_connect(host->nics[k], true);
        sim_nic_set_faults(host->nics[k], &(struct sim_faults){0});
    }
}

void play_mend(struct play *p)
{
    const struct wild *w = p->wild;

    for (unsigned i = 0; i < w->n_faults; i++)
        if (w->faults[i].kind == WILD_DROP_ADDRESS)
            drop_address(p, &w->faults[i], false);
    for (unsigned i = 0; i < w->n_hosts; i++) {
        mend_host(p->hosts[i]);
        restore(p, i);
        if (w->hosts[i].role != WILD_SOURCE)
            sim_host_set_alive(p->hosts[i], true);
        if (p->hosts[i]->agent)
            mend_agent(w, p->hosts[i]->agent);
    }
}

void play_return_sources(struct play *p, enum wild_return how)
{
    for (unsigned i = 0; i < p->wild->n_sources; i++)
        if (!play_source(p, i)->alive)
            revive(p, wild_host_of(p->wild, WILD_SOURCE, i), how);
}

void play_configure_source(struct play *p, unsigned source)
{
    restore(p, wild_host_of(p->wild, WILD_SOURCE, source));
}
