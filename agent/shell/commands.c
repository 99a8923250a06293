/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands: a request's words become numbers and a word to the core. A failover or failback is answered when it is
 * done; until then the answer is owed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "agent/shell/internal.h"

/* After a takeover an answer waits this long for the proof, and after a failback for the source to answer. */
#define SETTLE_NS (2 * NSEC_PER_SEC)
/* An answer is never owed for longer. */
#define OWED_MAX_NS (50 * NSEC_PER_SEC)

/* What a command is about: all NICs of a source, or one. */
struct scope {
    uint32_t source;
    uint32_t nic; /* UINT32_MAX: all of the source */
};

static json_t *refuse(const char *error)
{
    return json_pack("{s:b, s:s}", "ok", 0, "error", error);
}

static json_t *agree(const char *message)
{
    return json_pack("{s:b, s:s}", "ok", 1, "message", message);
}

static void give(agent_answer_fn answer, void *cookie, json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    json_decref(json);
    answer(cookie, text);
}

static bool in_scope(const struct core *core, const struct scope *scope, uint32_t nic)
{
    return scope->nic == UINT32_MAX ? core->nics[nic].source == scope->source : scope->nic == nic;
}

/* Reads "source" and "nic". NULL, or the refusal. */
static json_t *read_scope(const struct agent *agent, json_t *request, struct scope *ret)
{
    const char *source = json_string_value(json_object_get(request, "source"));
    const char *nic = json_string_value(json_object_get(request, "nic"));
    char text[256];

    *ret = (struct scope){.source = UINT32_MAX, .nic = UINT32_MAX};
    if (!source)
        return refuse("which source? Name one: SOURCE or SOURCE/NIC");
    if (plan_find_source(agent->plan, source, &ret->source) < 0) {
        snprintf(text, sizeof text, "the ipmap has no source '%.63s'; `standinctl status` lists them", source);
        return refuse(text);
    }
    if (nic && plan_find_nic(agent->plan, ret->source, nic, &ret->nic) < 0) {
        snprintf(text, sizeof text, "source %.63s has no nic '%.63s'; `standinctl status %.63s` lists them", source,
                 nic, source);
        return refuse(text);
    }
    return NULL;
}

static void owe(struct agent *agent, const struct scope *scope, enum core_state begun, agent_answer_fn answer,
                void *cookie)
{
    struct owed *owed = calloc(1, sizeof *owed);

    if (!owed) {
        give(answer, cookie, agree("under way"));
        return;
    }
    *owed = (struct owed){
        .next = agent->owed,
        .answer = answer,
        .cookie = cookie,
        .begun = begun,
        .source = scope->source,
        .nic = scope->nic,
        .until_ns = agent->now_ns + OWED_MAX_NS,
    };
    agent->owed = owed;
    agent->changed = true;
}

void agent_forget(struct agent *agent, void *cookie)
{
    for (struct owed **slot = &agent->owed; *slot;) {
        struct owed *owed = *slot;

        if (owed->cookie == cookie) {
            *slot = owed->next;
            free(owed);
        } else {
            slot = &owed->next;
        }
    }
}

nsec_t commands_deadline(const struct agent *agent)
{
    nsec_t due_ns = NSEC_NEVER;

    for (const struct owed *owed = agent->owed; owed; owed = owed->next)
        if (owed->until_ns < due_ns)
            due_ns = owed->until_ns;
    return due_ns;
}

static const char *proof_text(const struct monitor *m)
{
    switch (m->hold->proof) {
    case PROOF_NONE:
        return "unconfirmed";
    case PROOF_REACHED:
        return "reached";
    case PROOF_CONFIRMED:
        return "confirmed";
    }
    return "";
}

