/* SPDX-License-Identifier: Apache-2.0 */
/* What is proof of life, and what is none: late, repeated, forged and lost replies; somebody else's. */
#include "tests/sim/libscene.h"

#define FAST "defaults { interval 10ms; misses 3 }\n" SCENE_PLAIN
/* Lost at most so long after a crash. */
#define FAST_LOST_NS (40 * NSEC_PER_MSEC + 500 * NSEC_PER_USEC)

/* Each reply comes three rounds late: every round is missed, and every reply is proof of life. */
static void late_replies(void **state)
{
    struct scene s;

    (void)state;
    scene_begin_plain(&s);
    sim_nic_set_faults(s.source_nic, &(struct sim_faults){.delay_ns = 350 * NSEC_PER_MSEC});
    scene_run(&s, NSEC_PER_MIN);
    assert_int_equal(s.agent->n_deeds, 0);
    assert_true(sim_agent_said(s.agent, "late, was up") > 0);
    sim_nic_set_faults(s.source_nic, &(struct sim_faults){0});
    scene_run(&s, 2 * NSEC_PER_SEC);
    assert_state(&s, "up");
    scene_end(&s);
}

/* One miss is enough, and the way to the source has just become a thousand times longer: it is there all the same. */
static void slower_replies(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_watch(&s,
                "source web1 { interval 100ms; misses 1; verify 1 within 80ms; nic eth0 { 192.0.2.10/24 dev eth0 } }");
    sim_nic_set_faults(s.source_nic, &(struct sim_faults){.delay_ns = 30 * NSEC_PER_MSEC});
    scene_run(&s, NSEC_PER_MIN);
    assert_int_equal(s.agent->n_deeds, 0);
    assert_state(&s, "up");
    sim_host_set_alive(s.source, false);
    scene_run(&s, NSEC_PER_SEC);
    assert_state(&s, "holding");
    scene_end(&s);
}

/*
 * Copies of old echo replies are no life: the crash is found as fast as without them. (An ARP reply carries no token:
 * its copy passes for an answer to the newest round, and delays the verdict by as much as it is late.)
 */
static void duplicates(void **state)
{
    const struct sim_faults twice = {.duplicate_ppm = 1000000, .duplicate_after_ns = 25 * NSEC_PER_MSEC};

    (void)state;
    for (uint64_t seed = sim_seed(); seed < sim_seed() + 20; seed++) {
        struct scene s;
        nsec_t crash_ns;

        scene_begin_with(&s, seed);
        sim_nic_set_faults(s.target_nic, &twice);
        scene_watch(&s, "source web1 { interval 10ms; misses 3; probe icmp; nic eth0 { 192.0.2.10/24 dev eth0 } }");
        assert_state(&s, "up");
        crash_ns = scene_now(&s);
        sim_host_set_alive(s.source, false);
        scene_run(&s, NSEC_PER_SEC);
        assert_state(&s, "holding");
        assert_in_range(sim_agent_said_ns(s.agent, "verdict lost") - crash_ns, 1, FAST_LOST_NS);
        scene_end(&s);
    }
}

/* A stranger on the LAN sends echo replies of the dead source, with every identifier right but the nonce. */
static void wrong_tokens(void **state)
{
    struct scene s;
    nsec_t crash_ns;

    (void)state;
    scene_begin(&s);
    scene_watch(&s, FAST);
    crash_ns = scene_now(&s);
    sim_host_set_alive(s.source, false);
    for (uint32_t i = 0; i < 1000; i++) {
        struct sim_frame forged = {
            .kind = SIM_ECHO_REPLY,
            .source = s.client_nic->mac,
            .target = s.target_nic->mac,
            .from = s.pings->to,
            .to = s.target_nic->addresses[0].ip,
            .asker = SIM_ASKER_AGENT,
            .token = {.id = 0, .sequence = 290 + i / 10, .nonce = i},
            .answerer = s.client,
        };

        sim_nic_send(s.client_nic, &forged);
        scene_run(&s, 100 * NSEC_PER_USEC);
    }
    assert_state(&s, "holding");
    assert_in_range(sim_agent_did_ns(s.agent, SIM_CLAIM, SCENE_IP) - crash_ns, 1, FAST_LOST_NS);
    scene_end(&s);
}

/* Nor do forged replies for our own witness make an isolated agent claim. */
static void wrong_tokens_of_the_witness(void **state)
{
    struct scene s;
    struct sim_frame forged;

    (void)state;
    scene_begin_plain(&s);
    sim_host_set_alive(s.gateway, false);
    sim_host_set_alive(s.source, false);
    forged = (struct sim_frame){
        .kind = SIM_ECHO_REPLY,
        .source = s.client_nic->mac,
        .target = s.target_nic->mac,
        .from = s.gateway_nic->addresses[0].ip,
        .to = s.target_nic->addresses[0].ip,
        .asker = SIM_ASKER_AGENT,
        .token = {.id = 0x40000000, .sequence = 1},
        .answerer = s.client,
    };
    for (uint32_t i = 0; i < 1000; i++) {
        forged.token.sequence = 1 + i % 20;
        sim_nic_send(s.client_nic, &forged);
        scene_run(&s, 10 * NSEC_PER_MSEC);
    }
    assert_state(&s, "blocked");
    assert_reason(&s, "no witness answered");
    scene_end(&s);
}

