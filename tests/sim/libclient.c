/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/libclient.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/libworld.h"

static void ping(void *object, void *detail)
{
    struct sim_client *client = object;
    struct sim_clock *clock = &client->nic->segment->world->clock;
    struct sim_frame echo = {
        .kind = SIM_ECHO_REQUEST,
        .from = client->from,
        .to = client->to,
        .asker = SIM_ASKER_CLIENT,
        .token = {.sequence = ++client->sequence},
    };

    (void)detail;
    sim_host_send_echo(client->nic, &echo);
    sim_clock_at(clock, clock->now_ns + client->interval_ns, ping, client, NULL);
}

struct sim_client *sim_client_new(struct sim_nic *nic, const char *from, const char *to, nsec_t interval_ns)
{
    struct sim_client *client = sim_alloc(sizeof *client);
    struct sim_clock *clock = &nic->segment->world->clock;

    client->nic = nic;
    client->interval_ns = interval_ns;
    if (ip_address_parse(from, &client->from) < 0 || ip_address_parse(to, &client->to) < 0)
        abort();
    nic->host->client = client;
    sim_clock_at(clock, clock->now_ns, ping, client, NULL);
    return client;
}

void sim_client_receive(struct sim_client *client, const struct sim_frame *reply)
{
    unsigned number = reply->answerer->number;
    nsec_t now_ns = client->nic->segment->world->clock.now_ns;

    if (number >= SIM_ANSWERERS_MAX)
        return;
    client->answers[number]++;
    client->last_answer_ns[number] = now_ns;
    if (client->first_answer_ns[number] == NSEC_UNSET)
        client->first_answer_ns[number] = now_ns;
}

void sim_client_forget(struct sim_client *client)
{
    memset(client->answers, 0, sizeof client->answers);
    memset(client->first_answer_ns, 0, sizeof client->first_answer_ns);
    memset(client->last_answer_ns, 0, sizeof client->last_answer_ns);
}

uint64_t sim_client_answers(const struct sim_client *client, const struct sim_host *host)
{
    return client->answers[host->number];
}

nsec_t sim_client_first(const struct sim_client *client, const struct sim_host *host)
{
    return client->first_answer_ns[host->number];
}

nsec_t sim_client_last(const struct sim_client *client, const struct sim_host *host)
{
    return client->last_answer_ns[host->number];
}
