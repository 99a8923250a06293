/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small LAN that most stories play on, with IPv4 and IPv6: a gateway (.1), a source web1 (.10), a target (.20) and
 * a client (.30) that pings the source's address each 10 ms. Comes after cmocka.h and what that needs.
 */
#pragma once

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/libagent.h"
#include "tests/sim/libclient.h"
#include "tests/sim/libworld.h"

#define SCENE_IP "192.0.2.10"
#define SCENE_IP6 "2001:db8::10"
#define SCENE_PING_NS (10 * NSEC_PER_MSEC)

/* The plainest file: interval 200 ms, 5 misses, the gateway as its witness. */
#define SCENE_PLAIN "source web1 { nic eth0 { 192.0.2.10/24 dev eth0; 2001:db8::10/64 dev eth0 } }\n"

struct scene {
    struct sim_world *world;
    struct sim_segment *lan;
    struct sim_host *gateway, *source, *target, *client;
    struct sim_nic *gateway_nic, *source_nic, *target_nic, *client_nic;
    struct sim_agent *agent;  /* on the target; after scene_watch */
    struct sim_client *pings; /* the same */
};

static inline struct sim_host *scene_host(struct scene *scene, const char *name, const char *last, struct sim_nic **ret)
{
    struct sim_host *host = sim_host_new(scene->world, name);
    char text[IP_ADDRESS_TEXT];

    *ret = sim_nic_new(host, "eth0", scene->lan);
    snprintf(text, sizeof text, "192.0.2.%s/24", last);
    sim_nic_add(*ret, text);
    snprintf(text, sizeof text, "2001:db8::%s/64", last);
    sim_nic_add(*ret, text);
    return host;
}

/* Runs the stories; ONLY=name* of the environment: those alone. */
#define scene_tell(tests) (cmocka_set_test_filter(getenv("ONLY")), cmocka_run_group_tests(tests, NULL, NULL))

/* The LAN, without an agent yet. The target's default route leads to the gateway. */
static inline void scene_begin_with(struct scene *scene, uint64_t seed)
{
    *scene = (struct scene){.world = sim_world_new(seed)};
    scene->lan = sim_segment_new(scene->world);
    scene->gateway = scene_host(scene, "gateway", "1", &scene->gateway_nic);
    scene->source = scene_host(scene, "source", "10", &scene->source_nic);
    scene->target = scene_host(scene, "target", "20", &scene->target_nic);
    scene->client = scene_host(scene, "client", "30", &scene->client_nic);
    assert_int_equal(ip_address_parse("192.0.2.1", &scene->target->gateways[0]), 0);
}

static inline void scene_begin(struct scene *scene)
{
    scene_begin_with(scene, sim_seed());
}

/* Fails where an invariant was broken so far. */
static inline void scene_check(const struct scene *scene)
{
    if (scene->world->n_violations > 0)
        fail_msg("%s (seed %" PRIu64 ")", scene->world->violation, scene->world->seed);
}

/* Lets time pass. */
static inline void scene_run(struct scene *scene, nsec_t for_ns)
{
    sim_run(scene->world, for_ns);
    scene_check(scene);
}

/* Starts the agent and the client, and lets them watch for some seconds. */
static inline void scene_watch(struct scene *scene, const char *ipmap)
{
    scene->agent = sim_agent_start(scene->target, ipmap);
    scene->pings = sim_client_new(scene->client_nic, "192.0.2.30", SCENE_IP, SCENE_PING_NS);
    scene_run(scene, 3 * NSEC_PER_SEC);
}

static inline void scene_end(struct scene *scene)
{
    scene_check(scene);
    sim_world_free(scene->world);
}

static inline nsec_t scene_now(const struct scene *scene)
{
    return scene->world->clock.now_ns;
}

/* A story of the plain file, told up to the moment when all is well. */
static inline void scene_begin_plain(struct scene *scene)
{
    scene_begin(scene);
    scene_watch(scene, SCENE_PLAIN);
}

#define assert_state(scene, want) assert_string_equal(sim_agent_state((scene)->agent, "web1", "eth0"), want)
#define assert_reason(scene, part) assert_non_null(strstr(sim_agent_reason((scene)->agent, "web1", "eth0"), part))
#define assert_holds(scene, ip) assert_true(sim_host_holds((scene)->target, ip))
#define assert_free(scene, ip) assert_false(sim_host_holds((scene)->target, ip))

/* The story up to the moment when the source has crashed, and all is held and proved. */
static inline void scene_hold(struct scene *scene, const char *ipmap)
{
    scene_watch(scene, ipmap);
    sim_host_set_alive(scene->source, false);
    scene_run(scene, 3 * NSEC_PER_SEC);
    assert_state(scene, "holding");
    sim_client_forget(scene->pings);
}
