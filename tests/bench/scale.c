/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scale, simulated: COUNT sources over 100 target NICs of one agent, each asked each second; after some healthy seconds
 * half of them die at once. Timed is the program alone: the clock runs within the functions of agent/shell/agent.h, and
 * stands while these are in the model through a port. Prints one line of JSON.
 *
 *   scale COUNT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <malloc.h>

#include "tests/sim/libagent.h"
#include "tests/sim/libworld.h"

#define TARGETS 100
#define HEALTHY_S 3
#define STORM_S 8
/* Agents in ports in agents: replies that are drained in a turn. */
#define DEPTH_MAX 8

/* The program's clock. */
static struct {
    bool in_agent[DEPTH_MAX]; /* by depth: in the program, or in a port */
    int depth;
    nsec_t since_ns;   /* of the newest change of depth */
    nsec_t total_ns;   /* in the program */
    nsec_t step_ns;    /* of this, in the outermost call that is under way */
    nsec_t longest_ns; /* step */
    uint64_t probes;
    int64_t load_bytes;
    nsec_t clock_ns; /* what looking at the clock takes */
} watch;

/* Of this thread alone: what else the machine does is not in it. */
static nsec_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

/* The least of some looks. */
static void calibrate(void)
{
    watch.clock_ns = NSEC_PER_SEC;
    for (int i = 0; i < 1000; i++) {
        nsec_t at_ns = now_ns();

        watch.clock_ns = nsec_min(watch.clock_ns, now_ns() - at_ns);
    }
}

static void lap(void)
{
    nsec_t at_ns = now_ns(), for_ns = nsec_max(0, at_ns - watch.since_ns - watch.clock_ns);

    if (watch.depth > 0 && watch.in_agent[watch.depth]) {
        watch.total_ns += for_ns;
        watch.step_ns += for_ns;
    }
    watch.since_ns = at_ns;
}

static void enter(bool agent)
{
    lap();
    if (++watch.depth >= DEPTH_MAX)
        abort();
    watch.in_agent[watch.depth] = agent;
}

static void leave(void)
{
    lap();
    if (--watch.depth > 0)
        return;
    watch.longest_ns = nsec_max(watch.longest_ns, watch.step_ns);
    watch.step_ns = 0;
}

/* The program, entered from the model: the linker leads its callers here (--wrap). */
#define ENTERED(name, parameters, ...) \
    void __real_##name parameters;     \
    void __wrap_##name parameters;     \
    void __wrap_##name parameters      \
    {                                  \
        enter(true);                   \
        __real_##name(__VA_ARGS__);    \
        leave();                       \
    }

ENTERED(agent_turn, (struct agent * agent, nsec_t at_ns), agent, at_ns)
ENTERED(agent_flush, (struct agent * agent, nsec_t at_ns), agent, at_ns)
ENTERED(agent_on_reply, (struct agent * agent, nsec_t at_ns, const struct probe_reply *reply), agent, at_ns, reply)
ENTERED(agent_on_heard, (struct agent * agent, nsec_t at_ns, int ifindex, const struct arp_heard *heard), agent, at_ns,
        ifindex, heard)
ENTERED(agent_on_claim_result, (struct agent * agent, nsec_t at_ns, const struct claims_request *request, int error),
        agent, at_ns, request, error)
ENTERED(agent_on_address_changed,
        (struct agent * agent, nsec_t at_ns, const struct link_address *address, bool present), agent, at_ns, address,
        present)

int __real_agent_load(struct agent *agent, nsec_t at_ns, struct ipmap *ipmap, const struct claims_held *held, size_t n);
int __wrap_agent_load(struct agent *agent, nsec_t at_ns, struct ipmap *ipmap, const struct claims_held *held, size_t n);
int __wrap_agent_load(struct agent *agent, nsec_t at_ns, struct ipmap *ipmap, const struct claims_held *held, size_t n)
{
    size_t before = mallinfo2().uordblks;
    int r;

    enter(true);
    r = __real_agent_load(agent, at_ns, ipmap, held, n);
    leave();
    watch.load_bytes = (int64_t)(mallinfo2().uordblks - before);
    return r;
}

/* The model, entered from the program through its ports. */
static int port_probe(void *userdata, const struct probe_request *request)
{
    int r;

    enter(false);
    watch.probes++;
    r = sim_ports.probe(userdata, request);
    leave();
    return r;
}

static void port_flush(void *userdata)
{
    enter(false);
    sim_ports.flush(userdata);
    leave();
}

static bool port_drain(void *userdata)
{
    bool all;

    enter(false);
    all = sim_ports.drain(userdata);
    leave();
    return all;
}

static int port_frame(void *userdata, int ifindex, const struct arp_frame *frame)
{
    int r;

    enter(false);
    r = sim_ports.frame(userdata, ifindex, frame);
    leave();
    return r;
}

static int port_claim(void *userdata, const struct claims_request *request)
{
    int r;

    enter(false);
    r = sim_ports.claim(userdata, request);
    leave();
    return r;
}

