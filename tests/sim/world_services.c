/* SPDX-License-Identifier: Apache-2.0 */
/* A host that answers and serves nothing; hooks, fences, units and names around a takeover. */
#include <unistd.h>

#include "tests/sim/libscene.h"

#define NIC "nic eth0 { 192.0.2.10/24 dev eth0 }"
#define CHECKED "probe tcp 443 { interval 100ms; misses 3 }\n"
#define HOOKS                                                                               \
    "hook pre-takeover \"/etc/h/may-i\" { veto yes }\nhook post-takeover \"/etc/h/tell\"\n" \
    "hook pre-failback \"/etc/h/drain\"\nhook post-failback \"/etc/h/done\"\nunit a.mount\nunit b.service\n"
#define NAMED                                                                                            \
    "source web1 { probe url \"http://203.0.113.10/\" { interval 1s; misses 3 }\non service automatic\n" \
    "failback automatic\nhold-down 10s\ndns { server 203.0.113.53; zone example.net; key-file %s\n"      \
    "record www.example.net A 198.51.100.20\nttl 60s } }\n"

#define assert_service(s, want) assert_string_equal(sim_agent_service((s)->agent, "web1"), want)

static void watch(struct scene *s, const char *statements)
{
    char file[2048];

    snprintf(file, sizeof file, "source web1 { %s\n" NIC " }\n", statements);
    scene_begin(s);
    scene_watch(s, file);
}

static unsigned logged(const struct scene *s, const char *text)
{
    unsigned n = 0;

    for (const char *at = s->agent->services.log; (at = strstr(at, text)); at++)
        n++;
    return n;
}

/* By policy, or because there is neither a fence nor `force`. */
static void a_dead_service_is_told_and_nothing_more(void **state)
{
    static const char *const files[] = {CHECKED, CHECKED "on service automatic\n"};
    struct scene s;

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        watch(&s, files[i]);
        assert_service(&s, "passing");
        s.agent->services.refuses = true;
        scene_run(&s, 2 * NSEC_PER_SEC);
        assert_service(&s, "failed");
        assert_state(&s, "up");
        assert_int_equal(sim_agent_said(s.agent, "check tcp 443 failed, 3 rounds in a row"), 1);
        s.agent->services.refuses = false;
        scene_run(&s, NSEC_PER_SEC);
        assert_service(&s, "passing");
        assert_int_equal(s.agent->n_deeds, 0);
        scene_end(&s);
    }
}

static void what_we_cannot_ask_has_not_failed(void **state)
{
    struct scene s;

    (void)state;
    watch(&s, CHECKED "on service automatic\nfence \"/etc/h/fence\"\n");
    s.agent->services.unable = true;
    scene_run(&s, 60 * NSEC_PER_SEC);
    assert_service(&s, "passing");
    assert_string_equal(s.agent->services.log, "");
    scene_end(&s);
}

static void a_fence_and_then_the_takeover(void **state)
{
    struct scene s;

    (void)state;
    watch(&s, CHECKED "on service automatic\ntakeover manual\nfence \"/etc/h/fence\"\n");
    s.agent->services.fenced = s.source;
    s.agent->services.refuses = true;
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    assert_holds(&s, SCENE_IP);
    assert_int_equal(logged(&s, "run /etc/h/fence fence service\n"), 1);
    scene_end(&s);
}

static void a_fence_that_fails_leaves_the_address_where_it_is(void **state)
{
    struct scene s;

    (void)state;
    watch(&s, CHECKED "on service automatic\nfence \"/etc/h/fence\"\n");
    s.agent->services.failing = "fence";
    s.agent->services.refuses = true;
    scene_run(&s, 40 * NSEC_PER_SEC);
    assert_service(&s, "failed");
    assert_int_equal(logged(&s, "run /etc/h/fence"), 2);
    /* The host goes as well: without its fence nothing is claimed. */
    sim_host_set_alive(s.source, false);
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_state(&s, "blocked");
    assert_reason(&s, "could not be fenced");
    assert_free(&s, SCENE_IP);
    scene_end(&s);
}