/* One line for each address of the scope that is held: where, and by whom it was proved. At most `max` lines. */
static json_t *list_held(const struct agent *agent, const struct scope *scope, unsigned max)
{
    const struct plan *plan = agent->plan;
    char text[4096], ip[IP_ADDRESS_TEXT], by[IP_ADDRESS_TEXT];
    size_t used = 0;
    unsigned n = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < plan->core.n_addresses; i++) {
        const struct monitor *m = &plan->monitors[i];
        const struct core_address *a = &plan->core.addresses[i];

        if (!in_scope(&plan->core, scope, a->nic) || a->claim != CORE_CLAIM_HELD || n++ >= max)
            continue;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s held on %s, %s", used ? "\n" : "",
                                 ip_address_format(&m->map->ip, ip), plan->targets[a->held_on].name, proof_text(m));
        if (m->hold->proof != PROOF_NONE)
            used += (size_t)snprintf(text + used, sizeof text - used, " by %s in %.2f ms",
                                     ip_address_format(&m->hold->proof_by, by),
                                     (double)m->hold->proof_after_ns / NSEC_PER_MSEC);
    }
    if (n > max)
        snprintf(text + used, sizeof text - used, "\nand %u more", n - max);
    return agree(text);
}

/* Whether the scope is a source without addresses: then it is about its name. */
static bool is_about_name(const struct agent *agent, const struct scope *scope)
{
    return agent->plan->core.sources[scope->source].n_nics == 0;
}

/* Whether the name is where the command wanted it, or will not come there. */
static bool name_over(const struct agent *agent, const struct scope *scope, bool taken, json_t **ret_answer)
{
    const struct core_source *s = &agent->plan->core.sources[scope->source];
    const char *name = agent->plan->source_maps[scope->source]->name, *reason = tell_service_reason(s->service_reason);
    bool here = s->service == CORE_SERVICE_HOLDING;
    char text[700];

    if (s->service == CORE_SERVICE_PREPARING || s->service == CORE_SERVICE_CLAIMING || s->service_leaving ||
        s->service == CORE_SERVICE_RELEASING)
        return false;
    if (here != taken)
        snprintf(text, sizeof text, "%s was not %s; it is %s%s%s", name, taken ? "taken over" : "given back",
                 core_service_name(s->service), reason[0] ? ": " : "", reason);
    else
        snprintf(text, sizeof text, "the name of %s is %s", name, taken ? "here" : "given back");
    *ret_answer = here == taken ? agree(text) : refuse(text);
    return true;
}

/* Whether the failover is over; *ret_answer then says how it ended. */
static bool failover_over(const struct agent *agent, struct owed *owed, const struct scope *scope, json_t **ret_answer)
{
    const struct plan *plan = agent->plan;
    nsec_t settled_ns = NSEC_UNSET;
    bool proved = true;
    char reason[512], text[700];

    if (is_about_name(agent, scope))
        return name_over(agent, scope, true, ret_answer);
    for (uint32_t i = 0; i < plan->core.n_nics; i++) {
        const struct core_nic *n = &plan->core.nics[i];

        if (!in_scope(&plan->core, scope, i))
            continue;
        if (n->state == CORE_VERIFYING || n->state == CORE_PREPARING || n->state == CORE_CLAIMING)
            return false;
        if (n->state != CORE_HOLDING) {
            tell_reason(agent, i, reason, sizeof reason);
            snprintf(text, sizeof text, "%s/%s was not taken over; it is %s%s%s", plan->source_maps[n->source]->name,
                     plan->nic_maps[i]->name, core_state_name(n->state), reason[0] ? ": " : "", reason);
            *ret_answer = refuse(text);
            return true;
        }
        for (uint32_t k = 0; k < n->n_addresses; k++)
            proved = proved && (plan->core.addresses[n->first_address + k].claim != CORE_CLAIM_HELD ||
                                plan->monitors[n->first_address + k].hold->proof == PROOF_CONFIRMED);
        if (n->since_ns + SETTLE_NS > settled_ns)
            settled_ns = n->since_ns + SETTLE_NS;
    }
    /* A proof takes a round trip; where none comes, the answer says so. */
    if (settled_ns < owed->until_ns)
        owed->until_ns = settled_ns;
    if (!proved && agent->now_ns < owed->until_ns)
        return false;
    *ret_answer = list_held(agent, scope, 16);
    return true;
}

