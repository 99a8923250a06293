/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports: every way out of the agent, as one table of functions. The daemon fills it with sockets and netlink (world.c);
 * tests fill it with a modelled network on virtual time. What comes in are the agent_on_ functions of agent.h.
 */
#pragma once

#include "agent/effects/job.h"
#include "agent/effects/units.h"
#include "agent/shell/managers.h"
#include "arp/frame.h"
#include "netlink/claims.h"
#include "netlink/links.h"
#include "probes/probe.h"
#include "probes/tcp.h"

struct agent_ports {
    /*
     * Sends one request of its kind, at the latest on flush. 0 or negative errno. What only shows on flush comes back
     * by agent_on_unsent.
     */
    int (*probe)(void *userdata, const struct probe_request *request);
    void (*flush)(void *userdata);
    /*
     * Reads all that is queued in the probes' sockets now, handing it to agent_on_reply. False when there was more than
     * could be read, or something was lost: misses cannot be judged then.
     */
    bool (*drain)(void *userdata);
    /* Sends one frame through the NIC. 0 or negative errno. */
    int (*frame)(void *userdata, int ifindex, const struct arp_frame *frame);
    /* Watches for IP packets to these addresses on the NIC: see arp_port_watch. */
    void (*watch)(void *userdata, int ifindex, const struct ip_address *addresses, size_t count);
    /* Claims or releases; the kernel's answer comes back by agent_on_claim_result. 0 or negative errno. */
    int (*claim)(void *userdata, const struct claims_request *request);
    /*
     * The shelf of that number for addresses of the target NIC, as index (netlink/shelf.h); 0: there is none, or its
     * addresses would not be answered for.
     */
    int (*shelf)(void *userdata, int target, unsigned number);
    /* Of which target NIC the NIC is a shelf; 0: it is none. */
    int (*shelf_of)(void *userdata, int ifindex);
    /*
     * From now on (`let_in`), or no longer, this host leaves the duplicate address detection of the host at `mac` for
     * `ip` unanswered. Harmless when said twice.
     */
    void (*let_in)(void *userdata, const struct ip_address *ip, const struct mac_address *mac, bool let_in);
    /* Asks the device itself: 1, 0 or negative errno. */
    int (*carrier)(void *userdata, int ifindex);
    /* What the kernel knows: as the functions of netlink/links.h. */
    int (*link_by_name)(void *userdata, const char *name, struct link_info *ret);
    void (*each_address)(void *userdata, int ifindex, bool (*each)(void *cookie, const struct link_address *address),
                         void *cookie);
    size_t (*neighbours)(void *userdata, int ifindex, uint8_t family, struct link_neighbour *ret, size_t max);
    size_t (*gateways)(void *userdata, int ifindex, uint8_t family, struct ip_address *ret, size_t max);
    /* Keeps the text (from malloc, now its own) as the journal. Never waits. */
    void (*journal)(void *userdata, char *text, size_t length);
    /* How far CLOCK_REALTIME is ahead of our time: what the journal's times are by. */
    nsec_t (*wall_ahead)(void *userdata);
    /* Which other program manages the addresses of the NIC, at this moment. */
    enum manager (*manager)(void *userdata, int ifindex);
    /* Asks whether a service accepts; the answer comes back by agent_on_tcp, also from within. `check`: its number. */
    int (*tcp)(void *userdata, uint32_t check, const struct tcp_request *request);
    void (*tcp_cancel)(void *userdata, uint32_t check);
    /*
     * Hands a job to the runner or the helper, by its kind; the answer comes back by agent_on_job, later, with its tag.
     * 0 or negative errno. Cancelled jobs may still be answered.
     */
    int (*job)(void *userdata, struct job_request *request);
    void (*job_cancel)(void *userdata, uint64_t tag);
    /* Starts or stops a unit of systemd's; the answer comes back by agent_on_unit, later. 0 or negative errno. */
    int (*unit)(void *userdata, uint64_t id, enum units_operation operation, const char *name, nsec_t timeout_ns);
    /* Whether this host stands in for the source: a file that units can ask for. */
    void (*flag)(void *userdata, const char *source, bool held);
    /* Says something to people. `priority` as in syslog(3). */
    void (*say)(void *userdata, int priority, const char *text);
};
