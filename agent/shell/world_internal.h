/* SPDX-License-Identifier: Apache-2.0 */
/* What world.c, world_ports.c and listeners.c share. Nobody else includes this. */
#pragma once

#include <poll.h>

#include "agent/effects/jobs.h"
#include "agent/shell/world.h"
#include "arp/port.h"
#include "netlink/quiet.h"
#include "probes/icmp.h"
#include "probes/link.h"

/* A target NIC by name, and the port that hears and sends there while it is up. */
struct listener {
    char name[LIMIT_NIC_NAME];
    struct arp_port *port; /* NULL: not open */
    bool wanted;           /* the newest file that was read names it */
    sd_event_source *source;
    struct world *world;
};

/* What the loop waits for: the probes' sockets by themselves, and all that is rare by the descriptor of sd-event. */
enum { WAIT_EVENTS, WAIT_ARP, WAIT_ND, WAIT_ICMP4, WAIT_ICMP6, WAITS };

struct world {
    sd_event *event;
    struct agent *agent;
    struct link_probe *arp, *nd;
    struct icmp_probe *icmp4, *icmp6;
    struct links *links;
    struct claims *claims;
    struct quiet *quiet;        /* lets sources in that probe for what is held */
    bool told_not_quiet;        /* that it cannot */
    struct guarding *guarding;  /* the daemon's; NULL: none */
    struct keeper *keeper;      /* the same */
    struct probe_clock clock;   /* of the event at hand */
    nsec_t begun_ns;            /* when that began, as far as its first reading of the clock tells; NSEC_UNSET: none */
    nsec_t ended_ns;            /* when the one before ended */
    nsec_t slept_ns;            /* when the loop last came from a sleep */
    uint64_t dropped;           /* replies lost in sockets, as last counted */
    nsec_t claims_due_ns;       /* requests to the kernel wait for another turn; NSEC_NEVER: none do */
    bool claims_fail;           /* answers to claims could not be read when that was last tried */
    nsec_t links_again_ns;      /* NICs and addresses could not be read: tried again then; NSEC_NEVER */
    bool listeners_stale;       /* NICs changed */
    nsec_t listeners_again_ns;  /* a port could not be opened for want of something: tried again then; NSEC_NEVER */
    struct pollfd waits[WAITS]; /* what may become readable */
    bool more_events;           /* of those in the loop of `event` there may be more: it was not asked again */
    bool event_was_last;        /* it was served last, and probes and turns come before the next one */
    void (*due_fn)(void *userdata, nsec_t now_ns);
    void *due_userdata;
    bool shelves_stale; /* NICs or the file changed: some may be missing */
    int shelves_error;  /* why none can be made, as said; 0 */
    int strict_nic;     /* the target NIC that was looked at last for the reasons not to use its shelves */
    bool strict;        /* that there are some, as of: */
    nsec_t strict_looked_ns;
    struct tcp_check *tcp; /* for the checks of the file in effect; NULL: it has none */
    sd_event_source *tcp_source;
    struct jobs *runner, *helper; /* NULL: no file has wanted them yet */
    struct units *units;          /* the same */
    char folder[WORLD_PATH];      /* of the control socket: other sockets and the flag files are there */
    struct listener **nics;       /* one for each target NIC of the ipmap */
    size_t n_nics;
};

/* world_ports.c */
extern const struct agent_ports world_ports;

/* One `now` for the event at hand, and what turns the kernel's stamps into it. */
void world_take_time(struct world *world);
/* Sends a batch of claims, and what `quiet` has. Whether claims were sent, which the kernel has answered by then. */
bool world_flush_claims(struct world *world);

/* Makes listeners for the target NICs of an ipmap, beside those that there are. 0 or -ENOMEM: then all is as it was. */
int listeners_add_nics(struct world *world, const struct ipmap *ipmap);
/* That ipmap is in effect: listens on its target NICs, and on no other; ports that are open stay so. */
void listeners_take_effect(struct world *world);
/* Opens ports of NICs that came up, closes those of NICs that went. */
void listeners_refresh(struct world *world);
void listeners_close(struct world *world);
/* NULL where no port is open on that NIC. */
struct arp_port *listeners_find(struct world *world, int ifindex);

/* world_services.c */
/* What the file wants is opened and started, as early as can be: before rights are given up. 0 or negative errno. */
int world_services_open(struct world *world, const struct ipmap *ipmap);
/* The file is about to take effect. 0 or negative errno. */
int world_services_load(struct world *world, const struct ipmap *ipmap);
/* After the first file took effect: takes away the flag files of what nobody here stands in for. */
void world_sweep_flags(struct world *world);
void world_services_close(struct world *world);
nsec_t world_services_deadline(const struct world *world);
void world_services_on_time(struct world *world);
int world_port_tcp(void *userdata, uint32_t check, const struct tcp_request *request);
void world_port_tcp_cancel(void *userdata, uint32_t check);
int world_port_job(void *userdata, struct job_request *request);
void world_port_job_cancel(void *userdata, uint64_t tag);
int world_port_unit(void *userdata, uint64_t id, enum units_operation operation, const char *name, nsec_t timeout_ns);
void world_port_flag(void *userdata, const char *source, bool held);

/* shelving.c */
/* Makes the shelves that are missing. */
void shelves_refresh(struct world *world);
/* As the ports of these names. */
int shelves_find(struct world *world, int target, unsigned number);
int shelves_target(const struct world *world, int ifindex);

/* advice.c */
/* A setting net.ipv4.conf.NIC.NAME as it takes effect: the greater of the NIC's own and that of all. */
int advice_setting(const char *nic, const char *name);
/* Warns of settings of this host under which a takeover would not do what people expect. */
void advise(struct world *world, const struct ipmap *ipmap);