static bool failback_over(const struct agent *agent, struct owed *owed, const struct scope *scope, json_t **ret_answer)
{
    const struct plan *plan = agent->plan;
    bool back = true;
    char reason[512], text[800];
    const char *name = plan->source_maps[scope->source]->name;

    if (is_about_name(agent, scope))
        return name_over(agent, scope, false, ret_answer);
    for (uint32_t i = 0; i < plan->core.n_nics; i++) {
        const struct core_nic *n = &plan->core.nics[i];

        if (!in_scope(&plan->core, scope, i))
            continue;
        if (n->state == CORE_RELEASING || n->leaving)
            return false;
        if (n->n_held > 0) {
            tell_reason(agent, i, reason, sizeof reason);
            snprintf(text, sizeof text, "%s/%s is not all released: %s", name, plan->nic_maps[i]->name, reason);
            *ret_answer = refuse(text);
            return true;
        }
        back = back && n->state != CORE_DISARMED;
    }
    if (!back && !owed->waiting_for_source) {
        owed->waiting_for_source = true;
        owed->until_ns = agent->now_ns + SETTLE_NS;
    }
    if (!back && agent->now_ns < owed->until_ns)
        return false;
    if (back)
        snprintf(text, sizeof text, "released; %s answers for its own addresses again and is watched", name);
    else
        snprintf(
            text, sizeof text,
            "released; %s does not answer: it is safe to connect it again. It is not taken over before it was seen "
            "alive once",
            name);
    *ret_answer = agree(text);
    return true;
}

void commands_settle(struct agent *agent, nsec_t now_ns)
{
    for (struct owed **slot = &agent->owed; *slot;) {
        struct owed *owed = *slot;
        struct scope scope = {.source = owed->source, .nic = owed->nic};
        json_t *answer = NULL;
        bool over;

        if (owed->source == UINT32_MAX)
            over = (answer = refuse("a new file does without it; see `standinctl status`"));
        else if (owed->begun == CORE_RELEASING)
            over = failback_over(agent, owed, &scope, &answer);
        else
            over = failover_over(agent, owed, &scope, &answer);
        if (!over && now_ns >= owed->until_ns) {
            over = true;
            answer = refuse("it takes unusually long and goes on; see `standinctl status`");
        }
        if (!over) {
            slot = &owed->next;
            continue;
        }
        *slot = owed->next;
        give(owed->answer, owed->cookie, answer);
        free(owed);
    }
}

typedef int (*core_command_fn)(struct core *core, nsec_t now_ns, uint32_t nic);

/* Gives the command to each NIC of the scope. How many took it. */
static unsigned command_each(struct agent *agent, const struct scope *scope, core_command_fn command)
{
    struct core *core = &agent->plan->core;
    unsigned n = 0;

    for (uint32_t i = 0; i < core->n_nics; i++)
        if (in_scope(core, scope, i))
            n += command(core, agent->now_ns, i) == 0;
    return n;
}

/*
 * Starts the failover of every NIC of the scope. NULL, or the refusal. Live NICs come first: they refuse for all,
 * unless it is forced.
 */
static json_t *start_failover(struct agent *agent, const struct scope *scope, bool force)
{
    struct core *core = &agent->plan->core;
    unsigned started = 0, held = 0;
    char text[512];

    if (is_about_name(agent, scope)) {
        int r = core_failover_service(core, agent->now_ns, scope->source);

        if (r == -EINPROGRESS)
            return refuse("its name is being moved right now; see `standinctl status`");
        return r == -EALREADY ? agree("its name is here already") : NULL;
    }
    for (int pass = force ? 1 : 0; pass < 2; pass++)
        for (uint32_t i = 0; i < core->n_nics; i++) {
            bool refuses = !force && core->nics[i].state == CORE_UP;
            struct core_refusal refusal;
            int r;

            if (!in_scope(core, scope, i) || refuses != (pass == 0))
                continue;
            r = core_failover(core, agent->now_ns, i, force, &refusal);
            if (r == -EBUSY || r == -ENETDOWN) {
                tell_refusal(agent, &refusal, text, sizeof text);
                return refuse(text);
            }
            if (r == -EINPROGRESS)
                return refuse("it is being claimed or released right now; see `standinctl status`");
            started += r == 0;
            held += r == -EALREADY;
        }
    return started == 0 && held > 0 ? agree("it is held already") : NULL;
}

static void do_failover(struct agent *agent, json_t *request, const struct scope *scope, agent_answer_fn answer,
                        void *cookie)
{
    json_t *at_once = start_failover(agent, scope, json_is_true(json_object_get(request, "force")));

    if (at_once)
        give(answer, cookie, at_once);
    else
        owe(agent, scope, CORE_CLAIMING, answer, cookie);
}

