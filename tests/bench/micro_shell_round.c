/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole agent on ports that do nothing: rounds of a thousand addresses that answer at once, from the timer to the
 * core's verdict. What the kernel takes for packets is not in it.
 */
#include <errno.h>
#include <sys/socket.h>

#include "agent/shell/agent.h"
#include "tests/bench/micro.h"

#define INTERVAL_NS (100 * NSEC_PER_MSEC)
#define RTT_NS (80 * NSEC_PER_USEC)
#define ROUNDS 50
#define BATCH 4096

static const struct mac_address own = {{2, 0, 0, 0, 0, 1}}, peer = {{2, 0, 0, 0, 0, 2}};
static struct agent *agent;
static nsec_t now_ns;
static struct probe_request requests[BATCH]; /* sent and not answered yet */
static unsigned n_requests;

static int port_probe(void *userdata, const struct probe_request *request)
{
    (void)userdata;
    MICRO_MUST(n_requests < BATCH);
    requests[n_requests++] = *request;
    return 0;
}

static void port_flush(void *userdata)
{
    (void)userdata;
}

static bool port_drain(void *userdata)
{
    (void)userdata;
    return true;
}

static int port_frame(void *userdata, int ifindex, const struct arp_frame *frame)
{
    (void)userdata;
    (void)ifindex;
    (void)frame;
    return 0;
}

static void port_watch(void *userdata, int ifindex, const struct ip_address *addresses, size_t count)
{
    (void)userdata;
    (void)ifindex;
    (void)addresses;
    (void)count;
}

static int port_claim(void *userdata, const struct claims_request *request)
{
    (void)userdata;
    (void)request;
    return -EPERM;
}

static void port_let_in(void *userdata, const struct ip_address *ip, const struct mac_address *mac, bool let_in)
{
    (void)userdata;
    (void)ip;
    (void)mac;
    (void)let_in;
}

static int port_carrier(void *userdata, int ifindex)
{
    (void)userdata;
    (void)ifindex;
    return 1;
}

static int port_link_by_name(void *userdata, const char *name, struct link_info *ret)
{
    (void)userdata;
    *ret = (struct link_info){.ifindex = 2, .mac = own, .up = true, .carrier = true, .ethernet = true};
    strncpy(ret->name, name, sizeof ret->name - 1);
    return 0;
}

static void port_each_address(void *userdata, int ifindex, bool (*each)(void *cookie, const struct link_address *),
                              void *cookie)
{
    (void)userdata;
    each(cookie,
         &(struct link_address){.ifindex = ifindex, .ip = {.family = AF_INET, .bytes = {10, 255, 0, 1}}, .prefix = 8});
}

static size_t port_neighbours(void *userdata, int ifindex, uint8_t family, struct link_neighbour *ret, size_t max)
{
    (void)userdata;
    (void)ifindex;
    (void)family;
    (void)ret;
    (void)max;
    return 0;
}

static size_t port_gateways(void *userdata, int ifindex, uint8_t family, struct ip_address *ret, size_t max)
{
    (void)userdata;
    (void)ifindex;
    (void)family;
    (void)ret;
    (void)max;
    return 0;
}

static void port_journal(void *userdata, char *text, size_t length)
{
    (void)userdata;
    (void)length;
    free(text);
}

static nsec_t port_wall_ahead(void *userdata)
{
    (void)userdata;
    return 0;
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

static enum manager port_manager(void *userdata, int ifindex)
{
    (void)userdata;
    (void)ifindex;
    return MANAGER_NONE;
}

static void port_say(void *userdata, int priority, const char *text)
{
    (void)userdata;
    (void)priority;
    (void)text;
}

static const struct agent_ports ports = {
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
    .manager = port_manager,
    .say = port_say,
};

static struct ipmap *read_ipmap(unsigned n)
{
    struct ipmap_messages messages;
    struct ipmap *ipmap = NULL;
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    MICRO_MUST(out);
    fputs("defaults { interval 100ms; misses 3 }\nwitness none\nsource s { nic eth0 {\n", out);
    for (unsigned i = 0; i < n; i++)
        fprintf(out, "10.0.%u.%u/32 dev eth0\n", i >> 8, i & 255);
    fputs("} }\n", out);
    MICRO_MUST(fclose(out) == 0);
    MICRO_MUST(ipmap_parse("ipmap.conf", text, length, NULL, &ipmap, &messages) == 0);
    ipmap_messages_free(&messages);
    free(text);
    return ipmap;
}

static void answer_all(void)
{
    for (unsigned i = 0; i < n_requests; i++) {
        const struct probe_request *request = &requests[i];
        struct probe_reply reply = {.kind = request->kind,
                                    .ifindex = request->ifindex,
                                    .from = request->to,
                                    .to = request->from,
                                    .has_token = request->kind == PROBE_ICMP,
                                    .token = request->token,
                                    .received_ns = now_ns};

        if (!reply.has_token)
            reply.peer = peer;
        agent_on_reply(agent, now_ns, &reply);
    }
    n_requests = 0;
}

/* One interval after another, each due moment served as the daemon does, with all answers a round trip later. */
static void rounds(unsigned n)
{
    nsec_t until_ns = now_ns + n * INTERVAL_NS;

    while (agent_deadline(agent) <= until_ns) {
        now_ns = nsec_max(now_ns, agent_deadline(agent));
        agent_turn(agent, now_ns);
        agent_flush(agent, now_ns);
        if (n_requests == 0)
            continue;
        now_ns += RTT_NS;
        answer_all();
        agent_flush(agent, now_ns);
    }
    now_ns = until_ns;
}

static void prepare(unsigned operations)
{
    n_requests = 0;
    now_ns = 1000 * NSEC_PER_SEC;
    MICRO_MUST(agent_new(&agent, &ports, NULL, 1) == 0);
    MICRO_MUST(agent_load(agent, now_ns, read_ipmap(operations / ROUNDS), NULL, 0) == 0);
    agent_flush(agent, now_ns);
    rounds(10);
}

static void run(unsigned operations)
{
    char text[256];

    (void)operations;
    rounds(ROUNDS);
    agent_summary(agent, text, sizeof text);
    MICRO_MUST(strncmp(text, "1 source NICs: 1 up", 19) == 0);
}

static void clean(void)
{
    agent_free(agent);
}

int main(int argc, char **argv)
{
    const struct micro list[] = {
        {"agent_rounds_1", ROUNDS, prepare, run, clean},
        {"agent_rounds_1000", ROUNDS * 1000, prepare, run, clean},
    };

    return micro_main(argc, argv, list, sizeof list / sizeof *list);
}
