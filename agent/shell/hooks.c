/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs as runner and helper take them: what a hook, a fence or a check is given, and what the name server is asked. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/shell/internal.h"

/* Addresses that a hook is told of; how many there are it is told, too. */
#define ADDRESSES_TOLD 256
#define ENV_WORDS 16
#define ENV_TEXT (ADDRESSES_TOLD * (IP_ADDRESS_TEXT + 4) + 32)

static const char *point_name(enum ipmap_hook_point point)
{
    switch (point) {
    case IPMAP_HOOK_PRE_TAKEOVER:
        return "pre-takeover";
    case IPMAP_HOOK_POST_TAKEOVER:
        return "post-takeover";
    case IPMAP_HOOK_PRE_FAILBACK:
        return "pre-failback";
    case IPMAP_HOOK_POST_FAILBACK:
        return "post-failback";
    case IPMAP_HOOK_ALARM:
        return "alarm";
    }
    return "";
}

static const char *cause_name(enum cause cause)
{
    switch (cause) {
    case CAUSE_HOST:
        return "host";
    case CAUSE_NIC:
        return "nic";
    case CAUSE_SERVICE:
        return "service";
    case CAUSE_OPERATOR:
        return "operator";
    }
    return "";
}

/* The word for what the step is, in the environment and in the log. */
static const char *step_point(const struct ipmap_source *map, const struct step *step)
{
    return step->kind == STEP_FENCE ? "fence" : point_name(map->hooks[step->item].point);
}

void tell_step(const struct agent *agent, uint32_t source, const struct step *step, char *text, size_t size)
{
    const struct ipmap_source *map = agent->plan->source_maps[source];

    switch (step->kind) {
    case STEP_HOOK:
        snprintf(text, size, "hook %s %s", step_point(map, step), map->hooks[step->item].command.text);
        break;
    case STEP_FENCE:
        snprintf(text, size, "fence %s", map->fence->text);
        break;
    case STEP_UNIT_START:
    case STEP_UNIT_STOP:
        snprintf(text, size, "%s of unit %s", step->kind == STEP_UNIT_START ? "start" : "stop",
                 services_unit(agent->plan, source, step->item));
        break;
    case STEP_NAME_CLAIM:
        snprintf(text, size, "DNS: %s comes here", map->dns->records[0].name);
        break;
    case STEP_NAME_RELEASE:
        snprintf(text, size, "DNS: %s goes back", map->dns->records[0].name);
        break;
    case STEP_END:
        snprintf(text, size, "end");
        break;
    }
}

/* What a step is about: the addresses of its NIC, or of all of the source's. */
struct subject {
    const struct plan *plan;
    uint32_t first, end; /* addresses */
};

static struct subject subject_of(const struct plan *plan, uint32_t source, uint32_t nic)
{
    const struct core_source *s = &plan->core.sources[source];
    struct subject subject = {.plan = plan};

    for (uint32_t i = s->first_nic; i < s->first_nic + s->n_nics; i++) {
        const struct core_nic *n = &plan->core.nics[i];

        if (nic != UINT32_MAX && nic != i)
            continue;
        if (subject.end == 0)
            subject.first = n->first_address;
        subject.end = n->first_address + n->n_addresses;
    }
    return subject;
}

static const char *device_of(const struct plan *plan, uint32_t address)
{
    uint16_t held_on = plan->core.addresses[address].held_on;

    return held_on == CORE_NO_TARGET ? plan->monitors[address].map->dev : plan->targets[held_on].name;
}

/* How long its addresses have been silent, and held; NSEC_NEVER: that is not known, or they are not. */
struct timing {
    nsec_t silent_ns, held_ns;
};

static struct timing timing_of(const struct subject *subject, nsec_t now_ns)
{
    nsec_t answer_ns = NSEC_UNSET, held_since_ns = NSEC_NEVER;

    for (uint32_t i = subject->first; i < subject->end; i++) {
        const struct core_address *a = &subject->plan->core.addresses[i];
        nsec_t last_ns = subject->plan->monitors[i].tracker.last_answer_ns;

        if (last_ns > answer_ns)
            answer_ns = last_ns;
        if (a->claim == CORE_CLAIM_HELD)
            held_since_ns = nsec_min(held_since_ns, a->held_since_ns);
    }
    return (struct timing){.silent_ns = answer_ns == NSEC_UNSET ? NSEC_NEVER : now_ns - answer_ns,
                           .held_ns = held_since_ns == NSEC_NEVER ? NSEC_NEVER : now_ns - held_since_ns};
}

static void write_ms(char *text, size_t size, const char *name, nsec_t ns)
{
    if (ns == NSEC_NEVER)
        snprintf(text, size, "%s=", name);
    else
        snprintf(text, size, "%s=%lld", name, (long long)(ns / NSEC_PER_MSEC));
}

