/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent: everything between the core, which decides, and the ports, through which it acts. It knows no socket and
 * no clock, so that a test can drive it on virtual time. The daemon around it is daemon.c.
 *
 * Use: agent_new, agent_load; then, for each thing that comes in, the agent_on_ function; agent_turn when
 * agent_deadline has come. After each of these, agent_flush.
 */
#pragma once

#include "agent/config/ipmap.h"
#include "agent/control/report.h"
#include "agent/effects/journal.h"
#include "agent/shell/ports.h"

struct agent;

/* `seed`: random, for tokens and tables. 0 or negative errno. */
int agent_new(struct agent **ret, const struct agent_ports *ports, void *userdata, uint64_t seed);
void agent_free(struct agent *agent);

/*
 * Takes the ipmap (and its ownership, on success) into effect. What did not change keeps its state; what is held and no
 * longer in the file is released. `held`: what the kernel holds with our mark, for the first load; else NULL.
 */
int agent_load(struct agent *agent, nsec_t now_ns, struct ipmap *ipmap, const struct claims_held *held, size_t n_held);

/*
 * Before the first agent_load: what the agent before left (empty where that is nothing), of which *journal is emptied,
 * and the id of this boot ("": not known). Without this call no journal is written.
 */
void agent_recall(struct agent *agent, const char *boot_id, struct journal *journal);
/* The journal is written anew at that time: what was handed over did not get there. */
void agent_journal_again(struct agent *agent, nsec_t at_ns);
/* At the end: what the journal does not say yet is written now. */
void agent_journal_last(struct agent *agent, nsec_t now_ns);

nsec_t agent_deadline(const struct agent *agent);
/* Serves every timer that is due. */
void agent_turn(struct agent *agent, nsec_t now_ns);
/* Ends an event: results of what the core asked, batches, answers to commands. Always called before waiting again. */
void agent_flush(struct agent *agent, nsec_t now_ns);
/*
 * The event, with its flush, took from begun_ns to now_ns. A turn that is due meanwhile is late, but nothing stood
 * still: it was our own work.
 */
void agent_worked(struct agent *agent, nsec_t begun_ns, nsec_t now_ns);

void agent_on_reply(struct agent *agent, nsec_t now_ns, const struct probe_reply *reply);
/* A queued request was refused by the kernel after all; error > 0. */
void agent_on_unsent(struct agent *agent, nsec_t now_ns, const struct probe_request *request, int error);
void agent_on_heard(struct agent *agent, nsec_t now_ns, int ifindex, const struct arp_heard *heard);
/* An IP packet to an address we hold came in. */
void agent_on_traffic(struct agent *agent, nsec_t now_ns, const struct ip_address *from, const struct ip_address *to);
void agent_on_claim_result(struct agent *agent, nsec_t now_ns, const struct claims_request *request, int error);
/* NICs of this host changed, or an address came or went. */
void agent_on_links_changed(struct agent *agent, nsec_t now_ns);
void agent_on_address_changed(struct agent *agent, nsec_t now_ns, const struct link_address *address, bool present);
/* What became of what was asked for services. */
void agent_on_tcp(struct agent *agent, nsec_t now_ns, uint32_t check, enum tcp_outcome outcome, int error,
                  nsec_t took_ns);
void agent_on_job(struct agent *agent, nsec_t now_ns, const struct job_answer *answer);
/* `error`: 0 or negative errno; `text`: in systemd's words. */
void agent_on_unit(struct agent *agent, nsec_t now_ns, uint64_t id, int error, const char *text);
/* The wall clock stepped: receive stamps of pending rounds cannot be trusted. */
void agent_on_clock_step(struct agent *agent, nsec_t now_ns);

/*
 * One command of the control socket, or of a test. `answer` is called once, now or after a later event, with one line
 * of JSON from malloc that the callee owns (NULL when memory ran out); never when the agent is freed before or
 * agent_forget was called for `cookie`.
 */
typedef void (*agent_answer_fn)(void *cookie, char *answer);
void agent_command(struct agent *agent, nsec_t now_ns, json_t *request, agent_answer_fn answer, void *cookie);
void agent_forget(struct agent *agent, void *cookie);

/* Releases all that is held; agent_is_idle tells when it is done. */
void agent_release_all(struct agent *agent, nsec_t now_ns);
bool agent_is_idle(const struct agent *agent);

/* Room for the name of any unit. */
#define AGENT_UNIT_NAME 320
/* The systemd target of a source, in AGENT_UNIT_NAME bytes: what a unit's name cannot hold as by systemd-escape(1). */
void agent_name_target(const struct ipmap_source *map, char *text, size_t size);
/* Whether this host stands in for the source of that name, or for a part of it. */
bool agent_stands_in(const struct agent *agent, const char *source);
/* It does not, but an agent before us did, and could not stop what it had started. */
void agent_on_left_over(struct agent *agent, const char *source);

/* Every shelf that the file in effect has IPv4 addresses for: of which target NIC that is there, and its number. */
void agent_each_shelf(const struct agent *agent, void (*each)(void *userdata, int target, unsigned number),
                      void *userdata);

/* Calls `each` for every address that is held or on its way. */
void agent_each_held(const struct agent *agent,
                     void (*each)(void *userdata, int ifindex, const struct ip_address *ip, uint8_t prefix),
                     void *userdata);
/* The guard took off what was held, because we hung: whatever goes missing now was not taken by somebody else. */
void agent_on_hung(struct agent *agent, nsec_t now_ns);

/* Whether this host forwards IPv6: what advertisements say of it. */
void agent_set_ipv6_router(struct agent *agent, bool router);

/* What the daemon knows about itself, for status. */
struct report_agent *agent_report_header(struct agent *agent);
/* A sentence on how things stand, for systemd's STATUS. */
void agent_summary(const struct agent *agent, char *text, size_t size);
