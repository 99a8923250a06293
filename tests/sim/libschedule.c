/* SPDX-License-Identifier: Apache-2.0 */
/* The timeline of faults that a seed chooses, and how a world looks on paper. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "tests/sim/libwild.h"

const char *const wild_commands[WILD_COMMANDS] = {"failback", "approve", "deny", "pause", "resume", "failover"};

static const struct {
    const char *name;
    unsigned weight; /* how often, beside the others */
} kinds[WILD_FAULTS] = {
    [WILD_STILL] = {"stands still", 20},
    [WILD_REBOOT] = {"reboots", 12},
    [WILD_CABLE] = {"cable out", 12},
    [WILD_NIC_DOWN] = {"NIC down", 5},
    [WILD_PORT] = {"port", 18},
    [WILD_PAUSE] = {"SIGSTOP", 10},
    [WILD_KILL] = {"kill -9", 8},
    [WILD_LATE] = {"late turns", 4},
    [WILD_SLOW_KERNEL] = {"slow kernel", 5},
    [WILD_REFUSE_CLAIMS] = {"claims refused", 5},
    [WILD_REFUSE_PROBES] = {"requests refused", 5},
    [WILD_REFUSE_FRAMES] = {"frames refused", 4},
    [WILD_SMALL_QUEUE] = {"small queues", 4},
    [WILD_LINK_LAG] = {"late link events", 6},
    [WILD_DELETE] = {"addresses deleted", 6},
    [WILD_CLOCK_STEP] = {"clock set", 3},
    [WILD_COMMAND] = {"command", 16},
    [WILD_RELOAD] = {"other file", 6},
    [WILD_DROP_ADDRESS] = {"address dropped", 6},
    [WILD_ANNOUNCE] = {"announces itself", 4},
};

static enum wild_fault_kind choose_kind(struct sim_random *r)
{
    unsigned sum = 0, kind = 0;
    uint64_t at;

    for (unsigned i = 0; i < WILD_FAULTS; i++)
        sum += kinds[i].weight;
    at = sim_random_below(r, sum);
    while (at >= kinds[kind].weight)
        at -= kinds[kind++].weight;
    return (enum wild_fault_kind)kind;
}

/* Short ones are as likely as long ones: 1 ms to 16 s, or until all is mended. */
static nsec_t choose_length(struct sim_random *r)
{
    unsigned doublings = (unsigned)sim_random_below(r, 15);

    if (doublings == 14)
        return NSEC_NEVER;
    return (NSEC_PER_MSEC << doublings) + (nsec_t)sim_random_below(r, (uint64_t)(NSEC_PER_MSEC << doublings));
}

static unsigned choose_host(const struct wild *w, struct sim_random *r, unsigned source_percent,
                            unsigned target_percent)
{
    unsigned choice = (unsigned)sim_random_below(r, 100);

    if (choice < source_percent)
        return wild_host_of(w, WILD_SOURCE, (unsigned)sim_random_below(r, w->n_sources));
    if (choice < source_percent + target_percent)
        return wild_host_of(w, WILD_TARGET, (unsigned)sim_random_below(r, w->n_targets));
    return (unsigned)sim_random_below(r, w->n_hosts);
}

static struct sim_faults choose_port(struct sim_random *r)
{
    struct sim_faults f = {0};
    nsec_t slowest_ns;

    switch (sim_random_below(r, 6)) {
    case 0:
        f.drop_in = true;
        break;
    case 1:
        f.drop_out = true;
        break;
    case 2:
        f.drop_in = f.drop_out = true;
        break;
    case 3:
        f.loss_in_ppm = (uint32_t)sim_random_below(r, 600000);
        f.loss_out_ppm = (uint32_t)sim_random_below(r, 600000);
        break;
    case 4:
        f.duplicate_ppm = 500000;
        f.duplicate_after_ns = (nsec_t)sim_random_below(r, 2 * NSEC_PER_SEC);
        break;
    default:
        slowest_ns = sim_random_hit(r, 700000) ? 2 * NSEC_PER_MSEC : 30 * NSEC_PER_MSEC;
        f.delay_ns = (nsec_t)sim_random_below(r, (uint64_t)slowest_ns);
        f.jitter_ns = (nsec_t)sim_random_below(r, (uint64_t)slowest_ns);
        break;
    }
    return f;
}