static json_t *json_ms(nsec_t ns)
{
    return ns == NSEC_NEVER ? json_null() : json_integer(ns / NSEC_PER_MSEC);
}

static void write_addresses(const struct subject *subject, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "STANDIN_ADDRESSES=");
    char ip[IP_ADDRESS_TEXT];

    for (uint32_t i = subject->first; i < subject->end && i < subject->first + ADDRESSES_TOLD; i++) {
        const struct ipmap_address *map = subject->plan->monitors[i].map;

        used += (size_t)snprintf(text + used, size - used, "%s%s/%u", i > subject->first ? " " : "",
                                 ip_address_format(&map->ip, ip), map->prefix);
    }
}

static json_t *list_addresses(const struct subject *subject)
{
    json_t *list = json_array();
    char ip[IP_ADDRESS_TEXT];

    for (uint32_t i = subject->first; i < subject->end && i < subject->first + ADDRESSES_TOLD; i++) {
        const struct ipmap_address *map = subject->plan->monitors[i].map;

        json_array_append_new(list, json_pack("{s:s, s:i, s:s}", "address", ip_address_format(&map->ip, ip), "prefix",
                                              (int)map->prefix, "dev", device_of(subject->plan, i)));
    }
    return list;
}

/* The NIC that the step is about and its state, or null for the whole source. */
static void add_nic(const struct agent *agent, const struct step *step, json_t *root)
{
    const struct core_nic *n = step->nic == UINT32_MAX ? NULL : &agent->plan->core.nics[step->nic];

    json_object_set_new(root, "nic", n ? json_string(agent->plan->nic_maps[step->nic]->name) : json_null());
    json_object_set_new(root, "state", n ? json_string(core_state_name(n->state)) : json_null());
    json_object_set_new(root, "in_state_ms", json_ms(n ? agent->now_ns - n->since_ns : NSEC_NEVER));
}

static const struct ipmap_command *command_of(const struct ipmap_source *map, const struct step *step)
{
    return step->kind == STEP_FENCE ? map->fence : &map->hooks[step->item].command;
}

/* What the step is given to read: one JSON object. NULL when memory ran out. */
static char *write_input(const struct agent *agent, uint32_t source, const struct step *step, const char *reason)
{
    const struct plan *plan = agent->plan;
    const struct ipmap_source *map = plan->source_maps[source];
    struct subject subject = subject_of(plan, source, step->nic);
    struct timing timing = timing_of(&subject, agent->now_ns);
    json_t *root = json_pack("{s:i, s:s, s:s, s:s, s:s, s:I, s:o}", "version", 1, "point", step_point(map, step),
                             "source", map->name, "cause", cause_name(step->cause), "reason", reason, "address_count",
                             (json_int_t)(subject.end - subject.first), "addresses", list_addresses(&subject));
    char *text;

    if (root) {
        add_nic(agent, step, root);
        json_object_set_new(root, "timeout_ms", json_ms(command_of(map, step)->timeout_ns));
        json_object_set_new(root, "silent_ms", json_ms(timing.silent_ns));
        json_object_set_new(root, "held_ms", json_ms(timing.held_ns));
    }
    text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    return text;
}

/* Where a text was cut to fit, half a sign may be left at its end, which JSON does not take. */
static void drop_half_sign(char *text)
{
    size_t length = strlen(text), lead = length;
    unsigned char first;

    while (lead > 0 && ((unsigned char)text[lead - 1] & 0xc0) == 0x80)
        lead--;
    if (lead-- == 0)
        return;
    first = (unsigned char)text[lead];
    if (first >= 0xc0 && length - lead < (first >= 0xf0 ? 4u : first >= 0xe0 ? 3u : 2u))
        text[lead] = '\0';
}

static void reason_of(const struct agent *agent, uint32_t source, const struct step *step, char *text, size_t size)
{
    if (step->sequence == SEQUENCE_ALARM)
        snprintf(text, size, "%s", agent->plan->services[source]->alarm);
    else if (step->nic != UINT32_MAX)
        tell_reason(agent, step->nic, text, size);
    else
        snprintf(text, size, "%s", tell_service_reason(agent->plan->core.sources[source].service_reason));
    drop_half_sign(text);
}

static void set_command(struct job_run *run, const struct ipmap_command *command)
{
    for (size_t i = 0; i < command->n_args && i < JOB_ARGS_MAX; i++)
        run->argv[i] = command->argv[i];
    run->shell = command->shell;
    run->user = command->user;
    run->timeout_ns = command->timeout_ns;
}