/* A squatter that answers ARP for the dead source's address. */
static struct sim_nic *squatter_begin(struct scene *s)
{
    struct sim_nic *nic;
    struct sim_host *squatter = scene_host(s, "squatter", "40", &nic);

    squatter->ignores_echo = true;
    return nic;
}

/* Whoever answers, the address is in use: it is refused with the MAC that answered. */
static void a_foreign_answer_to_the_broadcasts(void **state)
{
    struct scene s;
    struct sim_nic *nic;
    char mac[MAC_ADDRESS_TEXT];

    (void)state;
    scene_begin(&s);
    nic = squatter_begin(&s);
    scene_watch(&s, "source web1 { probe icmp; nic eth0 { 192.0.2.10/24 dev eth0 } }");
    sim_host_set_alive(s.source, false);
    sim_nic_add(nic, "192.0.2.10/24");
    scene_run(&s, 20 * NSEC_PER_SEC);
    assert_state(&s, "blocked");
    assert_reason(&s, mac_address_format(&nic->mac, mac));
    assert_int_equal(s.agent->n_deeds, 0);
    sim_nic_remove(nic, "192.0.2.10/24");
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    scene_end(&s);
}

/* One address of two is squatted: the other is taken over, and this one is not. */
static void a_foreign_answer_for_one_address(void **state)
{
    struct scene s;
    struct sim_nic *nic;

    (void)state;
    scene_begin(&s);
    nic = squatter_begin(&s);
    sim_nic_add(s.source_nic, "192.0.2.11/24");
    scene_watch(&s, "source web1 { probe icmp; nic eth0 { 192.0.2.10/24 dev eth0; 192.0.2.11/24 dev eth0 } }");
    sim_host_set_alive(s.source, false);
    sim_nic_add(nic, "192.0.2.11/24");
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    assert_holds(&s, SCENE_IP);
    assert_free(&s, "192.0.2.11");
    scene_end(&s);
}

/* With ARP probed, a foreign answer is life like any other: nothing is claimed from whoever has the address now. */
static void another_host_takes_the_address(void **state)
{
    struct scene s;
    struct sim_nic *nic;

    (void)state;
    scene_begin(&s);
    nic = squatter_begin(&s);
    scene_watch(&s, "source web1 { nic eth0 { 192.0.2.10/24 dev eth0 } }");
    sim_host_set_alive(s.source, false);
    sim_nic_add(nic, "192.0.2.10/24");
    scene_run(&s, 10 * NSEC_PER_SEC);
    assert_state(&s, "up");
    /* The first miss is asked by broadcast, which the new host answers: it does not even come to a verdict. */
    assert_int_equal(sim_agent_said(s.agent, "verdict lost"), 0);
    assert_int_equal(s.agent->n_deeds, 0);
    scene_end(&s);
}

/*
 * Every third frame of the source is lost, for an hour, with misses 8. A round is missed when both of its kinds are:
 * 0.3 squared. So there should be some 1620 misses in 18000 rounds, 1480 of them the first of a row, and 1480 x 0.09^7
 * = 0.00007 rows of eight: none.
 */
static void thirty_percent_loss(void **state)
{
    struct scene s;
    unsigned rows;

    (void)state;
    scene_begin(&s);
    scene_watch(&s, "defaults { misses 8 }\nsource web1 { nic eth0 { 192.0.2.10/24 dev eth0 } }");
    sim_nic_set_faults(s.source_nic, &(struct sim_faults){.loss_out_ppm = 300000});
    scene_run(&s, NSEC_PER_HOUR);
    rows = sim_agent_said(s.agent, "late, was up");
    print_message("# 30 %% loss, misses 8, an hour at 200 ms: %u rows of misses, of 1480 expected\n", rows);
    assert_in_range(rows, 1200, 1800);
    assert_int_equal(sim_agent_said(s.agent, "verdict lost"), 0);
    assert_int_equal(s.agent->n_deeds, 0);
    scene_end(&s);
}

/* The odds are what they are said to be: with misses 2, a row becomes a verdict in 9 of 100 cases. */
static void the_odds_of_loss(void **state)
{
    struct scene s;
    unsigned rows, verdicts;

    (void)state;
    scene_begin(&s);
    scene_watch(&s, "defaults { misses 2 }\nsource web1 { takeover notify; nic eth0 { 192.0.2.10/24 dev eth0 } }");
    sim_nic_set_faults(s.source_nic, &(struct sim_faults){.loss_out_ppm = 300000});
    scene_run(&s, NSEC_PER_HOUR);
    rows = sim_agent_said(s.agent, "late, was up");
    verdicts = sim_agent_said(s.agent, "eth0: lost");
    print_message("# misses 2: %u of %u rows were verdicts\n", verdicts, rows);
    assert_in_range(verdicts * 1000 / rows, 65, 115);
    scene_end(&s);
}

