/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services in the model: connections, commands, URLs, units and names are asked for, and answered after a while as the
 * story wants it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/libagent.h"
#include "tests/sim/libworld.h"

#define TAKE_NS (1 * NSEC_PER_MSEC)

/* An answer on its way. */
struct coming {
    struct sim_arrival arrival;
    unsigned incarnation;
    bool fences; /* the host that is fenced ends with it */
};

__attribute__((format(printf, 2, 3))) static void note(struct sim_agent *agent, const char *format, ...)
{
    char *log = agent->services.log;
    size_t used = strlen(log);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(log + used, sizeof agent->services.log - used, format, arguments);
    va_end(arguments);
}

static void arrive(void *object, void *detail)
{
    struct sim_agent *agent = object;
    const struct coming *coming = detail;

    if (coming->fences && agent->services.fenced)
        sim_host_set_alive(agent->services.fenced, false);
    if (coming->incarnation != agent->incarnation)
        return;
    sim_queue_put(&agent->others, &coming->arrival);
    sim_agent_wake(agent);
}

static void answer_later(struct sim_agent *agent, const struct sim_arrival *arrival, bool fences)
{
    struct sim_clock *clock = &agent->host->world->clock;
    struct coming *coming = sim_alloc(sizeof *coming);

    *coming = (struct coming){.arrival = *arrival, .incarnation = agent->incarnation, .fences = fences};
    sim_clock_at(clock, clock->now_ns + (agent->services.take_ns ? agent->services.take_ns : TAKE_NS), arrive, agent,
                 coming);
}

static bool fails(const struct sim_agent *agent, const char *what)
{
    return agent->services.failing && strstr(what, agent->services.failing);
}

/* Some host that is alive has the address. */
static bool is_there(struct sim_agent *agent, const struct ip_address *ip)
{
    const struct sim_world *world = agent->host->world;

    for (size_t i = 0; i < world->n_hosts; i++)
        if (world->hosts[i]->alive && sim_host_find(world->hosts[i], ip))
            return true;
    return false;
}

int sim_port_tcp(void *userdata, uint32_t check, const struct tcp_request *request)
{
    struct sim_agent *agent = userdata;
    struct sim_arrival arrival = {.kind = SIM_ARRIVED_TCP, .id = check};

    sim_judge_pace(agent);
    if (agent->services.unable) {
        agent_on_tcp(agent->agent, agent->host->world->clock.now_ns, check, TCP_UNABLE, -EMFILE, 0);
        return 0;
    }
    if (agent->services.refuses || !is_there(agent, &request->to)) {
        arrival.outcome = TCP_REFUSED;
        arrival.error = -ECONNREFUSED;
    }
    answer_later(agent, &arrival, false);
    return 0;
}

void sim_port_tcp_cancel(void *userdata, uint32_t check)
{
    (void)userdata;
    (void)check;
}

/* What follows NAME= in the environment of a command; "". */
static const char *env_of(const struct job_run *run, const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; run->env[i]; i++)
        if (strncmp(run->env[i], name, length) == 0 && run->env[i][length] == '=')
            return run->env[i] + length + 1;
    return "";
}

static const char *direction_name(enum job_dns_direction direction)
{
    switch (direction) {
    case JOB_DNS_CLAIM:
        return "claim";
    case JOB_DNS_RESTORE:
        return "restore";
    case JOB_DNS_LOOK:
        return "look";
    }
    return "";
}

int sim_port_job(void *userdata, struct job_request *request)
{
    struct sim_agent *agent = userdata;
    struct sim_arrival arrival = {.kind = SIM_ARRIVED_JOB,
                                  .answer = {.tag = request->tag, .took_ns = NSEC_PER_MSEC, .text = ""}};
    struct job_answer *answer = &arrival.answer;
    bool fences = false;

    sim_judge_pace(agent);
    switch (request->kind) {
    case JOB_RUN:
        if (!request->run.check)
            note(agent, "run %s %s %s\n", request->run.argv[0], env_of(&request->run, "STANDIN_POINT"),
                 env_of(&request->run, "STANDIN_CAUSE"));
        answer->outcome = JOB_EXITED;
        answer->status = fails(agent, request->run.argv[0]) || (request->run.check && agent->services.refuses);
        if (answer->status != 0 && agent->services.says)
            answer->text = agent->services.says;
        fences = answer->status == 0 && strstr(request->run.argv[0], "fence");
        break;
    case JOB_URL:
        answer->outcome = agent->services.refuses || fails(agent, request->url.url) ? JOB_MISSED : JOB_PASSED;
        break;
    case JOB_DNS:
        note(agent, "dns %s %s\n", direction_name(request->dns.direction), request->dns.records[0].name);
        answer->outcome = fails(agent, request->dns.records[0].name) ? JOB_MISSED : JOB_PASSED;
        break;
    case JOB_KILL:
        return 0;
    }
    if (agent->services.unable)
        answer->outcome = JOB_UNABLE;
    answer_later(agent, &arrival, fences);
    return 0;
}

void sim_port_job_cancel(void *userdata, uint64_t tag)
{
    (void)userdata;
    (void)tag;
}

int sim_port_unit(void *userdata, uint64_t id, enum units_operation operation, const char *name, nsec_t timeout_ns)
{
    struct sim_agent *agent = userdata;
    struct sim_arrival arrival = {.kind = SIM_ARRIVED_UNIT, .id = id};

    (void)timeout_ns;
    note(agent, "%s %s\n", operation == UNITS_START ? "start" : "stop", name);
    arrival.answer.text = "";
    if (fails(agent, name)) {
        arrival.error = -EREMOTEIO;
        arrival.answer.text = agent->services.says ? agent->services.says : "";
    }
    answer_later(agent, &arrival, false);
    return 0;
}

void sim_port_flag(void *userdata, const char *source, bool held)
{
    note(userdata, "flag %s %s\n", source, held ? "on" : "off");
}