int hooks_ask_command(struct agent *agent, uint64_t id, uint32_t source, const struct step *step)
{
    const struct ipmap_source *map = agent->plan->source_maps[source];
    const struct ipmap_command *command = command_of(map, step);
    struct subject subject = subject_of(agent->plan, source, step->nic);
    struct timing timing = timing_of(&subject, agent->now_ns);
    CLEANUP_FREE char *addresses = malloc(ENV_TEXT), *input = NULL;
    char env[ENV_WORDS][OUTCOME_TEXT + LIMIT_NAME + 32], reason[OUTCOME_TEXT], name[LIMIT_NAME + 32];
    struct job_request job = {.tag = id, .kind = JOB_RUN};
    size_t n = 0;

    reason_of(agent, source, step, reason, sizeof reason);
    input = write_input(agent, source, step, reason);
    if (!addresses || !input)
        return -ENOMEM;
    set_command(&job.run, command);
    snprintf(env[n++], sizeof *env, "STANDIN_POINT=%s", step_point(map, step));
    snprintf(env[n++], sizeof *env, "STANDIN_SOURCE=%s", map->name);
    snprintf(env[n++], sizeof *env, "STANDIN_NIC=%s",
             step->nic == UINT32_MAX ? "" : agent->plan->nic_maps[step->nic]->name);
    snprintf(env[n++], sizeof *env, "STANDIN_CAUSE=%s", cause_name(step->cause));
    snprintf(env[n++], sizeof *env, "STANDIN_REASON=%s", reason);
    snprintf(env[n++], sizeof *env, "STANDIN_ADDRESS_COUNT=%u", subject.end - subject.first);
    write_ms(env[n++], sizeof *env, "STANDIN_TIMEOUT_MS", command->timeout_ns);
    write_ms(env[n++], sizeof *env, "STANDIN_SILENT_MS", timing.silent_ns);
    write_ms(env[n++], sizeof *env, "STANDIN_HELD_MS", timing.held_ns);
    for (size_t i = 0; i < n; i++)
        job.run.env[i] = env[i];
    write_addresses(&subject, addresses, ENV_TEXT);
    job.run.env[n] = addresses;
    snprintf(name, sizeof name, "%s: %s", map->name, step_point(map, step));
    job.run.name = name;
    job.run.input = input;
    return agent->ports->job(agent->userdata, &job);
}

int hooks_ask_check(struct agent *agent, uint64_t id, uint32_t source, const struct ipmap_check *map)
{
    struct job_request job = {.tag = id, .kind = map->kind == IPMAP_CHECK_EXEC ? JOB_RUN : JOB_URL};
    char env[2][LIMIT_NAME + 32];

    if (map->kind == IPMAP_CHECK_EXEC) {
        set_command(&job.run, &map->command);
        job.run.timeout_ns = map->timeout_ns;
        job.run.check = true;
        job.run.name = agent->plan->source_maps[source]->name;
        snprintf(env[0], sizeof *env, "STANDIN_POINT=check");
        snprintf(env[1], sizeof *env, "STANDIN_SOURCE=%s", agent->plan->source_maps[source]->name);
        job.run.env[0] = env[0];
        job.run.env[1] = env[1];
        return agent->ports->job(agent->userdata, &job);
    }
    job.url = (struct job_url){.url = map->url,
                               .timeout_ns = map->timeout_ns,
                               .n_expect = map->n_expect,
                               .body = map->body,
                               .host = map->host,
                               .verify = map->verify_peer,
                               .redirects = map->redirects,
                               .from = map->from,
                               .from_dev = map->from_dev[0] ? map->from_dev : NULL};
    for (size_t i = 0; i < map->n_expect; i++)
        job.url.expect[i] = (struct job_range){.from = map->expect[i].from, .to = map->expect[i].to};
    return agent->ports->job(agent->userdata, &job);
}

static const char *algorithm_name(enum ipmap_key_algorithm algorithm)
{
    switch (algorithm) {
    case IPMAP_KEY_HMAC_SHA256:
        return "hmac-sha256";
    case IPMAP_KEY_HMAC_SHA384:
        return "hmac-sha384";
    case IPMAP_KEY_HMAC_SHA512:
        return "hmac-sha512";
    }
    return "";
}

int hooks_ask_name(struct agent *agent, uint64_t id, const struct ipmap_dns *dns, enum job_dns_direction direction)
{
    struct job_request job = {.tag = id, .kind = JOB_DNS};

    if (!dns->key)
        return -ENOKEY;
    job.dns = (struct job_dns){.direction = direction,
                               .server = dns->server,
                               .port = dns->port,
                               .zone = dns->zone,
                               .key_name = dns->key->name,
                               .key_algorithm = algorithm_name(dns->key->algorithm),
                               .key_secret = dns->key->secret,
                               .ttl_s = dns->ttl_s,
                               .keep_old = dns->keep_old,
                               .n_records = dns->n_records,
                               .timeout_ns = dns->timeout_ns,
                               .retries = dns->retries};
    for (size_t i = 0; i < dns->n_records; i++)
        job.dns.records[i] = (struct job_record){
            .name = dns->records[i].name, .address = dns->records[i].ip, .ptr = dns->records[i].ptr};
    return agent->ports->job(agent->userdata, &job);
}