static void a_fence_that_lies_claims_nothing(void **state)
{
    struct scene s;

    (void)state;
    watch(&s, CHECKED "on service automatic\nfence \"/etc/h/fence\"\n");
    s.agent->services.refuses = true;
    scene_run(&s, 30 * NSEC_PER_SEC);
    assert_service(&s, "fenced");
    assert_state(&s, "up");
    scene_run(&s, 60 * NSEC_PER_SEC);
    assert_int_equal(s.agent->n_deeds, 0);
    assert_true(sim_agent_said(s.agent, "could not be fenced") > 0);
    scene_end(&s);
}

/* The whole order, for a host that is lost and given back. */
static void everything_in_its_order(void **state)
{
    struct scene s;

    (void)state;
    watch(&s, HOOKS "fence \"/etc/h/fence\"\n");
    sim_host_set_alive(s.source, false);
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    assert_string_equal(s.agent->services.log,
                        "run /etc/h/may-i pre-takeover host\nrun /etc/h/fence fence host\nflag web1 on\nstart a.mount\n"
                        "start b.service\nstart standin-web1.target\nrun /etc/h/tell post-takeover host\n");
    s.agent->services.log[0] = '\0';
    sim_agent_command(s.agent, "failback", "web1", NULL);
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_true(s.agent->answer_ok);
    assert_string_equal(s.agent->services.log,
                        "run /etc/h/drain pre-failback operator\nstop standin-web1.target\nstop b.service\n"
                        "stop a.mount\nflag web1 off\nrun /etc/h/done post-failback operator\n");
    assert_free(&s, SCENE_IP);
    scene_end(&s);
}

static void nothing_is_claimed_before_the_hooks_have_ended(void **state)
{
    struct scene s;

    (void)state;
    watch(&s, HOOKS);
    s.agent->services.take_ns = 3 * NSEC_PER_SEC;
    sim_host_set_alive(s.source, false);
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_state(&s, "preparing");
    assert_free(&s, SCENE_IP);
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    scene_end(&s);
}

static void a_source_that_comes_back_meanwhile_keeps_its_address(void **state)
{
    struct scene s;

    (void)state;
    watch(&s, HOOKS);
    s.agent->services.take_ns = 3 * NSEC_PER_SEC;
    sim_host_set_alive(s.source, false);
    scene_run(&s, 3 * NSEC_PER_SEC);
    sim_host_set_alive(s.source, true);
    scene_run(&s, 10 * NSEC_PER_SEC);
    assert_state(&s, "up");
    assert_int_equal(s.agent->n_deeds, 0);
    scene_end(&s);
}