static int64_t pick_errno(struct sim_random *r, const int *errors, unsigned n)
{
    return errors[sim_random_below(r, n)];
}

/* What depends on the kind. */
static void fill(const struct wild *w, struct sim_random *r, struct wild_fault *f)
{
    static const int claim_errors[] = {ENOSPC, ENOBUFS, EPERM};
    static const int probe_errors[] = {ENOBUFS, EPERM, ENETUNREACH};
    unsigned target = wild_host_of(w, WILD_TARGET, (unsigned)sim_random_below(r, w->n_targets));

    f->host = target;
    switch (f->kind) {
    case WILD_STILL:
    case WILD_REBOOT:
        f->host = choose_host(w, r, 60, 25);
        f->value = (int64_t)sim_random_below(r, WILD_RETURNS);
        break;
    case WILD_CABLE:
    case WILD_NIC_DOWN:
        f->host = choose_host(w, r, 20, 70);
        break;
    case WILD_PORT:
        f->host = choose_host(w, r, 35, 45);
        f->faults = choose_port(r);
        break;
    case WILD_ANNOUNCE:
        f->host = choose_host(w, r, 80, 0);
        f->lasts_ns = 0;
        break;
    case WILD_DROP_ADDRESS:
        f->host = choose_host(w, r, 100, 0);
        break;
    case WILD_LATE:
        f->value = (int64_t)sim_random_below(r, 100 * NSEC_PER_MSEC);
        break;
    case WILD_SLOW_KERNEL:
        f->value = (int64_t)sim_random_below(r, 500 * NSEC_PER_MSEC);
        break;
    case WILD_LINK_LAG:
        f->value = (int64_t)sim_random_below(r, 2 * NSEC_PER_SEC);
        break;
    case WILD_REFUSE_CLAIMS:
        f->value = pick_errno(r, claim_errors, 3);
        break;
    case WILD_REFUSE_PROBES:
    case WILD_REFUSE_FRAMES:
        f->value = pick_errno(r, probe_errors, 3);
        break;
    case WILD_SMALL_QUEUE:
        f->value = (int64_t)sim_random_below(r, 4);
        break;
    case WILD_CLOCK_STEP:
        f->value = (int64_t)sim_random_below(r, 2 * NSEC_PER_HOUR) - NSEC_PER_HOUR;
        f->lasts_ns = 0;
        break;
    case WILD_COMMAND:
        f->value = (int64_t)sim_random_below(r, WILD_COMMANDS);
        f->other = (unsigned)sim_random_below(r, w->n_sources);
        f->lasts_ns = 0;
        break;
    case WILD_DELETE:
        f->lasts_ns = 0;
        break;
    case WILD_PAUSE:
    case WILD_KILL:
    case WILD_RELOAD:
    case WILD_FAULTS:
        break;
    }
    f->nic = (unsigned)sim_random_below(r, w->hosts[f->host].n_nics);
    if (f->kind == WILD_DROP_ADDRESS)
        f->value = (int64_t)sim_random_below(r, w->hosts[f->host].nics[f->nic].n_addresses);
}