static void port_journal(void *userdata, char *text, size_t length)
{
    enter(false);
    sim_ports.journal(userdata, text, length);
    leave();
}

static void port_say(void *userdata, int priority, const char *text)
{
    enter(false);
    sim_ports.say(userdata, priority, text);
    leave();
}

int __real_agent_new(struct agent **ret, const struct agent_ports *ports, void *userdata, uint64_t seed);
int __wrap_agent_new(struct agent **ret, const struct agent_ports *ports, void *userdata, uint64_t seed);
int __wrap_agent_new(struct agent **ret, const struct agent_ports *ports, void *userdata, uint64_t seed)
{
    static struct agent_ports timed;

    timed = *ports;
    timed.probe = port_probe;
    timed.flush = port_flush;
    timed.drain = port_drain;
    timed.frame = port_frame;
    timed.claim = port_claim;
    timed.journal = port_journal;
    timed.say = port_say;
    return __real_agent_new(ret, &timed, userdata, seed);
}

static struct sim_host **sources;

static char *build(struct sim_world *world, struct sim_host *target, unsigned count)
{
    struct sim_segment *segments[TARGETS];
    size_t length;
    char *text, name[32];
    FILE *out = open_memstream(&text, &length);

    if (!out)
        abort();
    fputs("defaults { interval 1s; misses 3 }\nwitness none\n", out);
    for (unsigned i = 0; i < TARGETS; i++) {
        snprintf(name, sizeof name, "eth%u", i);
        segments[i] = sim_segment_new(world);
        struct sim_nic *nic = sim_nic_new(target, name, segments[i]);
        snprintf(name, sizeof name, "10.%u.255.1/16", i);
        sim_nic_add(nic, name);
    }
    for (unsigned i = 0; i < count; i++) {
        unsigned on = i % TARGETS, number = i / TARGETS;

        snprintf(name, sizeof name, "s%u", i);
        sources[i] = sim_host_new(world, name);
        snprintf(name, sizeof name, "10.%u.%u.%u/16", on, number / 250, number % 250 + 1);
        sim_nic_add(sim_nic_new(sources[i], "eth0", segments[on]), name);
        fprintf(out, "source s%u { nic eth0 { %s dev eth%u } }\n", i, name, on);
    }
    if (fclose(out) != 0)
        abort();
    return text;
}

static void run(struct sim_world *world, nsec_t for_ns)
{
    sim_run(world, for_ns);
    if (world->n_violations > 0) {
        fprintf(stderr, "%s\n", world->violation);
        exit(1);
    }
}

/* When the last of `count` claims was asked for. */
static nsec_t last_claim_ns(const struct sim_agent *agent, unsigned count)
{
    nsec_t last_ns = 0;
    unsigned n = 0;

    for (size_t i = 0; i < agent->n_deeds; i++)
        if (agent->deeds[i].kind == SIM_CLAIM) {
            last_ns = agent->deeds[i].at_ns;
            n++;
        }
    if (n != count) {
        fprintf(stderr, "%u claims of %u\n", n, count);
        exit(1);
    }
    return last_ns;
}

int main(int argc, char **argv)
{
    unsigned count = argc == 2 ? (unsigned)atoi(argv[1]) : 0, dead = 0;
    struct sim_world *world = sim_world_new(1);
    struct sim_host *target = sim_host_new(world, "target");
    nsec_t load_ns, healthy_ns, crash_ns;
    struct sim_agent *agent;
    uint64_t probes;
    char *text;

    if (count == 0)
        return 2;
    calibrate();
    sources = sim_alloc(count * sizeof(struct sim_host *));
    text = build(world, target, count);
    agent = sim_agent_start(target, text);
    agent->queue_max = SIZE_MAX;
    load_ns = watch.total_ns;
    run(world, HEALTHY_S * NSEC_PER_SEC);
    healthy_ns = watch.total_ns;
    probes = watch.probes;
    run(world, HEALTHY_S * NSEC_PER_SEC);
    healthy_ns = watch.total_ns - healthy_ns;
    probes = watch.probes - probes;
    watch.longest_ns = watch.total_ns = 0;
    crash_ns = world->clock.now_ns;
    for (unsigned i = 0; i < count; i += 2, dead++)
        sim_host_set_alive(sources[i], false);
    run(world, STORM_S * NSEC_PER_SEC);
    printf("{\"sources\": %u, \"load_ms\": %.2f, \"memory_kb\": %.0f, \"round_ns\": %.1f, \"storm_ms\": %.2f, "
           "\"worst_turn_us\": %.1f, \"claimed_after_ms\": %.1f}\n",
           count, (double)load_ns / 1e6, (double)watch.load_bytes / 1024, (double)healthy_ns / (double)probes,
           (double)watch.total_ns / 1e6, (double)watch.longest_ns / 1e3,
           (double)(last_claim_ns(agent, dead) - crash_ns) / 1e6);
    free(text);
    free(sources);
    sim_world_free(world);
    return 0;
}