static void a_veto_is_respected_and_asked_again(void **state)
{
    struct scene s;

    (void)state;
    watch(&s, HOOKS);
    s.agent->services.failing = "may-i";
    sim_host_set_alive(s.source, false);
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_state(&s, "blocked");
    assert_reason(&s, "said no");
    assert_int_equal(logged(&s, "may-i"), 1);
    s.agent->services.failing = NULL;
    scene_run(&s, 15 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    assert_int_equal(logged(&s, "may-i"), 2);
    scene_end(&s);
}

static void a_hook_may_refuse_the_failback_and_force_overrules_it(void **state)
{
    struct scene s;

    (void)state;
    watch(&s, HOOKS);
    sim_host_set_alive(s.source, false);
    scene_run(&s, 5 * NSEC_PER_SEC);
    s.agent->services.failing = "drain";
    sim_agent_command(s.agent, "failback", "web1", NULL);
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_false(s.agent->answer_ok);
    assert_holds(&s, SCENE_IP);
    assert_int_equal(logged(&s, "stop "), 0);
    s.agent->services.failing = "b.service";
    sim_agent_command(s.agent, "failback", "web1", NULL);
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_false(s.agent->answer_ok);
    assert_holds(&s, SCENE_IP);
    sim_agent_force_failback(s.agent, "web1");
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_true(s.agent->answer_ok);
    assert_free(&s, SCENE_IP);
    scene_end(&s);
}

static void a_unit_that_fails_is_kept_or_ends_it(void **state)
{
    struct scene s;

    (void)state;
    for (int release = 0; release < 2; release++) {
        watch(&s, release ? "unit a.mount { on-failure release }\n" : "unit a.mount\n");
        s.agent->services.failing = "a.mount";
        sim_host_set_alive(s.source, false);
        scene_run(&s, 5 * NSEC_PER_SEC);
        assert_state(&s, release ? "disarmed" : "holding");
        assert_true(sim_agent_said(s.agent, "start of unit a.mount") > 0);
        scene_end(&s);
    }
}

static void a_restart_starts_units_again_and_runs_no_hook(void **state)
{
    struct scene s;

    (void)state;
    watch(&s, HOOKS);
    sim_host_set_alive(s.source, false);
    scene_run(&s, 5 * NSEC_PER_SEC);
    s.agent->services.log[0] = '\0';
    sim_agent_kill(s.agent);
    scene_run(&s, 100 * NSEC_PER_MSEC);
    sim_agent_begin(s.agent, s.agent->file);
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    assert_string_equal(s.agent->services.log,
                        "flag web1 on\nstart a.mount\nstart b.service\nstart standin-web1.target\n");
    scene_end(&s);
}

static void a_reload_goes_on_with_what_waits(void **state)
{
    struct scene s;

    (void)state;
    watch(&s, HOOKS);
    s.agent->services.take_ns = 2 * NSEC_PER_SEC;
    sim_host_set_alive(s.source, false);
    scene_run(&s, 2 * NSEC_PER_SEC);
    assert_state(&s, "preparing");
    sim_agent_reload(s.agent, s.agent->file);
    scene_run(&s, 2 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    assert_int_equal(logged(&s, "may-i"), 1);
    scene_end(&s);
}

static void a_file_with_other_hooks_asks_them(void **state)
{
    struct scene s;

    (void)state;
    watch(&s, HOOKS);
    s.agent->services.take_ns = 2 * NSEC_PER_SEC;
    sim_host_set_alive(s.source, false);
    scene_run(&s, 2 * NSEC_PER_SEC);
    assert_state(&s, "preparing");
    sim_agent_reload(s.agent, "source web1 { hook pre-takeover \"/etc/h/other\" { veto yes }\n" NIC " }\n");
    scene_run(&s, NSEC_PER_SEC);
    assert_free(&s, SCENE_IP);
    scene_run(&s, 30 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    assert_int_equal(logged(&s, "/etc/h/other"), 1);
    scene_end(&s);
}

static void a_source_that_leaves_the_file_leaves_nothing_running(void **state)
{
    struct scene s;

    (void)state;
    watch(&s, HOOKS);
    sim_host_set_alive(s.source, false);
    scene_run(&s, 5 * NSEC_PER_SEC);
    s.agent->services.log[0] = '\0';
    sim_agent_reload(s.agent, "source other { nic eth0 { 192.0.2.99/24 dev eth0 } }\n");
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_free(&s, SCENE_IP);
    assert_string_equal(s.agent->services.log,
                        "flag web1 off\nstop standin-web1.target\nstop b.service\nstop a.mount\n");
    scene_end(&s);
}

static void a_thousand_checks_that_hang_keep_no_probe_waiting(void **state)
{
    struct scene s;
    char *file = malloc(1 << 17);
    size_t used = (size_t)sprintf(file, "source web1 { interval 10ms; misses 3\n");

    (void)state;
    for (int i = 0; i < 1000; i++)
        used += (size_t)sprintf(file + used, "probe tcp %d { interval 1s; timeout 1s }\n", 1000 + i);
    sprintf(file + used, NIC " }\n");
    scene_begin(&s);
    scene_watch(&s, file);
    s.agent->services.take_ns = NSEC_PER_SEC;
    s.agent->services.refuses = true;
    scene_run(&s, 2 * NSEC_PER_SEC);
    sim_host_set_alive(s.source, false);
    scene_run(&s, 60 * NSEC_PER_MSEC);
    assert_state(&s, "holding");
    free(file);
    scene_end(&s);
}

/* The same alarm for a host that is only told of, for a service, and for a unit, whatever signs are in its text. */
static void an_alarm_runs_its_hooks(void **state)
{
    static const char umlauts[] = "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4";
    char text[400] = "";
    struct scene s;

    (void)state;
    watch(&s, CHECKED "takeover notify\nhook alarm \"/etc/h/alarm\"\n");
    s.agent->services.refuses = true;
    scene_run(&s, NSEC_PER_SEC);
    assert_string_equal(s.agent->services.log, "run /etc/h/alarm alarm service\n");
    s.agent->services.log[0] = '\0';
    sim_host_set_alive(s.source, false);
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_state(&s, "lost");
    assert_string_equal(s.agent->services.log, "run /etc/h/alarm alarm host\n");
    scene_end(&s);
    for (int odd = 0; odd < 2; odd++) {
        snprintf(text, sizeof text, "%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s", odd ? "x" : "", umlauts, umlauts, umlauts,
                 umlauts, umlauts, umlauts, umlauts, umlauts, umlauts, umlauts, umlauts, umlauts, umlauts, umlauts);
        watch(&s, "unit a.mount\nhook alarm \"/etc/h/alarm\"\n");
        s.agent->services.failing = "a.mount";
        s.agent->services.says = text;
        sim_host_set_alive(s.source, false);
        scene_run(&s, 5 * NSEC_PER_SEC);
        assert_int_equal(logged(&s, "run /etc/h/alarm alarm host\n"), 1);
        scene_end(&s);
    }
}

static void a_person_is_asked_about_a_service(void **state)
{
    struct scene s;

    (void)state;
    watch(&s, CHECKED "on service manual\nfence \"/etc/h/fence\"\n");
    s.agent->services.fenced = s.source;
    s.agent->services.refuses = true;
    scene_run(&s, NSEC_PER_SEC);
    assert_service(&s, "awaiting");
    sim_agent_command(s.agent, "deny", "web1", NULL);
    scene_run(&s, 60 * NSEC_PER_SEC);
    assert_true(s.agent->answer_ok);
    assert_service(&s, "failed");
    s.agent->services.refuses = false;
    scene_run(&s, NSEC_PER_SEC);
    assert_service(&s, "passing");
    s.agent->services.refuses = true;
    scene_run(&s, NSEC_PER_SEC);
    assert_service(&s, "awaiting");
    assert_string_equal(s.agent->services.log, "");
    sim_agent_command(s.agent, "approve", "web1", NULL);
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_true(s.agent->answer_ok);
    assert_state(&s, "holding");
    assert_string_equal(s.agent->services.log,
                        "run /etc/h/fence fence operator\nflag web1 on\nstart standin-web1.target\n");
    scene_end(&s);
}

/* The host answers all the time, and goes on doing so beside us. */
static void force_takes_over_from_a_host_that_answers(void **state)
{
    struct scene s;

    (void)state;
    watch(&s, CHECKED "on service automatic\nforce yes\nhook pre-takeover \"/etc/h/may-i\" { veto yes }\n");
    s.agent->forced = true;
    s.agent->services.failing = "may-i";
    s.agent->services.refuses = true;
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_service(&s, "failed");
    assert_free(&s, SCENE_IP);
    s.agent->services.failing = NULL;
    scene_run(&s, 35 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    assert_holds(&s, SCENE_IP);
    assert_int_equal(logged(&s, "run /etc/h/may-i pre-takeover service\n"), 2);
    scene_end(&s);
}

/* Units go with the first NIC and end with the last, hooks are run for each. */
static void units_stand_from_the_first_nic_to_the_last(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    sim_nic_add(s.source_nic, "192.0.2.11/24");
    scene_watch(&s, "source web1 { " HOOKS NIC "\nnic eth1 { 192.0.2.11/24 dev eth0 } }\n");
    sim_host_set_alive(s.source, false);
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_holds(&s, SCENE_IP);
    assert_holds(&s, "192.0.2.11");
    assert_int_equal(logged(&s, "start "), 3);
    assert_int_equal(logged(&s, "/etc/h/tell"), 2);
    assert_int_equal(logged(&s, "flag web1 on"), 1);
    s.agent->services.log[0] = '\0';
    sim_agent_command(s.agent, "failback", "web1", "eth0");
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_true(s.agent->answer_ok);
    assert_string_equal(s.agent->services.log,
                        "run /etc/h/drain pre-failback operator\nrun /etc/h/done post-failback operator\n");
    s.agent->services.log[0] = '\0';
    sim_agent_command(s.agent, "failback", "web1", "eth1");
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_true(s.agent->answer_ok);
    assert_string_equal(s.agent->services.log,
                        "run /etc/h/drain pre-failback operator\nstop standin-web1.target\nstop b.service\n"
                        "stop a.mount\nflag web1 off\nrun /etc/h/done post-failback operator\n");
    scene_end(&s);
}

static char key[] = "/tmp/standin-key-XXXXXX";

static int write_key(void **state)
{
    static const char text[] =
        "key \"ddns\" {\n\talgorithm hmac-sha256;\n\tsecret \"c2VjcmV0LXNlY3JldC1zZWNyZXQ=\";\n};\n";
    int fd = mkstemp(key);

    (void)state;
    if (fd < 0 || write(fd, text, sizeof text - 1) != sizeof text - 1)
        return -1;
    return close(fd);
}

static int remove_key(void **state)
{
    (void)state;
    return unlink(key);
}

/* A LAN whose source has no address that is watched, but a name. */
static void watch_name(struct scene *s)
{
    char file[2048];

    snprintf(file, sizeof file, NAMED, key);
    scene_begin(s);
    scene_watch(s, file);
}

static void a_name_moves_and_comes_back(void **state)
{
    struct scene s;

    (void)state;
    watch_name(&s);
    assert_service(&s, "passing");
    s.agent->services.refuses = true;
    scene_run(&s, 6 * NSEC_PER_SEC);
    assert_service(&s, "holding");
    assert_string_equal(s.agent->services.log, "dns claim www.example.net\nflag web1 on\nstart standin-web1.target\n");
    s.agent->services.refuses = false;
    scene_run(&s, 8 * NSEC_PER_SEC);
    assert_service(&s, "holding");
    scene_run(&s, 6 * NSEC_PER_SEC);
    assert_service(&s, "passing");
    assert_int_equal(logged(&s, "dns restore www.example.net\nflag web1 off\n"), 1);
    scene_end(&s);
}

static void a_name_that_somebody_takes_back_is_told(void **state)
{
    struct scene s;

    (void)state;
    watch_name(&s);
    s.agent->services.refuses = true;
    scene_run(&s, 6 * NSEC_PER_SEC);
    assert_service(&s, "holding");
    scene_run(&s, 60 * NSEC_PER_SEC);
    assert_true(logged(&s, "dns look www.example.net") >= 1);
    assert_int_equal(sim_agent_said(s.agent, "somebody else changed its DNS name"), 0);
    s.agent->services.failing = "www";
    scene_run(&s, 90 * NSEC_PER_SEC);
    assert_int_equal(sim_agent_said(s.agent, "somebody else changed its DNS name"), 1);
    assert_service(&s, "holding");
    scene_end(&s);
}

static void a_name_outlives_the_agent(void **state)
{
    struct scene s;

    (void)state;
    watch_name(&s);
    s.agent->services.refuses = true;
    scene_run(&s, 6 * NSEC_PER_SEC);
    assert_service(&s, "holding");
    sim_agent_kill(s.agent);
    scene_run(&s, NSEC_PER_SEC);
    s.agent->services.log[0] = '\0';
    sim_agent_begin(s.agent, s.agent->file);
    scene_run(&s, 6 * NSEC_PER_SEC);
    assert_service(&s, "holding");
    assert_int_equal(logged(&s, "dns"), 0);
    sim_agent_command(s.agent, "failback", "web1", NULL);
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_string_equal(s.agent->answer, "the name of web1 is given back");
    assert_service(&s, "disarmed");
    scene_end(&s);
}

static void a_name_goes_with_its_address(void **state)
{
    struct scene s;
    char file[2048];

    (void)state;
    snprintf(file, sizeof file,
             "source web1 { " HOOKS "dns { server 203.0.113.53; zone example.net; key-file %s\n"
             "record www.example.net A 192.0.2.10 }\n" NIC " }\n",
             key);
    scene_begin(&s);
    scene_watch(&s, file);
    sim_host_set_alive(s.source, false);
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_string_equal(s.agent->services.log,
                        "run /etc/h/may-i pre-takeover host\nflag web1 on\nstart a.mount\nstart b.service\n"
                        "start standin-web1.target\ndns claim www.example.net\nrun /etc/h/tell post-takeover host\n");
    s.agent->services.log[0] = '\0';
    /* The name server does not want it: the address goes back all the same. */
    s.agent->services.failing = "www.example.net";
    sim_agent_command(s.agent, "failback", "web1", NULL);
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_true(s.agent->answer_ok);
    assert_free(&s, SCENE_IP);
    assert_int_equal(logged(&s, "dns restore www.example.net\n"), 1);
    assert_true(sim_agent_said(s.agent, "DNS: www.example.net goes back") > 0);
    scene_end(&s);
}

static void a_name_that_comes_and_goes_is_a_question(void **state)
{
    struct scene s;
    char file[2048], *end;

    (void)state;
    snprintf(file, sizeof file, NAMED, key);
    end = strrchr(file, '}');
    snprintf(end, sizeof file - (size_t)(end - file), "max-takeovers 1 per 1h }\n");
    scene_begin(&s);
    scene_watch(&s, file);
    s.agent->services.refuses = true;
    scene_run(&s, 6 * NSEC_PER_SEC);
    assert_service(&s, "holding");
    s.agent->services.refuses = false;
    scene_run(&s, 15 * NSEC_PER_SEC);
    assert_service(&s, "passing");
    s.agent->services.refuses = true;
    scene_run(&s, 6 * NSEC_PER_SEC);
    assert_service(&s, "awaiting");
    assert_int_equal(logged(&s, "dns claim"), 1);
    sim_agent_command(s.agent, "approve", "web1", NULL);
    scene_run(&s, 2 * NSEC_PER_SEC);
    assert_true(s.agent->answer_ok);
    assert_service(&s, "holding");
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dead_service_is_told_and_nothing_more),
        cmocka_unit_test(what_we_cannot_ask_has_not_failed),
        cmocka_unit_test(a_fence_and_then_the_takeover),
        cmocka_unit_test(a_fence_that_fails_leaves_the_address_where_it_is),
        cmocka_unit_test(a_fence_that_lies_claims_nothing),
        cmocka_unit_test(everything_in_its_order),
        cmocka_unit_test(nothing_is_claimed_before_the_hooks_have_ended),
        cmocka_unit_test(a_source_that_comes_back_meanwhile_keeps_its_address),
        cmocka_unit_test(a_veto_is_respected_and_asked_again),
        cmocka_unit_test(a_hook_may_refuse_the_failback_and_force_overrules_it),
        cmocka_unit_test(a_unit_that_fails_is_kept_or_ends_it),
        cmocka_unit_test(a_restart_starts_units_again_and_runs_no_hook),
        cmocka_unit_test(a_reload_goes_on_with_what_waits),
        cmocka_unit_test(a_file_with_other_hooks_asks_them),
        cmocka_unit_test(a_source_that_leaves_the_file_leaves_nothing_running),
        cmocka_unit_test(a_thousand_checks_that_hang_keep_no_probe_waiting),
        cmocka_unit_test(an_alarm_runs_its_hooks),
        cmocka_unit_test(a_person_is_asked_about_a_service),
        cmocka_unit_test(force_takes_over_from_a_host_that_answers),
        cmocka_unit_test(units_stand_from_the_first_nic_to_the_last),
        cmocka_unit_test(a_name_moves_and_comes_back),
        cmocka_unit_test(a_name_that_somebody_takes_back_is_told),
        cmocka_unit_test(a_name_outlives_the_agent),
        cmocka_unit_test(a_name_goes_with_its_address),
        cmocka_unit_test(a_name_that_comes_and_goes_is_a_question),
    };

    cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests(tests, write_key, remove_key);
}
