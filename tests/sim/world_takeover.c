/* SPDX-License-Identifier: Apache-2.0 */
/* A source is lost, and its addresses are taken over: when, where, and what the LAN sees. */
#include "tests/sim/libscene.h"

#include <errno.h>

#define FAST "defaults { interval 10ms; misses 3 }\n" SCENE_PLAIN

static void a_silent_crash(void **state)
{
    struct scene s;

    (void)state;
    scene_begin_plain(&s);
    assert_state(&s, "up");
    assert_true(sim_client_answers(s.pings, s.source) > 0);
    sim_host_set_alive(s.source, false);
    scene_run(&s, 2 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    assert_holds(&s, SCENE_IP);
    assert_holds(&s, SCENE_IP6);
    assert_string_equal(sim_agent_proof(s.agent, "web1", "eth0", SCENE_IP), "confirmed");
    /* Each copy is two frames: request form and reply form. */
    assert_true(sim_agent_did(s.agent, SIM_ANNOUNCE, SCENE_IP) >= 4);
    assert_true(sim_client_answers(s.pings, s.target) > 50);
    /* The first answer comes with the first ping after the takeover: the client's entry followed at once. */
    assert_in_range(sim_client_first(s.pings, s.target) - sim_agent_did_ns(s.agent, SIM_CLAIM, SCENE_IP), 1,
                    SCENE_PING_NS + NSEC_PER_MSEC);
    scene_end(&s);
}

/*
 * The last answered round may have been answered right before the crash, and the first missed one starts an interval
 * later: lost is between `misses` - 1 and `misses` intervals and the wait for the last round after the crash, and
 * claimed at once. The wait is a millisecond more than the round trip where no turn is late.
 */
static void lost_after_exactly_so_many_rounds(void **state)
{
    nsec_t shortest_ns = NSEC_NEVER, longest_ns = 0;

    (void)state;
    for (uint64_t seed = sim_seed(); seed < sim_seed() + 40; seed++) {
        struct scene s;
        nsec_t crash_ns, claim_ns;

        scene_begin_with(&s, seed);
        scene_watch(&s, FAST);
        scene_run(&s, (nsec_t)sim_random_below(&s.world->random, 10 * NSEC_PER_MSEC));
        crash_ns = scene_now(&s);
        sim_host_set_alive(s.source, false);
        scene_run(&s, 100 * NSEC_PER_MSEC);
        claim_ns = sim_agent_did_ns(s.agent, SIM_CLAIM, SCENE_IP);
        assert_int_equal(sim_agent_said_ns(s.agent, "verdict lost"), claim_ns);
        assert_int_equal(sim_agent_did_ns(s.agent, SIM_CLAIM, SCENE_IP6), claim_ns);
        shortest_ns = claim_ns - crash_ns < shortest_ns ? claim_ns - crash_ns : shortest_ns;
        longest_ns = claim_ns - crash_ns > longest_ns ? claim_ns - crash_ns : longest_ns;
        scene_end(&s);
    }
    print_message("# interval 10 ms, misses 3: claimed %.2f to %.2f ms after the crash\n",
                  (double)shortest_ns / NSEC_PER_MSEC, (double)longest_ns / NSEC_PER_MSEC);
    assert_in_range(shortest_ns, 21 * NSEC_PER_MSEC, 24 * NSEC_PER_MSEC);
    assert_in_range(longest_ns, 28 * NSEC_PER_MSEC, 31 * NSEC_PER_MSEC + 300 * NSEC_PER_USEC);
}

/* With ICMP alone the broadcasts of verify begin with the first miss, and are over before the last. */
static void icmp_alone_verifies_by_broadcasts(void **state)
{
    struct scene s;
    nsec_t crash_ns;

    (void)state;
    scene_begin(&s);
    scene_watch(&s, "source web1 { probe icmp; nic eth0 { 192.0.2.10/24 dev eth0 } }");
    crash_ns = scene_now(&s);
    sim_host_set_alive(s.source, false);
    scene_run(&s, 2 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    assert_in_range(sim_agent_did_ns(s.agent, SIM_CLAIM, SCENE_IP) - crash_ns, 800 * NSEC_PER_MSEC,
                    1020 * NSEC_PER_MSEC);
    scene_end(&s);
}

struct two_nics {
    struct scene scene;
    struct sim_segment *other_lan;
    struct sim_nic *source_nic, *target_nic, *router_nic;
};

#define TWO_NICS "source web1 { nic eth0 { 192.0.2.10/24 dev eth0 }\n nic eth1 { 198.51.100.10/24 dev eth1 } }"

static struct sim_nic *second_nic(struct two_nics *t, struct sim_host *host, const char *address)
{
    struct sim_nic *nic = sim_nic_new(host, "eth1", t->other_lan);

    sim_nic_add(nic, address);
    return nic;
}

static void two_nics_begin(struct two_nics *t, const char *ipmap)
{
    scene_begin(&t->scene);
    t->other_lan = sim_segment_new(t->scene.world);
    t->source_nic = second_nic(t, t->scene.source, "198.51.100.10/24");
    t->target_nic = second_nic(t, t->scene.target, "198.51.100.20/24");
    t->router_nic = second_nic(t, t->scene.gateway, "198.51.100.1/24");
    scene_watch(&t->scene, ipmap);
}

static void one_nic_of_two(void **state)
{
    struct two_nics t;

    (void)state;
    two_nics_begin(&t, "witness 192.0.2.1, 198.51.100.1\n" TWO_NICS);
    sim_nic_connect(t.source_nic, false);
    scene_run(&t.scene, 3 * NSEC_PER_SEC);
    assert_string_equal(sim_agent_state(t.scene.agent, "web1", "eth1"), "holding");
    assert_string_equal(sim_agent_state(t.scene.agent, "web1", "eth0"), "up");
    assert_holds(&t.scene, "198.51.100.10");
    assert_free(&t.scene, SCENE_IP);
    assert_int_equal(sim_client_answers(t.scene.pings, t.scene.target), 0);
    scene_end(&t.scene);
}

/* `on nic manual`: one NIC's loss asks a person; when the whole host goes, nobody is asked. */
static void the_loss_of_a_nic_and_of_the_host(void **state)
{
    struct two_nics t;

    (void)state;
    two_nics_begin(&t, "witness 192.0.2.1, 198.51.100.1\n"
                       "source web1 { on nic manual; on host automatic\n"
                       "nic eth0 { 192.0.2.10/24 dev eth0 }\n nic eth1 { 198.51.100.10/24 dev eth1 } }");
    sim_nic_connect(t.source_nic, false);
    scene_run(&t.scene, 3 * NSEC_PER_SEC);
    assert_string_equal(sim_agent_state(t.scene.agent, "web1", "eth1"), "awaiting");
    sim_host_set_alive(t.scene.source, false);
    scene_run(&t.scene, 3 * NSEC_PER_SEC);
    assert_string_equal(sim_agent_state(t.scene.agent, "web1", "eth0"), "holding");
    assert_string_equal(sim_agent_state(t.scene.agent, "web1", "eth1"), "holding");
    scene_end(&t.scene);
}

#define FALLBACK "witness 192.0.2.1\nsource web1 { nic eth0 { 192.0.2.10/24 dev eth0 or eth1 } }"

/* Two target NICs on one LAN. */
static struct sim_nic *fallback_nic(struct scene *s)
{
    struct sim_nic *nic = sim_nic_new(s->target, "eth1", s->lan);

    sim_nic_add(nic, "192.0.2.21/24");
    return nic;
}

static void the_fallback_nic_takes_it(void **state)
{
    struct scene s;
    struct sim_nic *second;

    (void)state;
    scene_begin(&s);
    second = fallback_nic(&s);
    scene_watch(&s, FALLBACK);
    sim_nic_connect(s.target_nic, false);
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_state(&s, "up"); /* watched by the other NIC now */
    sim_host_set_alive(s.source, false);
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    assert_ptr_equal(sim_host_find(s.target, &s.pings->to), second);
    assert_true(sim_client_answers(s.pings, s.target) > 0);
    scene_end(&s);
}

static void the_fallback_nic_takes_what_the_kernel_refuses(void **state)
{
    struct scene s;
    struct sim_nic *second;

    (void)state;
    scene_begin(&s);
    second = fallback_nic(&s);
    scene_watch(&s, FALLBACK);
    s.target_nic->refuse_claims = -ENOSPC;
    sim_host_set_alive(s.source, false);
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_int_equal(s.agent->deeds[0].ifindex, s.target_nic->ifindex);
    assert_state(&s, "holding");
    assert_int_equal(sim_agent_did(s.agent, SIM_CLAIM, SCENE_IP), 2);
    assert_ptr_equal(sim_host_find(s.target, &s.pings->to), second);
    assert_true(sim_client_answers(s.pings, s.target) > 0);
    scene_end(&s);
}

static void what_the_kernel_refuses_is_tried_again(void **state)
{
    struct scene s;

    (void)state;
    scene_begin_plain(&s);
    s.target_nic->refuse_claims = -ENOSPC;
    sim_host_set_alive(s.source, false);
    scene_run(&s, 10 * NSEC_PER_SEC);
    assert_state(&s, "blocked");
    assert_reason(&s, "No space left");
    assert_int_equal(sim_agent_did(s.agent, SIM_ANNOUNCE, NULL), 0);
    /* One try for each row of fresh misses, of both addresses. */
    assert_in_range(sim_agent_did(s.agent, SIM_CLAIM, NULL), 2 * 5, 2 * 12);
    s.target_nic->refuse_claims = 0;
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    scene_end(&s);
}

/* The kernel puts the address on, and its answer is lost for an error: what may be there is taken off again. */
static void claims_whose_answers_are_lost(void **state)
{
    struct scene s;

    (void)state;
    scene_begin_plain(&s);
    s.agent->unheard = ENOMEM;
    sim_host_set_alive(s.source, false);
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_state(&s, "blocked");
    s.agent->unheard = 0;
    sim_host_set_alive(s.source, true);
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_state(&s, "up");
    assert_free(&s, SCENE_IP);
    assert_free(&s, SCENE_IP6);
    assert_int_equal(sim_agent_said(s.agent, "by other means"), 0);
    sim_host_set_alive(s.source, false);
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    scene_end(&s);
}

/* The kernel takes it off, and its answer is lost for an error: it is not put on again over the source's head. */
static void releases_whose_answers_are_lost(void **state)
{
    struct scene s;
    unsigned claimed;

    (void)state;
    scene_begin_plain(&s);
    sim_host_set_alive(s.source, false);
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    claimed = sim_agent_did(s.agent, SIM_CLAIM, NULL);
    s.agent->unheard = ENOMEM;
    sim_agent_command(s.agent, "failback", "web1", NULL);
    scene_run(&s, NSEC_PER_SEC);
    s.agent->unheard = 0;
    scene_run(&s, 10 * NSEC_PER_SEC);
    assert_state(&s, "disarmed");
    assert_free(&s, SCENE_IP);
    assert_int_equal(sim_agent_did(s.agent, SIM_CLAIM, NULL), claimed);
    scene_end(&s);
}

static void slow_netlink(void **state)
{
    struct scene s;
    nsec_t claim_ns;

    (void)state;
    scene_begin(&s);
    scene_watch(&s, FAST);
    s.agent->claim_delay_ns = 500 * NSEC_PER_MSEC;
    sim_host_set_alive(s.source, false);
    scene_run(&s, 300 * NSEC_PER_MSEC);
    assert_state(&s, "claiming");
    assert_int_equal(sim_agent_did(s.agent, SIM_ANNOUNCE, NULL), 0);
    claim_ns = sim_agent_did_ns(s.agent, SIM_CLAIM, SCENE_IP);
    scene_run(&s, NSEC_PER_SEC);
    assert_state(&s, "holding");
    assert_int_equal(sim_agent_did_ns(s.agent, SIM_ANNOUNCE, SCENE_IP), claim_ns + 500 * NSEC_PER_MSEC);
    assert_int_equal(sim_agent_did(s.agent, SIM_CLAIM, NULL), 2);
    scene_end(&s);
}

/* The source comes back while the kernel is still at it: what was decided stands, and shows. */
static void a_source_that_returns_during_a_slow_claim(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_watch(&s, FAST);
    s.agent->claim_delay_ns = 500 * NSEC_PER_MSEC;
    sim_host_set_alive(s.source, false);
    scene_run(&s, 100 * NSEC_PER_MSEC);
    sim_host_set_alive(s.source, true);
    scene_run(&s, 2 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    sim_agent_command(s.agent, "failback", "web1", NULL);
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_state(&s, "up");
    assert_true(s.agent->answer_ok);
    scene_end(&s);
}

/* A client that refuses gratuitous ARP is reached all the same: it is known, so it is asked. */
static void a_client_that_refuses_announcements(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    s.gateway->refuses_gratuitous = true;
    scene_watch(&s, FAST);
    sim_host_set_alive(s.source, false);
    scene_run(&s, 2 * NSEC_PER_SEC);
    assert_string_equal(sim_agent_proof(s.agent, "web1", "eth0", SCENE_IP), "confirmed");
    scene_end(&s);
}

static void receivers_with_a_lock_time(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    s.client->locks_gratuitous = true;
    scene_watch(&s, FAST);
    /* Their entry was just proved: the first announcement falls into its lock time, a later one does not. */
    s.client_nic->n_neighbours = 0;
    scene_run(&s, 20 * NSEC_PER_MSEC);
    sim_host_set_alive(s.source, false);
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_in_range(sim_client_first(s.pings, s.target) - sim_agent_did_ns(s.agent, SIM_CLAIM, SCENE_IP),
                    500 * NSEC_PER_MSEC, 1200 * NSEC_PER_MSEC);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_crash),
        cmocka_unit_test(lost_after_exactly_so_many_rounds),
        cmocka_unit_test(icmp_alone_verifies_by_broadcasts),
        cmocka_unit_test(one_nic_of_two),
        cmocka_unit_test(the_loss_of_a_nic_and_of_the_host),
        cmocka_unit_test(the_fallback_nic_takes_it),
        cmocka_unit_test(the_fallback_nic_takes_what_the_kernel_refuses),
        cmocka_unit_test(what_the_kernel_refuses_is_tried_again),
        cmocka_unit_test(claims_whose_answers_are_lost),
        cmocka_unit_test(releases_whose_answers_are_lost),
        cmocka_unit_test(slow_netlink),
        cmocka_unit_test(a_source_that_returns_during_a_slow_claim),
        cmocka_unit_test(a_client_that_refuses_announcements),
        cmocka_unit_test(receivers_with_a_lock_time),
    };

    return scene_tell(tests);
}