/* `force`: hooks and units that come before are passed over. */
static void do_failback(struct agent *agent, json_t *request, const struct scope *scope, agent_answer_fn answer,
                        void *cookie)
{
    struct core *core = &agent->plan->core;
    struct core_source *s = &core->sources[scope->source];
    bool leaves_first = s->leaves_first;
    unsigned n;

    s->leaves_first = leaves_first && !json_is_true(json_object_get(request, "force"));
    n = command_each(agent, scope, core_failback);
    n += is_about_name(agent, scope) && core_failback_service(core, agent->now_ns, scope->source) == 0;
    s->leaves_first = leaves_first;
    if (n == 0)
        give(answer, cookie, refuse("nothing of it is held here, or it is being released already"));
    else
        owe(agent, scope, CORE_RELEASING, answer, cookie);
}

static void do_approve(struct agent *agent, const struct scope *scope, agent_answer_fn answer, void *cookie)
{
    unsigned n = command_each(agent, scope, core_approve);
    bool service =
        scope->nic == UINT32_MAX && core_approve_service(&agent->plan->core, agent->now_ns, scope->source) == 0;

    if (n == 0 && !service)
        give(answer, cookie, refuse("nothing of it awaits approval"));
    else if (n == 0 && !is_about_name(agent, scope))
        give(answer, cookie, agree("approved: it is taken over once it is fenced; see `standinctl status`"));
    else
        owe(agent, scope, CORE_CLAIMING, answer, cookie);
}

static json_t *do_deny(struct agent *agent, const struct scope *scope)
{
    unsigned n = command_each(agent, scope, core_deny);

    n += scope->nic == UINT32_MAX && core_deny_service(&agent->plan->core, agent->now_ns, scope->source) == 0;
    return n > 0 ? agree("denied: it is left alone until it was seen alive again")
                 : refuse("nothing of it awaits approval");
}

/* Without a source: all of them. */
static json_t *do_pause(struct agent *agent, json_t *request, bool pause)
{
    struct core *core = &agent->plan->core;
    struct scope scope = {0};
    bool all = !json_object_get(request, "source");
    json_t *refusal = all ? NULL : read_scope(agent, request, &scope);

    if (refusal)
        return refusal;
    for (uint32_t i = 0; i < core->n_sources; i++) {
        if (!all && i != scope.source)
            continue;
        if (pause)
            core_pause(core, agent->now_ns, i);
        else
            core_resume(core, agent->now_ns, i);
    }
    let_in_refresh_all(agent);
    return agree(pause ? "paused: it is watched, but not taken over by itself" : "resumed: fresh misses are needed");
}

static void do_report(struct agent *agent, json_t *request, agent_answer_fn answer, void *cookie)
{
    struct scope scope = {.source = UINT32_MAX};
    json_t *refusal = json_object_get(request, "source") ? read_scope(agent, request, &scope) : NULL;

    if (refusal)
        give(answer, cookie, refusal);
    else
        answer(cookie, report_build(agent, agent->now_ns, scope.source));
}

void agent_command(struct agent *agent, nsec_t now_ns, json_t *request, agent_answer_fn answer, void *cookie)
{
    const char *command = json_string_value(json_object_get(request, "command"));
    struct scope scope = {0};
    json_t *refusal;

    agent->now_ns = now_ns;
    if (!command || !agent->plan) {
        give(answer, cookie, refuse("a request needs a command"));
    } else if (strcmp(command, "status") == 0 || strcmp(command, "show") == 0) {
        do_report(agent, request, answer, cookie);
    } else if (strcmp(command, "pause") == 0 || strcmp(command, "resume") == 0) {
        give(answer, cookie, do_pause(agent, request, command[0] == 'p'));
    } else if ((refusal = read_scope(agent, request, &scope))) {
        give(answer, cookie, refusal);
    } else if (strcmp(command, "failover") == 0) {
        do_failover(agent, request, &scope, answer, cookie);
    } else if (strcmp(command, "failback") == 0) {
        do_failback(agent, request, &scope, answer, cookie);
    } else if (strcmp(command, "approve") == 0) {
        do_approve(agent, &scope, answer, cookie);
    } else if (strcmp(command, "deny") == 0) {
        give(answer, cookie, do_deny(agent, &scope));
    } else {
        give(answer, cookie, refuse("the agent does not know this command"));
    }
}
