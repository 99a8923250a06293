/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads that fail. A first load that does has left nothing behind, and succeeds when nothing fails any more; the model,
 * which knows no failing load, sees only that (the linker's --wrap). A reload that fails leaves all as it was.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/faults/fault.h"
#include "tests/sim/libagent.h"
#include "tests/sim/libworld.h"

int __real_agent_new(struct agent **ret, const struct agent_ports *ports, void *userdata, uint64_t seed);
int __wrap_agent_new(struct agent **ret, const struct agent_ports *ports, void *userdata, uint64_t seed);
int __real_agent_load(struct agent *agent, nsec_t now_ns, struct ipmap *ipmap, const struct claims_held *held,
                      size_t n_held);
int __wrap_agent_load(struct agent *agent, nsec_t now_ns, struct ipmap *ipmap, const struct claims_held *held,
                      size_t n_held);
int __real_ipmap_parse(const char *name, const char *text, size_t length, const struct ipmap_host *host,
                       struct ipmap **ret, struct ipmap_messages *messages);
int __wrap_ipmap_parse(const char *name, const char *text, size_t length, const struct ipmap_host *host,
                       struct ipmap **ret, struct ipmap_messages *messages);

static unsigned refused;

unsigned fault_loads_refused(void)
{
    return refused;
}

/* What failed, failed for want of memory alone, and freed all that it had. */
static void check(int r, size_t living)
{
    refused++;
    if (r != -ENOMEM || fault_living() != living)
        abort();
}

int __wrap_agent_new(struct agent **ret, const struct agent_ports *ports, void *userdata, uint64_t seed)
{
    size_t living = fault_living();
    int r = __real_agent_new(ret, ports, userdata, seed);

    if (r >= 0)
        return r;
    check(r, living);
    fault_arm(false);
    r = __real_agent_new(ret, ports, userdata, seed);
    fault_arm(true);
    return r;
}

int __wrap_agent_load(struct agent *agent, nsec_t now_ns, struct ipmap *ipmap, const struct claims_held *held,
                      size_t n_held)
{
    size_t living = fault_living();
    int r = __real_agent_load(agent, now_ns, ipmap, held, n_held);

    if (r >= 0)
        return r;
    check(r, living);
    fault_arm(false);
    r = __real_agent_load(agent, now_ns, ipmap, held, n_held);
    fault_arm(true);
    return r;
}

int __wrap_ipmap_parse(const char *name, const char *text, size_t length, const struct ipmap_host *host,
                       struct ipmap **ret, struct ipmap_messages *messages)
{
    size_t living = fault_living();
    int r = __real_ipmap_parse(name, text, length, host, ret, messages);

    if (r >= 0)
        return r;
    ipmap_messages_free(messages);
    check(r, living);
    fault_arm(false);
    r = __real_ipmap_parse(name, text, length, host, ret, messages);
    fault_arm(true);
    return r;
}

int fault_reload(struct sim_agent *agent, const char *text)
{
    nsec_t now_ns = agent->host->world->clock.now_ns;
    size_t living = fault_living();
    struct ipmap_messages messages;
    struct ipmap *ipmap = NULL;
    int r = __real_ipmap_parse("ipmap.conf", text, strlen(text), NULL, &ipmap, &messages);

    ipmap_messages_free(&messages);
    if (r >= 0)
        r = __real_agent_load(agent->agent, now_ns, ipmap, NULL, 0);
    if (r < 0) {
        ipmap_free(ipmap);
        check(r, living);
        return r;
    }
    agent_flush(agent->agent, now_ns);
    sim_agent_wake(agent);
    return 0;
}
