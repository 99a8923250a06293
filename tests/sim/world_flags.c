/* SPDX-License-Identifier: Apache-2.0 */
/* Who knows whether this host stands in: the flag of each source, and the units that an agent before left running. */
#include "agent/shell/agent.h"
#include "tests/sim/libscene.h"

#define NICS "nic eth0 { 192.0.2.10/24 dev eth0 }"
#define BARE "source web1 { " NICS " }\n"
#define SERVED "source web1 { unit a.mount\nunit b.service\n" NICS " }\n"
#define OTHER "source other { nic eth0 { 192.0.2.99/24 dev eth0 } }\n"
/* What is started and stopped with SERVED. */
#define STARTS "start a.mount\nstart b.service\nstart standin-web1.target\n"
#define STOPS "stop standin-web1.target\nstop b.service\nstop a.mount\n"

static void hold(struct scene *s, const char *file)
{
    scene_begin(s);
    scene_watch(s, file);
    sim_host_set_alive(s->source, false);
    scene_run(s, 5 * NSEC_PER_SEC);
    assert_state(s, "holding");
}

/* What was logged from here on is what `logged` tells. */
static void forget(struct scene *s)
{
    s->agent->services.log[0] = '\0';
}

#define logged(s, text) assert_string_equal((s)->agent->services.log, text)

static void give_back(struct scene *s)
{
    forget(s);
    sim_agent_command(s->agent, "failback", "web1", NULL);
    scene_run(s, 5 * NSEC_PER_SEC);
    assert_true(s->agent->answer_ok);
}

static void a_source_without_services_has_one(void **state)
{
    struct scene s;

    (void)state;
    hold(&s, BARE);
    logged(&s, "flag web1 on\n");
    give_back(&s);
    logged(&s, "flag web1 off\n");
    scene_end(&s);
}

static void it_stays_over_reloads(void **state)
{
    static const char *const files[] = {BARE, SERVED};
    struct scene s;

    (void)state;
    for (int before = 0; before < 2; before++)
        for (int after = 0; after < 2; after++) {
            hold(&s, files[before]);
            forget(&s);
            sim_agent_reload(s.agent, files[after]);
            scene_run(&s, 5 * NSEC_PER_SEC);
            assert_state(&s, "holding");
            logged(&s, before > after ? STOPS : "");
            give_back(&s);
            logged(&s, before && after ? STOPS "flag web1 off\n" : "flag web1 off\n");
            scene_end(&s);
        }
}

static void it_goes_with_its_source(void **state)
{
    struct scene s;

    (void)state;
    hold(&s, BARE);
    forget(&s);
    sim_agent_reload(s.agent, OTHER);
    scene_run(&s, 5 * NSEC_PER_SEC);
    logged(&s, "flag web1 off\n");
    scene_end(&s);
}

static void who_stands_in(void **state)
{
    struct scene s;

    (void)state;
    hold(&s, BARE OTHER);
    assert_true(agent_stands_in(s.agent->agent, "web1"));
    assert_false(agent_stands_in(s.agent->agent, "other"));
    assert_false(agent_stands_in(s.agent->agent, "nobody"));
    give_back(&s);
    assert_false(agent_stands_in(s.agent->agent, "web1"));
    scene_end(&s);
}

/* The flag of an agent whose guard has released everything: nothing is held, and what it had started still runs. */
static void what_was_left_over_is_stopped(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_watch(&s, SERVED);
    agent_on_left_over(s.agent->agent, "nobody");
    agent_on_left_over(s.agent->agent, "web1");
    scene_run(&s, NSEC_PER_SEC);
    logged(&s, STOPS);
    forget(&s);
    sim_host_set_alive(s.source, false);
    scene_run(&s, 5 * NSEC_PER_SEC);
    logged(&s, "flag web1 on\n" STARTS);
    scene_end(&s);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_without_services_has_one), cmocka_unit_test(it_stays_over_reloads),
        cmocka_unit_test(it_goes_with_its_source),           cmocka_unit_test(who_stands_in),
        cmocka_unit_test(what_was_left_over_is_stopped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