/* The source keeps an address that is not monitored, and answers for it more slowly than it did for the other one. */
static void an_unmonitored_address_that_lives(void **state)
{
    (void)state;
    for (uint64_t seed = sim_seed(); seed < sim_seed() + 20; seed++) {
        struct scene s;

        scene_begin_with(&s, seed);
        sim_nic_add(s.source_nic, "192.0.2.11/24");
        scene_watch(&s, "source web1 { interval 20ms; misses 3; nic eth0 {\n"
                        "192.0.2.10/24 dev eth0; 192.0.2.11/24 dev eth0 { monitor no } } }");
        sim_nic_set_faults(s.source_nic, &(struct sim_faults){.delay_ns = 2 * NSEC_PER_MSEC});
        sim_nic_remove(s.source_nic, "192.0.2.10/24");
        scene_run(&s, 10 * NSEC_PER_SEC);
        assert_state(&s, "blocked");
        assert_int_equal(s.agent->n_deeds, 0);
        sim_host_set_alive(s.source, false);
        scene_run(&s, NSEC_PER_SEC);
        assert_holds(&s, SCENE_IP);
        assert_holds(&s, "192.0.2.11");
        scene_end(&s);
    }
}

/* Verdicts of some hours at 10 ms with 1 % loss each way, by one kind of probe. */
static unsigned verdicts_of(const char *misses, unsigned hours)
{
    struct scene s;
    char file[256];
    unsigned verdicts;

    snprintf(file, sizeof file,
             "defaults { interval 10ms; misses %s; probe arp; takeover notify }\n"
             "source web1 { nic eth0 { " SCENE_IP "/24 dev eth0 } }\n",
             misses);
    scene_begin(&s);
    scene_watch(&s, file);
    sim_nic_set_faults(s.source_nic, &(struct sim_faults){.loss_in_ppm = 10000, .loss_out_ppm = 10000});
    scene_run(&s, hours * NSEC_PER_HOUR);
    verdicts = sim_agent_said(s.agent, "verdict lost");
    assert_int_equal(s.agent->n_deeds, 0);
    scene_end(&s);
    return verdicts;
}

/*
 * The table of odds in ipmap.conf(5): a round is lost with p = 1 - 0.99^2 = 0.0199. Of 360,000 rounds an hour p^2 make
 * 142 verdicts with misses 2, p^3 some 2.8 with misses 3, and p^5 0.001 with misses 5.
 */
static void one_percent_each_way(void **state)
{
    unsigned two = verdicts_of("2", 1), three = verdicts_of("3", 4), five = verdicts_of("5", 4);

    (void)state;
    print_message("# 1 %% each way: misses 2: %u verdicts of 142; 3: %u of 11; 5: %u of 0.005\n", two, three, five);
    assert_in_range(two, 100, 185);
    assert_in_range(three, 2, 26);
    assert_int_equal(five, 0);
}

/* Its answers take longer than they ever did: what rounds found lost is claimed, and nothing that it still has. */
static void an_unmonitored_address_that_answers_late(void **state)
{
    (void)state;
    for (uint64_t seed = sim_seed(); seed < sim_seed() + 20; seed++) {
        struct scene s;

        scene_begin_with(&s, seed);
        sim_nic_add(s.source_nic, "192.0.2.11/24");
        scene_watch(&s, "source web1 { interval 20ms; misses 3; verify 10 within 200ms; nic eth0 {\n"
                        "192.0.2.10/24 dev eth0; 192.0.2.11/24 dev eth0 { monitor no } } }");
        sim_nic_set_faults(s.source_nic, &(struct sim_faults){.delay_ns = 50 * NSEC_PER_MSEC});
        sim_nic_remove(s.source_nic, SCENE_IP);
        scene_run(&s, 10 * NSEC_PER_SEC);
        assert_state(&s, "holding");
        assert_holds(&s, SCENE_IP);
        assert_false(sim_host_holds(s.target, "192.0.2.11"));
        scene_end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_replies),
        cmocka_unit_test(slower_replies),
        cmocka_unit_test(duplicates),
        cmocka_unit_test(wrong_tokens),
        cmocka_unit_test(wrong_tokens_of_the_witness),
        cmocka_unit_test(a_foreign_answer_to_the_broadcasts),
        cmocka_unit_test(a_foreign_answer_for_one_address),
        cmocka_unit_test(another_host_takes_the_address),
        cmocka_unit_test(thirty_percent_loss),
        cmocka_unit_test(the_odds_of_loss),
        cmocka_unit_test(an_unmonitored_address_that_lives),
        cmocka_unit_test(an_unmonitored_address_that_answers_late),
        cmocka_unit_test(one_percent_each_way),
    };

    return scene_tell(tests);
}
