/* SPDX-License-Identifier: Apache-2.0 */
/* Files that take effect while things are under way: what they do not change goes on as if nothing had happened. */
#include "tests/sim/libscene.h"

#define FAST "defaults { interval 10ms; misses 3 }\n"
#define WEB1 "source web1 { nic eth0 { 192.0.2.10/24 dev eth0; 2001:db8::10/64 dev eth0 } }\n"
/* Sources beside it, which give its addresses other numbers. */
#define BEFORE "source web0 { nic eth0 { 192.0.2.13/24 dev eth0; 192.0.2.14/24 dev eth0 } }\n"
#define OTHER_NIC "source web2 { nic eth0 { 192.0.2.15/24 dev eth1 } }\n"

static const char *const files[] = {FAST WEB1, FAST BEFORE WEB1, FAST OTHER_NIC WEB1 BEFORE, FAST WEB1 OTHER_NIC};

enum storm {
    STILL,    /* no reload at all */
    THE_SAME, /* one file, again and again */
    ANOTHER,  /* one of the files above */
};

/* Time goes by in a storm of reloads, each 4 ms. */
static void weather(struct scene *s, enum storm storm, nsec_t for_ns)
{
    nsec_t end_ns = scene_now(s) + for_ns;

    while (scene_now(s) < end_ns) {
        if (storm != STILL)
            sim_agent_reload(s->agent, files[storm == ANOTHER ? sim_random_below(&s->world->random, 4) : 0]);
        scene_run(s, 4 * NSEC_PER_MSEC);
    }
}

/* What a takeover looks like from outside. */
struct course {
    nsec_t claimed_ns;  /* after the crash */
    unsigned announced; /* in ten seconds from the crash on */
    unsigned renewals;
    uint64_t answers; /* to the client */
};

static struct course crash_in(enum storm storm, uint64_t seed)
{
    struct course course;
    nsec_t crashed_ns;
    struct scene s;

