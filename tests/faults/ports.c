/* SPDX-License-Identifier: Apache-2.0 */
/* The ports of the model, each of whose calls may fail. What the ports' contract lets fail later, fails later too. */
#include <stdlib.h>

#include "tests/faults/fault.h"
#include "tests/sim/libagent.h"
#include "tests/sim/libworld.h"

/* The linker's --wrap=sim_ports: whoever means the model's ports has these. */
extern const struct agent_ports __real_sim_ports, __wrap_sim_ports;

/* Requests that are refused on the next flush. */
static struct {
    struct probe_request request;
    int error;
} unsent[16];
static size_t n_unsent;

#define FAILS() (sim_judge_pace(userdata), -fault_hit(FAULT_PORT))

static int port_probe(void *userdata, const struct probe_request *request)
{
    int r = FAILS(), error = r == 0 ? fault_hit(FAULT_UNSENT) : 0;

    if (r < 0)
        return r;
    if (error == 0 || n_unsent == sizeof unsent / sizeof *unsent)
        return __real_sim_ports.probe(userdata, request);
    unsent[n_unsent].request = *request;
    unsent[n_unsent++].error = error;
    return 0;
}

static void port_flush(void *userdata)
{
    struct sim_agent *agent = userdata;
    size_t n = n_unsent;

    __real_sim_ports.flush(userdata);
    n_unsent = 0;
    for (size_t i = 0; i < n; i++)
        agent_on_unsent(agent->agent, agent->host->world->clock.now_ns, &unsent[i].request, unsent[i].error);
}

/* Something was lost, or there was more than could be read. */
static bool port_drain(void *userdata)
{
    bool fails = FAILS() < 0;

    return __real_sim_ports.drain(userdata) && !fails;
}

static int port_frame(void *userdata, int ifindex, const struct arp_frame *frame)
{
    int r = FAILS();

    return r < 0 ? r : __real_sim_ports.frame(userdata, ifindex, frame);
}

static void port_watch(void *userdata, int ifindex, const struct ip_address *addresses, size_t count)
{
    if (FAILS() == 0)
        __real_sim_ports.watch(userdata, ifindex, addresses, count);
}

static int port_claim(void *userdata, const struct claims_request *request)
{
    struct sim_agent *agent = userdata;
    int r = FAILS(), error = r == 0 ? fault_hit(FAULT_RESULT) : 0;

    if (r < 0)
        return r;
    sim_judge_pace(agent);
    if (error == 0) {
        agent->unheard = fault_hit(FAULT_UNHEARD);
        r = __real_sim_ports.claim(userdata, request);
        agent->unheard = 0;
        return r;
    }
    agent->n_claims_failed += request->operation == CLAIMS_ADD;
    sim_queue_put(&agent->others,
                  &(struct sim_arrival){.kind = SIM_ARRIVED_RESULT, .request = *request, .error = -error});
    sim_agent_wake(agent);
    return 0;
}

static int port_carrier(void *userdata, int ifindex)
{
    int r = FAILS();

    return r < 0 ? r : __real_sim_ports.carrier(userdata, ifindex);
}

static int port_link_by_name(void *userdata, const char *name, struct link_info *ret)
{
    /* Reads what is known already: nothing can fail. */
    return __real_sim_ports.link_by_name(userdata, name, ret);
}

static void port_each_address(void *userdata, int ifindex, bool (*each)(void *cookie, const struct link_address *),
                              void *cookie)
{
    __real_sim_ports.each_address(userdata, ifindex, each, cookie);
}

static size_t port_neighbours(void *userdata, int ifindex, uint8_t family, struct link_neighbour *ret, size_t max)
{
    return FAILS() < 0 ? 0 : __real_sim_ports.neighbours(userdata, ifindex, family, ret, max);
}

static size_t port_gateways(void *userdata, int ifindex, uint8_t family, struct ip_address *ret, size_t max)
{
    return FAILS() < 0 ? 0 : __real_sim_ports.gateways(userdata, ifindex, family, ret, max);
}

static void port_let_in(void *userdata, const struct ip_address *ip, const struct mac_address *mac, bool let_in)
{
    __real_sim_ports.let_in(userdata, ip, mac, let_in);
}

/* Keeping it is another's work, which fails there: what was kept before stays. */
static void port_journal(void *userdata, char *text, size_t length)
{
    if (FAILS() < 0)
        free(text);
    else
        __real_sim_ports.journal(userdata, text, length);
}

static int port_shelf(void *userdata, int target, unsigned number)
{
    (void)userdata;
    (void)target;
    (void)number;
    return 0;
}

static int port_shelf_of(void *userdata, int ifindex)
{
    (void)userdata;
    (void)ifindex;
    return 0;
}

static nsec_t port_wall_ahead(void *userdata)
{
    return __real_sim_ports.wall_ahead(userdata);
}

static int port_tcp(void *userdata, uint32_t check, const struct tcp_request *request)
{
    int r = FAILS();

    return r < 0 ? r : __real_sim_ports.tcp(userdata, check, request);
}

static void port_tcp_cancel(void *userdata, uint32_t check)
{
    __real_sim_ports.tcp_cancel(userdata, check);
}

static int port_job(void *userdata, struct job_request *request)
{
    int r = FAILS();

    return r < 0 ? r : __real_sim_ports.job(userdata, request);
}

static void port_job_cancel(void *userdata, uint64_t tag)
{
    __real_sim_ports.job_cancel(userdata, tag);
}

static int port_unit(void *userdata, uint64_t id, enum units_operation operation, const char *name, nsec_t timeout_ns)
{
    int r = FAILS();

    return r < 0 ? r : __real_sim_ports.unit(userdata, id, operation, name, timeout_ns);
}

/* What cannot be written is only told. */
static void port_flag(void *userdata, const char *source, bool held)
{
    __real_sim_ports.flag(userdata, source, held);
}

static void port_say(void *userdata, int priority, const char *text)
{
    __real_sim_ports.say(userdata, priority, text);
}

const struct agent_ports __wrap_sim_ports = {
    .probe = port_probe,
    .flush = port_flush,
    .drain = port_drain,
    .frame = port_frame,
    .watch = port_watch,
    .claim = port_claim,
    .shelf = port_shelf,
    .shelf_of = port_shelf_of,
    .carrier = port_carrier,
    .link_by_name = port_link_by_name,
    .each_address = port_each_address,
    .neighbours = port_neighbours,
    .gateways = port_gateways,
    .let_in = port_let_in,
    .journal = port_journal,
    .wall_ahead = port_wall_ahead,
    .tcp = port_tcp,
    .tcp_cancel = port_tcp_cancel,
    .job = port_job,
    .job_cancel = port_job_cancel,
    .unit = port_unit,
    .flag = port_flag,
    .say = port_say,
};
