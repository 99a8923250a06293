# SPDX-License-Identifier: Apache-2.0
"""The mutants: what is broken, where, and how. `old` stands in the file exactly once."""

import dataclasses


@dataclasses.dataclass
class Mutant:
    name: str        # what the broken agent does
    file: str
    old: str
    new: str
    first: str = ""  # the world program that is asked first


MUTANTS = [
    Mutant("skips verify when somebody answers", "agent/core/verify.c",
           "    if (in_use(n, a))\n        return CORE_REASON_IN_USE;\n", "", "evidence"),
    Mutant("claims without a witness", "agent/core/verify.c",
           "        if (core->targets[target].witness_asked_ns < n->evidence_ns)\n"
           "            return CORE_REASON_WITNESS_SILENT;\n", "", "isolation"),
    Mutant("claims where nobody could be asked to witness", "agent/core/verify.c",
           "        if (!is_ordered(n))\n            return CORE_REASON_WITNESS_MISSING;\n", "", "isolation"),
    Mutant("takes a witness' answer from before the first miss", "agent/core/verify.c",
           "witness_asked_ns < n->evidence_ns)\n            return", "witness_asked_ns == 0)\n            return",
           "isolation"),
    Mutant("claims on a NIC without carrier", "agent/core/watch.c",
           "a->target[i] != CORE_NO_TARGET && core->targets[a->target[i]].fit", "a->target[i] != CORE_NO_TARGET",
           "isolation"),
    Mutant("ignores a rival's intent", "agent/core/verify.c",
           "    if (target == CORE_NO_TARGET || !may_yield(n))\n        return;\n", "    return;\n", "rivals"),
    Mutant("counts one miss too many", "agent/core/address.c",
           "if (misses >= core->sources", "if (misses > core->sources", "takeover"),
    Mutant("counts one miss too few", "agent/core/address.c",
           "if (misses >= core->sources[", "if (misses + 1 >= core->sources[", "takeover"),
    Mutant("forgets to disarm at failback", "agent/core/claim.c",
           "    n->armed = armed;\n    n->disarmed = !armed;\n", "", "operator"),
    Mutant("forgets what an operator ordered when it comes off", "agent/core/claim.c",
           "    n->armed = true;\n    n->disarmed = false;\n    address_arm(core, address);\n", "", "operator"),
    Mutant("announces before the kernel confirmed", "agent/core/claim.c",
           "    emit_for_address(core, CORE_CLAIM, address, target);\n",
           "    emit_for_address(core, CORE_CLAIM, address, target);\n"
           "    emit_for_address(core, CORE_ANNOUNCE, address, target);\n", "takeover"),
    Mutant("never announces", "agent/shell/actions.c",
           "    case CORE_ANNOUNCE:\n        announcer_start(agent->plan->announcer, action->address, action->target, "
           "agent->now_ns);\n", "    case CORE_ANNOUNCE:\n",
           "takeover"),
    Mutant("puts back what lapsed without verify", "agent/core/hold.c",
           "    if (!lapsed && !user && !insists(a, now_ns)) {", "    if (!user && !insists(a, now_ns)) {", "holding"),
    Mutant("puts back what somebody insists on taking", "agent/core/hold.c",
           "    if (!lapsed && !user && !insists(a, now_ns)) {", "    if (!lapsed && !user) {", "holding"),
    Mutant("puts an address back over a source that is back", "agent/core/hold.c",
           "    if (!lapsed && !user && !insists(a, now_ns)) {",
           "    if (!lapsed && !insists(a, now_ns)) {", "holding"),
    Mutant("puts back what was taken off while it heard nothing", "agent/core/hold.c",
           "    if (return_is_watched(core, now_ns, n)) {", "    if (now_ns > 0) {", "stall"),
    Mutant("forgets that answers were lost when it puts back", "agent/core/watch.c",
           "        n->watched_ns = NSEC_UNSET;\n        if (n->state == CORE_VERIFYING)\n            verify_begin_anew",
           "        if (n->state == CORE_VERIFYING)\n            verify_begin_anew", "stall"),
    Mutant("lets verify go on when answers were lost", "agent/core/watch.c",
           "            verify_begin_anew(core, now_ns, i);", "            continue;", "stall"),
    Mutant("does not read before verify's verdict", "agent/shell/agent.c",
           "    if (agent->plan->core.n_verifying > 0 &&", "    if (0 &&", "stall"),
    Mutant("does not read before it puts back", "agent/shell/agent.c",
           "    rounds_drain(agent);\n    if (!is_held(agent->plan, number, address))\n        return;\n", "", "stall"),
    Mutant("forgets the hold-off", "agent/core/watch.c", "now_ns < n->hold_off_ns || ", "", "holding"),
    Mutant("acts while it is paused", "agent/core/watch.c",
           "now_ns < n->hold_off_ns || core->sources[n->source].paused ||", "now_ns < n->hold_off_ns ||", "operator"),
    Mutant("ignores that it stood still", "agent/shell/agent.c",
           "    if (late_ns > STALL_MIN_NS)\n        handle_stall(agent, late_ns);\n", "", "stall"),
    Mutant("ignores that the wall clock was set", "agent/shell/agent.c",
           "        void_source(agent, i);\n    if (agent->plan)", "        continue;\n    if (agent->plan)", "stall"),
    Mutant("judges before it reads", "agent/shell/rounds.c",
           "if (!drained && tracker_would_miss(", "if (0 && tracker_would_miss(", "stall"),
    Mutant("ignores that replies were lost", "agent/shell/rounds.c",
           "    if (agent->ports->drain(agent->userdata))\n        return;\n",
           "    agent->ports->drain(agent->userdata);\n    return;\n", "stall"),
    Mutant("takes a request that did not leave for a miss", "agent/shell/rounds.c",
           "    if (m->unsent_kinds == m->kinds) {\n        tracker_cannot_probe(&m->tracker, error);",
           "    if (m->unsent_kinds == m->kinds) {", "isolation"),
    Mutant("accepts a reply with a wrong token", "probes/tracker.c",
           "    return token->nonce == round->nonce ? round : NULL;", "    return round;", "evidence"),
    Mutant("releases with the wrong prefix", "agent/shell/actions.c",
           ".prefix = m->prefix,", ".prefix = m->map->prefix,", "operator"),
    Mutant("never renews a lease", "agent/shell/lease.c",
           "    if (heap_first(&agent->plan->leases, &address) > now_ns)\n", "    if (now_ns > 0)\n", "holding"),
    Mutant("takes over what a reload gave to another source", "agent/shell/carry.c",
           "    return strcmp(from->nic_maps[from_nic]->name, to->nic_maps[to_nic]->name) == 0 &&",
           "    return true ||", "operator"),
    Mutant("keeps what the file does not name any more", "agent/shell/reload.c",
           "    agent_take_off(agent, ip, ifindex, prefix);\n", "", "operator"),
    Mutant("claims what was never seen alive", "agent/core/core.c",
           "        n->armed = core->sources[n->source].claim_unseen;", "        n->armed = true;", "operator"),
    Mutant("takes a policy of manual for automatic", "agent/core/verify.c",
           "    return policy == CORE_POLICY_AUTOMATIC && n->damped ? CORE_POLICY_MANUAL : policy;",
           "    return policy == CORE_POLICY_MANUAL ? CORE_POLICY_AUTOMATIC : policy;", "operator"),
    Mutant("does not look for the source's return", "agent/core/return.c",
           "            ask_source(core, now_ns, address);\n    }\n    /* Where we",
           "            {}\n    }\n    /* Where we",
           "return"),
    Mutant("does not tell neighbours of the source at failback", "agent/core/claim.c",
           "    if (a->give_backs == 0 ||", "    if (now_ns > 0 ||", "operator"),
]
