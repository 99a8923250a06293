/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses that no claim of the core stands for, or does any more, on their way off the NICs of this host. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "agent/shell/internal.h"

/* An address whose source is to be announced once it is off. */
struct departure {
    struct departure *next;
    struct ip_address ip;
    int ifindex;             /* NIC that it leaves, and that tells the LAN */
    struct mac_address own;  /* of that NIC */
    struct mac_address back; /* the source's */
};

void agent_take_off(struct agent *agent, const struct ip_address *ip, int ifindex, uint8_t prefix)
{
    struct claims_request request = {
        .operation = CLAIMS_REMOVE, .id = UINT32_MAX, .ifindex = ifindex, .ip = *ip, .prefix = prefix};

    if (agent->ports->claim(agent->userdata, &request) >= 0)
        agent->leaving++;
}

void leaving_hand_back(struct agent *agent, const struct plan *plan, uint32_t address)
{
    const struct core_address *a = &plan->core.addresses[address];
    const struct monitor *m = &plan->monitors[address];
    struct departure *departure;

    if (a->source_seen_ns != NSEC_UNSET && plan->core.sources[plan->core.nics[a->nic].source].announce_source &&
        !mac_address_is_unset(&a->mac)) {
        departure = calloc(1, sizeof *departure);
        if (departure) { /* else its neighbours find it when their entries are too old */
            *departure = (struct departure){.next = agent->departures,
                                            .ip = m->map->ip,
                                            .ifindex = m->ifindex,
                                            .own = plan->targets[a->held_on].link.mac,
                                            .back = a->mac};
            agent->departures = departure;
        }
    }
    agent_take_off(agent, &m->map->ip, m->ifindex, m->prefix);
}

void leaving_on_result(struct agent *agent, const struct claims_request *request, int error)
{
    struct departure **slot = &agent->departures;
    bool gone = error == 0 || error == -EADDRNOTAVAIL || error == -ENODEV;
    char text[IP_ADDRESS_TEXT];

    agent->leaving--;
    while (*slot && ((*slot)->ifindex != request->ifindex || !ip_address_equal(&(*slot)->ip, &request->ip)))
        slot = &(*slot)->next;
    if (*slot) {
        struct departure *departure = *slot;

        *slot = departure->next;
        if (gone)
            actions_announce_source(agent, departure->ifindex, &departure->own, &departure->ip, &departure->back);
        free(departure);
    }
    if (!gone)
        agent_say(agent, LOG_ERR, "cannot take %s off: %s", ip_address_format(&request->ip, text), strerror(-error));
}

void leaving_free(struct agent *agent)
{
    while (agent->departures) {
        struct departure *next = agent->departures->next;

        free(agent->departures);
        agent->departures = next;
    }
}
