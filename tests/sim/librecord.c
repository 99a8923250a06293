/* SPDX-License-Identifier: Apache-2.0 */
/* What an agent did and said, and what it says of itself when asked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/libagent.h"
#include "tests/sim/libworld.h"

void sim_agent_note(struct sim_agent *agent, enum sim_deed_kind kind, const struct ip_address *ip, int ifindex)
{
    agent->deeds = sim_grow(agent->deeds, agent->n_deeds, sizeof *agent->deeds);
    agent->deeds[agent->n_deeds++] =
        (struct sim_deed){.kind = kind, .at_ns = agent->host->world->clock.now_ns, .ip = *ip, .ifindex = ifindex};
}

void sim_agent_hear(struct sim_agent *agent, int priority, const char *text)
{
    struct sim_world *world = agent->host->world;
    struct sim_line line = {.at_ns = world->clock.now_ns, .priority = priority, .text = strdup(text)};

    if (!line.text)
        abort();
    agent->lines = sim_grow(agent->lines, agent->n_lines, sizeof line);
    agent->lines[agent->n_lines++] = line;
    if (world->talks)
        fprintf(stderr, "%12.3f ms %s <%d> %s\n", (double)(line.at_ns - NSEC_PER_HOUR) / NSEC_PER_MSEC,
                agent->host->name, priority, text);
}

void sim_agent_keep_answer(void *cookie, char *answer)
{
    struct sim_agent *agent = cookie;
    json_t *object = answer ? json_loads(answer, 0, NULL) : NULL;
    const char *text;

    free(answer);
    if (!object)
        abort();
    agent->answers++;
    agent->answer_ok = json_is_true(json_object_get(object, "ok"));
    text = json_string_value(json_object_get(object, agent->answer_ok ? "message" : "error"));
    snprintf(agent->answer, sizeof agent->answer, "%s", text ? text : "");
    json_decref(object);
}

static void take_status(void *cookie, char *answer)
{
    json_t **status = cookie;

    *status = answer ? json_loads(answer, 0, NULL) : NULL;
    free(answer);
    if (!*status)
        abort();
}

/* The element of the list whose `key` is `name`; NULL. */
static const json_t *pick(const json_t *list, const char *key, const char *name)
{
    size_t i;
    json_t *element;

    json_array_foreach((json_t *)list, i, element)
    {
        const char *text = json_string_value(json_object_get(element, key));
        size_t length = strlen(name);

        if (text && strncmp(text, name, length) == 0 && (text[length] == '\0' || text[length] == '/'))
            return element;
    }
    return NULL;
}

/* One word of a source, of a NIC where `nic` is set, or of an address on it where `ip` is. */
static const char *read_status(struct sim_agent *agent, const char *source, const char *nic, const char *ip,
                               const char *key)
{
    static char text[512];
    json_t *request = json_pack("{s:s}", "command", "status"), *status = NULL;
    const json_t *found;

    agent_command(agent->agent, agent->host->world->clock.now_ns, request, take_status, &status);
    json_decref(request);
    found = json_object_get(json_object_get(status, "report"), "sources");
    found = pick(found, "name", source);
    if (nic)
        found = pick(json_object_get(found, "nics"), "name", nic);
    if (ip)
        found = pick(json_object_get(found, "addresses"), "ip", ip);
    if (!found)
        abort();
    snprintf(text, sizeof text, "%s",
             json_is_string(json_object_get(found, key)) ? json_string_value(json_object_get(found, key)) : "");
    json_decref(status);
    return text;
}

const char *sim_agent_state(struct sim_agent *agent, const char *source, const char *nic)
{
    return read_status(agent, source, nic, NULL, "state");
}

const char *sim_agent_reason(struct sim_agent *agent, const char *source, const char *nic)
{
    return read_status(agent, source, nic, NULL, "reason");
}

const char *sim_agent_service(struct sim_agent *agent, const char *source)
{
    return read_status(agent, source, NULL, NULL, "service");
}

const char *sim_agent_proof(struct sim_agent *agent, const char *source, const char *nic, const char *ip)
{
    return read_status(agent, source, nic, ip, "proof");
}

unsigned sim_agent_said(const struct sim_agent *agent, const char *text)
{
    unsigned n = 0;

    for (size_t i = 0; i < agent->n_lines; i++)
        n += strstr(agent->lines[i].text, text) != NULL;
    return n;
}

nsec_t sim_agent_said_ns(const struct sim_agent *agent, const char *text)
{
    for (size_t i = agent->n_lines; i-- > 0;)
        if (strstr(agent->lines[i].text, text))
            return agent->lines[i].at_ns;
    return NSEC_UNSET;
}

static bool matches(const struct sim_deed *deed, enum sim_deed_kind kind, const char *text)
{
    char ip[IP_ADDRESS_TEXT];

    return deed->kind == kind && (!text || strcmp(text, ip_address_format(&deed->ip, ip)) == 0);
}

unsigned sim_agent_did(const struct sim_agent *agent, enum sim_deed_kind kind, const char *ip)
{
    unsigned n = 0;

    for (size_t i = 0; i < agent->n_deeds; i++)
        n += matches(&agent->deeds[i], kind, ip);
    return n;
}

nsec_t sim_agent_did_ns(const struct sim_agent *agent, enum sim_deed_kind kind, const char *ip)
{
    for (size_t i = 0; i < agent->n_deeds; i++)
        if (matches(&agent->deeds[i], kind, ip))
            return agent->deeds[i].at_ns;
    return NSEC_UNSET;
}