void wild_choose_faults(struct wild *w, struct sim_random *r)
{
    w->n_acts = 1 + (unsigned)sim_random_below(r, WILD_ACTS_MAX);
    for (unsigned act = 0; act < w->n_acts; act++) {
        unsigned n = 2 + (unsigned)sim_random_below(r, WILD_FAULTS_MAX / WILD_ACTS_MAX - 2);

        w->act_ns[act] = NSEC_PER_SEC + (nsec_t)sim_random_below(r, 15 * NSEC_PER_SEC);
        w->lost[act] = (unsigned)sim_random_below(r, w->n_sources);
        w->stays_dead[act] = sim_random_hit(r, 600000);
        w->returns[act] = (enum wild_return)sim_random_below(r, WILD_RETURNS);
        for (unsigned i = 0; i < n; i++) {
            struct wild_fault *f = &w->faults[w->n_faults++];

            f->kind = choose_kind(r);
            f->act = act;
            f->at_ns = (nsec_t)sim_random_below(r, (uint64_t)w->act_ns[act]);
            f->lasts_ns = choose_length(r);
            fill(w, r, f);
        }
    }
}

static void print_host(const struct wild_host *host, FILE *out)
{
    fprintf(out, "  %s%s%s%s%s%s\n", host->name, host->guarded ? ", guarded" : "",
            host->refuses_gratuitous ? ", refuses gratuitous ARP" : "",
            host->locks_gratuitous ? ", keeps to its lock time" : "", host->answers_strictly ? ", arp_ignore 1" : "",
            host->ignores_echo ? ", ignores echo" : "");
    for (unsigned k = 0; k < host->n_nics; k++) {
        fprintf(out, "    eth%u on segment %u:", k, host->nics[k].segment);
        for (unsigned i = 0; i < host->nics[k].n_addresses; i++)
            fprintf(out, " %s", host->nics[k].addresses[i]);
        fprintf(out, "\n");
    }
}

static void print_fault(const struct wild *w, const struct wild_fault *f, FILE *out)
{
    const struct sim_faults *p = &f->faults;

    fprintf(out, "  act %u, %10.3f ms, ", f->act, (double)f->at_ns / NSEC_PER_MSEC);
    if (f->lasts_ns == NSEC_NEVER)
        fprintf(out, "until all is mended: ");
    else if (f->lasts_ns > 0)
        fprintf(out, "for %.3f ms: ", (double)f->lasts_ns / NSEC_PER_MSEC);
    fprintf(out, "%s/eth%u %s", w->hosts[f->host].name, f->nic, kinds[f->kind].name);
    if (f->kind == WILD_COMMAND)
        fprintf(out, " %s web%u", wild_commands[f->value], f->other);
    else if (f->kind == WILD_PORT)
        fprintf(out, " drops %d/%d, loses %u/%u ppm, doubles %u ppm after %.1f ms, delays %.1f + %.1f ms", p->drop_in,
                p->drop_out, p->loss_in_ppm, p->loss_out_ppm, p->duplicate_ppm,
                (double)p->duplicate_after_ns / NSEC_PER_MSEC, (double)p->delay_ns / NSEC_PER_MSEC,
                (double)p->jitter_ns / NSEC_PER_MSEC);
    else
        fprintf(out, " (%" PRId64 ")", f->value);
    fprintf(out, "\n");
}

void wild_print(const struct wild *w, FILE *out)
{
    fprintf(out, "hosts:\n");
    for (unsigned i = 0; i < w->n_hosts; i++)
        print_host(&w->hosts[i], out);
    fprintf(out, "file:\n%s", w->files[0]);
    for (unsigned i = 0; i < w->n_faults; i++)
        if (w->faults[i].kind == WILD_RELOAD && !w->faults[i].left_out) {
            fprintf(out, "other file:\n%s", w->files[1]);
            break;
        }
    fprintf(out, "faults:\n");
    for (unsigned act = 0; act < w->n_acts; act++) {
        for (unsigned i = 0; i < w->n_faults; i++)
            if (w->faults[i].act == act && !w->faults[i].left_out)
                print_fault(w, &w->faults[i], out);
        fprintf(out, "  act %u, %10.3f ms: all is mended%s; then web%u is lost\n", act,
                (double)w->act_ns[act] / NSEC_PER_MSEC, w->stays_dead[act] ? ", but what is dead stays dead" : "",
                w->lost[act]);
    }
}