    scene_begin_with(&s, seed);
    scene_watch(&s, files[0]);
    weather(&s, storm, 1000 * NSEC_PER_MSEC + (nsec_t)(seed % 5) * 4 * NSEC_PER_MSEC);
    assert_state(&s, "up");
    assert_int_equal(sim_agent_said(s.agent, "late"), 0);
    crashed_ns = scene_now(&s);
    sim_host_set_alive(s.source, false);
    sim_client_forget(s.pings);
    weather(&s, storm, 10 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    assert_string_equal(sim_agent_proof(s.agent, "web1", "eth0", SCENE_IP), "confirmed");
    assert_int_equal(sim_agent_did(s.agent, SIM_CLAIM, NULL), 2);
    assert_int_equal(sim_agent_did(s.agent, SIM_RELEASE, NULL), 0);
    course = (struct course){.claimed_ns = sim_agent_did_ns(s.agent, SIM_CLAIM, SCENE_IP) - crashed_ns,
                             .announced = sim_agent_did(s.agent, SIM_ANNOUNCE, NULL),
                             .renewals = s.agent->renewals,
                             .answers = sim_client_answers(s.pings, s.target)};
    scene_end(&s);
    return course;
}

static void a_storm_makes_no_difference(void **state)
{
    (void)state;
    for (uint64_t seed = sim_seed(); seed < sim_seed() + 20; seed++) {
        struct course still = crash_in(STILL, seed), same = crash_in(THE_SAME, seed), other = crash_in(ANOTHER, seed);

        assert_int_equal(same.claimed_ns, still.claimed_ns);
        assert_true(llabs(other.claimed_ns - still.claimed_ns) <= 10 * NSEC_PER_MSEC);
        assert_int_equal(same.announced, still.announced);
        assert_int_equal(other.announced, still.announced);
        assert_true(same.renewals <= still.renewals + 2 && other.renewals <= still.renewals + 2);
        assert_int_equal(same.answers, still.answers);
        assert_true(other.answers + 2 >= still.answers);
    }
}

/* The same with settings that a reload does change, each time: the pace of another source, the lease of this one. */
static void a_storm_of_changes_elsewhere(void **state)
{
    struct scene s;
    char file[512];

    (void)state;
    scene_begin(&s);
    scene_watch(&s, files[0]);
    for (unsigned i = 0; i < 500; i++) {
        snprintf(file, sizeof file, FAST "source web0 { interval %ums; nic eth0 { 192.0.2.13/24 dev eth0 } }\n" WEB1,
                 10 + i % 7);
        sim_agent_reload(s.agent, file);
        scene_run(&s, 4 * NSEC_PER_MSEC);
    }
    assert_state(&s, "up");
    assert_int_equal(sim_agent_said(s.agent, "late"), 0);
    scene_end(&s);
}

static void hold(struct scene *s, const char *file)
{
    scene_watch(s, file);
    sim_host_set_alive(s->source, false);
    scene_run(s, 3 * NSEC_PER_SEC);
    assert_state(s, "holding");
}

static void come_back(struct scene *s)
{
    sim_host_set_alive(s->source, true);
    scene_run(s, 3 * NSEC_PER_SEC);
}

/* It goes off, and where the source is there again, the LAN is told of it. */
static void a_held_source_leaves_the_file(void **state)
{
    (void)state;
    for (int back = 0; back < 2; back++) {
        struct scene s;

        scene_begin(&s);
        hold(&s, FAST WEB1 BEFORE);
        if (back)
            come_back(&s);
        sim_client_forget(s.pings);
        sim_agent_reload(s.agent, FAST BEFORE);
        assert_int_equal(sim_agent_said(s.agent, "releasing 192.0.2.10 from eth0: it is no longer in the file"), 1);
        scene_run(&s, NSEC_PER_SEC);
        assert_free(&s, SCENE_IP);
        assert_free(&s, SCENE_IP6);
        assert_int_equal(sim_agent_did(s.agent, SIM_ANNOUNCE_SOURCE, SCENE_IP) > 0, back);
        assert_int_equal(sim_agent_did(s.agent, SIM_ANNOUNCE_SOURCE, SCENE_IP6) > 0, back);
        if (back)
            assert_true(sim_client_answers(s.pings, s.source) >= 98);
        scene_end(&s);
    }
}

static void one_address_leaves_the_file(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    hold(&s, FAST WEB1);
    sim_agent_reload(s.agent, FAST "source web1 { nic eth0 { 2001:db8::10/64 dev eth0 } }");
    scene_run(&s, NSEC_PER_SEC);
    assert_free(&s, SCENE_IP);
    assert_holds(&s, SCENE_IP6);
    assert_state(&s, "holding");
    assert_int_equal(sim_agent_did(s.agent, SIM_CLAIM, NULL), 2);
    scene_end(&s);
}

static void one_nic_leaves_the_file(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    sim_nic_add(s.source_nic, "192.0.2.11/24");
    hold(&s, FAST "source web1 { nic eth0 { 192.0.2.10/24 dev eth0 }; nic eth1 { 192.0.2.11/24 dev eth0 } }");
    sim_agent_reload(s.agent, FAST "source web1 { nic eth0 { 192.0.2.10/24 dev eth0 } }");
    scene_run(&s, NSEC_PER_SEC);
    assert_holds(&s, SCENE_IP);
    assert_free(&s, "192.0.2.11");
    assert_int_equal(sim_agent_did(s.agent, SIM_CLAIM, NULL), 2);
    scene_end(&s);
}

/* It goes there as soon as verify allows, not when the source was found lost once more. */
static void the_target_nic_is_another(void **state)
{
    (void)state;
    for (int back = 0; back < 2; back++) {
        struct sim_nic *second;
        struct scene s;

        scene_begin(&s);
        second = sim_nic_new(s.target, "eth1", s.lan);
        sim_nic_add(second, "192.0.2.21/24");
        hold(&s, SCENE_PLAIN);
        sim_host_set_alive(s.source, back);
        sim_agent_reload(s.agent, "source web1 { nic eth0 { 192.0.2.10/24 dev eth1; 2001:db8::10/64 dev eth0 } }");
        scene_run(&s, 300 * NSEC_PER_MSEC);
        assert_holds(&s, SCENE_IP6);
        if (back) {
            assert_free(&s, SCENE_IP);
        } else {
            assert_ptr_equal(sim_host_find(s.target, &s.pings->to), second);
            assert_state(&s, "holding");
        }
        scene_end(&s);
    }
}

/* The same of one address under `trigger any`, while the other one of its NIC lives. */
static void one_of_two_goes_to_another_target_nic(void **state)
{
    static const char pace[] = "defaults { interval 10ms; misses 3; takeover manual }\n";
    struct sim_nic *second;
    struct scene s;
    char file[256];

    (void)state;
    scene_begin(&s);
    sim_nic_add(s.source_nic, "192.0.2.11/24");
    second = sim_nic_new(s.target, "eth1", s.lan);
    sim_nic_add(second, "192.0.2.21/24");
    for (int moved = 0; moved < 2; moved++) {
        snprintf(file, sizeof file,
                 "%ssource web1 { nic eth0 { trigger any; 192.0.2.10/24 dev eth%d; 192.0.2.11/24 dev eth0 } }", pace,
                 moved);
        if (moved) {
            sim_agent_reload(s.agent, file);
            continue;
        }
        scene_watch(&s, file);
        sim_nic_remove(s.source_nic, "192.0.2.10/24");
        scene_run(&s, NSEC_PER_SEC);
        sim_agent_command(s.agent, "approve", "web1", NULL);
        scene_run(&s, 3 * NSEC_PER_SEC);
        assert_state(&s, "holding");
    }
    scene_run(&s, 300 * NSEC_PER_MSEC);
    assert_state(&s, "holding");
    assert_ptr_equal(sim_host_find(s.target, &s.pings->to), second);
    assert_free(&s, "192.0.2.11");
    scene_end(&s);
}

static void other_witnesses_while_holding(void **state)
{
    struct scene s;
    unsigned announced;

    (void)state;
    scene_begin(&s);
    hold(&s, FAST WEB1 BEFORE);
    announced = sim_agent_did(s.agent, SIM_ANNOUNCE, NULL);
    sim_agent_reload(s.agent, FAST "source web1 { witness 192.0.2.30; nic eth0 { 192.0.2.10/24 dev eth0; "
                                   "2001:db8::10/64 dev eth0 } }\n" BEFORE);
    scene_run(&s, 200 * NSEC_PER_MSEC);
    assert_state(&s, "holding");
    assert_int_equal(sim_agent_did(s.agent, SIM_CLAIM, NULL), 2);
    assert_int_equal(sim_agent_did(s.agent, SIM_RELEASE, NULL), 0);
    assert_int_equal(sim_agent_did(s.agent, SIM_ANNOUNCE, NULL), announced);
    scene_end(&s);
}

#define NOBODY "witness 192.0.2.99\n"

/* In the midst of a loss: the witnesses that count are those of the new file, and nothing is counted from the start. */
static void other_witnesses_in_a_loss(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_watch(&s, NOBODY SCENE_PLAIN);
    sim_host_set_alive(s.source, false);
    scene_run(&s, 700 * NSEC_PER_MSEC);
    sim_agent_reload(s.agent, SCENE_PLAIN);
    scene_run(&s, 600 * NSEC_PER_MSEC);
    assert_state(&s, "holding");
    scene_end(&s);

    scene_begin(&s);
    scene_watch(&s, SCENE_PLAIN);
    sim_host_set_alive(s.source, false);
    scene_run(&s, 700 * NSEC_PER_MSEC);
    sim_agent_reload(s.agent, NOBODY SCENE_PLAIN);
    scene_run(&s, 10 * NSEC_PER_SEC);
    assert_int_equal(s.agent->n_deeds, 0);
    scene_end(&s);
}

/* A question that the new file does not ask any more is no question. */
static void another_policy_while_awaiting(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_watch(&s, "defaults { takeover manual }\n" SCENE_PLAIN);
    sim_host_set_alive(s.source, false);
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_state(&s, "awaiting");
    sim_agent_reload(s.agent, "defaults { takeover manual; lease 1m }\n" SCENE_PLAIN);
    assert_state(&s, "awaiting");
    sim_agent_reload(s.agent, "defaults { takeover notify }\n" SCENE_PLAIN);
    scene_run(&s, NSEC_PER_SEC);
    assert_state(&s, "lost");
    sim_agent_reload(s.agent, SCENE_PLAIN);
    scene_run(&s, NSEC_PER_SEC);
    assert_state(&s, "holding");
    scene_end(&s);
}

static void another_lease(void **state)
{
    struct scene s;
    unsigned renewals;

    (void)state;
    scene_begin(&s);
    hold(&s, "defaults { lease 1h }\n" WEB1);
    renewals = s.agent->renewals;
    sim_agent_reload(s.agent, "defaults { lease 1h; misses 4 }\n" WEB1);
    scene_run(&s, NSEC_PER_SEC);
    assert_int_equal(s.agent->renewals, renewals);
    sim_agent_reload(s.agent, "defaults { lease 3s }\n" WEB1);
    scene_run(&s, NSEC_PER_MSEC);
    assert_int_equal(s.agent->renewals, renewals + 2);
    scene_run(&s, 10 * NSEC_PER_SEC);
    assert_holds(&s, SCENE_IP);
    sim_agent_reload(s.agent, "defaults { lease off }\n" WEB1);
    scene_run(&s, NSEC_PER_SEC);
    assert_true(sim_nic_find(s.target_nic, &s.pings->to)->valid_until_ns == NSEC_NEVER);
    renewals = s.agent->renewals;
    scene_run(&s, NSEC_PER_MIN);
    assert_int_equal(s.agent->renewals, renewals);
    scene_end(&s);
}

/* The kernel is still at it, with the lease of the file before. */
static void another_lease_while_claiming(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_watch(&s, "defaults { interval 10ms; misses 3; lease 1s }\n" WEB1);
    s.agent->claim_delay_ns = 200 * NSEC_PER_MSEC;
    sim_host_set_alive(s.source, false);
    scene_run(&s, 100 * NSEC_PER_MSEC);
    assert_state(&s, "claiming");
    sim_agent_reload(s.agent, "defaults { interval 10ms; misses 3; lease 1h }\n" WEB1);
    scene_run(&s, 10 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    assert_int_equal(sim_agent_did(s.agent, SIM_CLAIM, NULL), 2);
    scene_end(&s);
}

/* A person's command outlives the reload, under whatever number. */
static void a_command_under_way(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_watch(&s, "defaults { takeover notify }\n" SCENE_PLAIN);
    sim_host_set_alive(s.source, false);
    scene_run(&s, 3 * NSEC_PER_SEC);
    s.agent->claim_delay_ns = 100 * NSEC_PER_MSEC;
    sim_agent_command(s.agent, "failover", "web1", NULL);
    for (int i = 0; i < 50; i++) {
        sim_agent_reload(s.agent, i % 2 ? "defaults { takeover notify }\n" BEFORE SCENE_PLAIN
                                        : "defaults { takeover notify }\n" SCENE_PLAIN);
        scene_run(&s, 4 * NSEC_PER_MSEC);
    }
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_int_equal(s.agent->answers, 1);
    assert_true(s.agent->answer_ok);
    assert_non_null(strstr(s.agent->answer, "confirmed by"));
    /* What it is for leaves the file. */
    sim_agent_command(s.agent, "failback", "web1", NULL);
    sim_agent_reload(s.agent, BEFORE);
    scene_run(&s, NSEC_PER_SEC);
    assert_int_equal(s.agent->answers, 2);
    assert_false(s.agent->answer_ok);
    assert_free(&s, SCENE_IP);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_storm_makes_no_difference),
        cmocka_unit_test(a_storm_of_changes_elsewhere),
        cmocka_unit_test(a_held_source_leaves_the_file),
        cmocka_unit_test(one_address_leaves_the_file),
        cmocka_unit_test(one_nic_leaves_the_file),
        cmocka_unit_test(the_target_nic_is_another),
        cmocka_unit_test(other_witnesses_while_holding),
        cmocka_unit_test(other_witnesses_in_a_loss),
        cmocka_unit_test(another_policy_while_awaiting),
        cmocka_unit_test(another_lease),
        cmocka_unit_test(one_of_two_goes_to_another_target_nic),
        cmocka_unit_test(another_lease_while_claiming),
        cmocka_unit_test(a_command_under_way),
    };

    return scene_tell(tests);
}
