/* SPDX-License-Identifier: Apache-2.0 */
/* This host stands still, is slow, or changes its clock: that says nothing about the source. */
#include "tests/sim/libscene.h"

#define FAST "defaults { interval 10ms; misses 3 }\n" SCENE_PLAIN

/* A story at many phases: `tell` is called with a LAN on which all is well. */
static void at_every_phase(const char *ipmap, unsigned phases, void (*tell)(struct scene *s))
{
    for (uint64_t seed = sim_seed(); seed < sim_seed() + phases; seed++) {
        struct scene s;

        scene_begin_with(&s, seed);
        scene_watch(&s, ipmap);
        scene_run(&s, (nsec_t)sim_random_below(&s.world->random, 50 * NSEC_PER_MSEC));
        assert_state(&s, "up");
        tell(&s);
        scene_end(&s);
    }
}

static void pause_for(struct scene *s, nsec_t for_ns)
{
    sim_agent_pause(s->agent);
    scene_run(s, for_ns);
    sim_agent_resume(s->agent);
}

static void tell_stopped(struct scene *s)
{
    pause_for(s, 3 * NSEC_PER_SEC);
    scene_run(s, NSEC_PER_SEC);
    assert_state(s, "up");
    assert_int_equal(s->agent->n_deeds, 0);
    assert_int_equal(sim_agent_said(s->agent, "stood still"), 1);
}

static void stopped_for_three_seconds(void **state)
{
    (void)state;
    at_every_phase(FAST, 100, tell_stopped);
}

/* As long as the sockets hold: of what came in first only so many replies are left. */
static void tell_stopped_and_overflowing(struct scene *s)
{
    s->agent->queue_max = (size_t)sim_random_below(&s->world->random, 4);
    pause_for(s, 3 * NSEC_PER_SEC);
    scene_run(s, NSEC_PER_SEC);
    s->agent->queue_max = 1000;
    scene_run(s, NSEC_PER_SEC);
    assert_state(s, "up");
    assert_int_equal(s->agent->n_deeds, 0);
}

static void stopped_with_sockets_that_overflow(void **state)
{
    (void)state;
    at_every_phase(FAST, 100, tell_stopped_and_overflowing);
}

/* Stops of any length, one after the other, for some seconds. */
static void tell_stuttering(struct scene *s)
{
    for (int i = 0; i < 200; i++) {
        pause_for(s, (nsec_t)sim_random_below(&s->world->random, 60 * NSEC_PER_MSEC));
        scene_run(s, (nsec_t)sim_random_below(&s->world->random, 30 * NSEC_PER_MSEC));
    }
    scene_run(s, NSEC_PER_SEC);
    assert_state(s, "up");
    assert_int_equal(s->agent->n_deeds, 0);
}

static void stuttering(void **state)
{
    (void)state;
    at_every_phase(FAST, 20, tell_stuttering);
}

/* Stops too short to be a stall, while replies come in at the last moment; the sockets keep so many of them. */
static void stop_shortly(struct scene *s, size_t kept)
{
    unsigned late;

    sim_nic_set_faults(s->source_nic, &(struct sim_faults){.delay_ns = 4900 * NSEC_PER_USEC});
    scene_run(s, 500 * NSEC_PER_MSEC); /* the wait has to learn of it */
    late = sim_agent_said(s->agent, "late, was up");
    for (int i = 0; i < 200; i++) {
        scene_run(s, (nsec_t)sim_random_below(&s->world->random, 10 * NSEC_PER_MSEC));
        s->agent->queue_max = kept;
        pause_for(s, 3 * NSEC_PER_MSEC);
        s->agent->queue_max = 1000;
    }
    assert_int_equal(sim_agent_said(s->agent, "late, was up"), late);
    assert_int_equal(s->agent->n_deeds, 0);
}

/* The timer is served before the socket: what waits there is a reply all the same. */
static void tell_a_reply_in_the_queue(struct scene *s)
{
    stop_shortly(s, 1000);
}

static void a_reply_in_the_queue(void **state)
{
    (void)state;
    at_every_phase(FAST, 10, tell_a_reply_in_the_queue);
}

/* It found no room: nobody knows what it was, so the round does not count. */
static void tell_a_reply_without_room(struct scene *s)
{
    stop_shortly(s, 0);
}

static void a_reply_without_room(void **state)
{
    (void)state;
    at_every_phase(FAST, 10, tell_a_reply_without_room);
}

/* The source dies while we stand still: fresh misses are needed, and then it is taken over. */
static void tell_stopped_over_the_crash(struct scene *s)
{
    nsec_t resumed_ns;

    sim_agent_pause(s->agent);
    scene_run(s, NSEC_PER_SEC);
    sim_host_set_alive(s->source, false);
    scene_run(s, 2 * NSEC_PER_SEC);
    resumed_ns = scene_now(s);
    sim_agent_resume(s->agent);
    scene_run(s, NSEC_PER_SEC);
    assert_state(s, "holding");
    assert_in_range(sim_agent_did_ns(s->agent, SIM_CLAIM, SCENE_IP) - resumed_ns, 20 * NSEC_PER_MSEC,
                    35 * NSEC_PER_MSEC);
}

static void stopped_over_the_crash(void **state)
{
    (void)state;
    at_every_phase(FAST, 50, tell_stopped_over_the_crash);
}

/* It dies and comes back while we stand still, stopped in the middle of a row of misses. */
static void tell_stopped_over_crash_and_return(struct scene *s)
{
    sim_host_set_alive(s->source, false);
    scene_run(s, (nsec_t)sim_random_below(&s->world->random, 20 * NSEC_PER_MSEC));
    sim_agent_pause(s->agent);
    scene_run(s, NSEC_PER_SEC);
    sim_host_set_alive(s->source, true);
    scene_run(s, NSEC_PER_SEC);
    sim_agent_resume(s->agent);
    scene_run(s, NSEC_PER_SEC);
    assert_state(s, "up");
    assert_int_equal(s->agent->n_deeds, 0);
}

static void stopped_over_crash_and_return(void **state)
{
    (void)state;
    at_every_phase(FAST, 100, tell_stopped_over_crash_and_return);
}

/* Ten broadcasts, one each interval: verify goes on for a while after the verdict. */
#define PINGED \
    "source web1 { interval 10ms; misses 3; probe icmp; verify 10 within 200ms; nic eth0 { 192.0.2.10/24 dev eth0 } }"

static void await_verifying(struct scene *s)
{
    for (int i = 0; i < 1000 && strcmp(sim_agent_state(s->agent, "web1", "eth0"), "verifying") != 0; i++)
        scene_run(s, 100 * NSEC_PER_USEC);
    assert_state(s, "verifying");
}

/* Evidence that a stall interrupted is worth nothing: the source came back meanwhile. */
static void tell_stalled_while_verifying(struct scene *s)
{
    sim_host_set_alive(s->source, false);
    await_verifying(s);
    scene_run(s, (nsec_t)sim_random_below(&s->world->random, 5 * NSEC_PER_MSEC));
    sim_agent_pause(s->agent);
    scene_run(s, 500 * NSEC_PER_MSEC);
    sim_host_set_alive(s->source, true);
    scene_run(s, 500 * NSEC_PER_MSEC);
    sim_agent_resume(s->agent);
    scene_run(s, NSEC_PER_SEC);
    assert_state(s, "up");
    assert_int_equal(s->agent->n_deeds, 0);
}

static void stalled_while_verifying(void **state)
{
    (void)state;
    at_every_phase(PINGED, 100, tell_stalled_while_verifying);
}

/* It is back, and its answers, and the witnesses', find no room in our sockets; some do at the end. */
static void tell_overflowing_while_verifying(struct scene *s)
{
    sim_host_set_alive(s->source, false);
    await_verifying(s);
    s->agent->queue_max = 0;
    sim_host_set_alive(s->source, true);
    scene_run(s, 100 * NSEC_PER_MSEC + (nsec_t)sim_random_below(&s->world->random, NSEC_PER_SEC));
    s->agent->queue_max = 1000;
    scene_run(s, NSEC_PER_SEC);
    assert_state(s, "up");
    assert_int_equal(s->agent->n_deeds, 0);
}

/* No round falls into this verify, whose broadcasts are answered in vain. */
static void tell_overflowing_between_rounds(struct scene *s)
{
    sim_host_set_alive(s->source, false);
    scene_run(s, 700 * NSEC_PER_MSEC + (nsec_t)sim_random_below(&s->world->random, NSEC_PER_SEC));
    s->agent->queue_max = 0;
    sim_agent_command(s->agent, "failover", "web1", NULL);
    sim_host_set_alive(s->source, true);
    scene_run(s, 100 * NSEC_PER_MSEC);
    s->agent->queue_max = 1000;
    scene_run(s, NSEC_PER_SEC);
    assert_state(s, "up");
    assert_int_equal(s->agent->n_deeds, 0);
}

static void overflowing_while_verifying(void **state)
{
    (void)state;
    at_every_phase("witness none\nsource web1 { interval 500ms; probe icmp; nic eth0 { 192.0.2.10/24 dev eth0 } }", 50,
                   tell_overflowing_between_rounds);
    at_every_phase(PINGED, 50, tell_overflowing_while_verifying);
}

static void tell_stalled_while_verifying_the_dead(struct scene *s)
{
    sim_host_set_alive(s->source, false);
    await_verifying(s);
    pause_for(s, NSEC_PER_SEC);
    assert_free(s, SCENE_IP);
    scene_run(s, NSEC_PER_SEC);
    assert_state(s, "holding");
}

static void stalled_while_verifying_the_dead(void **state)
{
    (void)state;
    at_every_phase(PINGED, 20, tell_stalled_while_verifying_the_dead);
}

/* Stopped while it holds, for less than the lease: nothing is lost. */
static void tell_stopped_while_holding(struct scene *s)
{
    sim_host_set_alive(s->source, false);
    scene_run(s, NSEC_PER_SEC);
    for (int i = 0; i < 5; i++) {
        pause_for(s, 1500 * NSEC_PER_MSEC);
        scene_run(s, NSEC_PER_SEC);
    }
    assert_state(s, "holding");
    assert_int_equal(sim_agent_did(s->agent, SIM_CLAIM, SCENE_IP), 1);
    assert_int_equal(sim_agent_did(s->agent, SIM_RELEASE, NULL), 0);
}

static void stopped_while_holding(void **state)
{
    (void)state;
    at_every_phase(FAST, 20, tell_stopped_while_holding);
}

/* How the agent misses what the source says. */
static void stop(struct scene *s, bool stopped)
{
    if (stopped)
        sim_agent_pause(s->agent);
    else
        sim_agent_resume(s->agent);
}

static void overflow(struct scene *s, bool overflows)
{
    s->agent->queue_max = overflows ? 0 : 1000;
}

/* The address is taken off us while we hear nothing: it is put back only if the source is still dead. */
static void taken_off_unheard(struct scene *s, void (*deafen)(struct scene *s, bool deaf), bool returns)
{
    sim_host_set_alive(s->source, false);
    scene_run(s, 2 * NSEC_PER_SEC);
    assert_state(s, "holding");
    deafen(s, true);
    scene_run(s, (nsec_t)sim_random_below(&s->world->random, 500 * NSEC_PER_MSEC));
    sim_host_set_alive(s->source, returns);
    scene_run(s, 1500 * NSEC_PER_MSEC + (nsec_t)sim_random_below(&s->world->random, NSEC_PER_SEC));
    sim_nic_remove(s->target_nic, SCENE_IP "/32");
    scene_run(s, NSEC_PER_SEC);
    deafen(s, false);
    scene_run(s, NSEC_PER_SEC);
    assert_int_equal(sim_agent_did(s->agent, SIM_CLAIM, SCENE_IP), returns ? 1 : 2);
    assert_int_equal(sim_host_holds(s->target, SCENE_IP), !returns);
}

static void tell_taken_off_while_stopped(struct scene *s)
{
    taken_off_unheard(s, stop, true);
}

static void tell_taken_off_the_dead_while_stopped(struct scene *s)
{
    taken_off_unheard(s, stop, false);
}

static void tell_taken_off_while_overflowing(struct scene *s)
{
    taken_off_unheard(s, overflow, true);
}

static void tell_taken_off_the_dead_while_overflowing(struct scene *s)
{
    taken_off_unheard(s, overflow, false);
}

static void taken_off_while_nothing_is_heard(void **state)
{
    (void)state;
    at_every_phase(FAST, 20, tell_taken_off_while_stopped);
    at_every_phase(FAST, 20, tell_taken_off_the_dead_while_stopped);
    at_every_phase(PINGED, 20, tell_taken_off_while_overflowing);
    at_every_phase(PINGED, 20, tell_taken_off_the_dead_while_overflowing);
}

/* Stopped beyond the lease, which took all off: it is lost and verified anew, for the source may have it again. */
static void tell_stopped_beyond_the_lease(struct scene *s)
{
    bool back = sim_random_hit(&s->world->random, 500000);

    sim_host_set_alive(s->source, false);
    scene_run(s, NSEC_PER_SEC);
    sim_agent_pause(s->agent);
    scene_run(s, 6 * NSEC_PER_SEC);
    sim_host_set_alive(s->source, back);
    scene_run(s, NSEC_PER_SEC);
    sim_agent_resume(s->agent);
    scene_run(s, NSEC_PER_SEC);
    assert_state(s, back ? "up" : "holding");
    assert_int_equal(sim_agent_did(s->agent, SIM_CLAIM, SCENE_IP), back ? 1 : 2);
}

static void stopped_beyond_the_lease(void **state)
{
    (void)state;
    at_every_phase(FAST, 20, tell_stopped_beyond_the_lease);
}

/* A busy host: each turn comes up to 30 ms late. A healthy source is watched for a minute. */
static void a_busy_host(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_watch(&s, FAST);
    s.agent->lateness_ns = 30 * NSEC_PER_MSEC;
    scene_run(&s, NSEC_PER_MIN);
    assert_state(&s, "up");
    assert_int_equal(s.agent->n_deeds, 0);
    scene_end(&s);
}

/* Late by less than an interval, it finds the dead all the same. */
static void a_somewhat_busy_host_finds_the_dead(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_watch(&s, FAST);
    s.agent->lateness_ns = 9 * NSEC_PER_MSEC;
    scene_run(&s, NSEC_PER_MIN);
    assert_state(&s, "up");
    sim_host_set_alive(s.source, false);
    scene_run(&s, NSEC_PER_SEC);
    assert_state(&s, "holding");
    scene_end(&s);
}

#define LAST_OF_4000 "192.0.119.199"

/* A source NIC of so many addresses; `rest`: of those that the plain file does not name. */
static void watch_many(struct scene *s, unsigned n, const char *rest)
{
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);

    assert_non_null(file);
    fprintf(file, "defaults { interval 10ms; misses 3 }\nsource web1 { nic eth0 { " SCENE_IP "/24 dev eth0\n");
    for (unsigned i = 0; i < n - 1; i++) {
        char ip[IP_ADDRESS_TEXT];

        snprintf(ip, sizeof ip, "192.0.%u.%u/16", 100 + i / 200, 1 + i % 200);
        fprintf(file, "%s dev eth0 { %s }\n", ip, rest);
        sim_nic_add(s->source_nic, ip);
    }
    fputs("} }\n", file);
    fclose(file);
    sim_nic_add(s->target_nic, "192.0.2.20/16");
    scene_watch(s, text);
    free(text);
}

/*
 * Its own work is no stall: the broadcasts of verify for so many addresses take four intervals each, and yet the source
 * is lost once. The last of them is another host's by now, which is not known before it was asked for.
 */
static void thousands_that_are_lost_together(void **state)
{
    struct sim_nic *stranger;
    struct scene s;
    nsec_t crash_ns;

    (void)state;
    scene_begin(&s);
    watch_many(&s, 4000, "monitor no");
    stranger = sim_nic_new(sim_host_new(s.world, "stranger"), "eth0", s.lan);
    sim_nic_remove(s.source_nic, LAST_OF_4000 "/16");
    sim_nic_add(stranger, LAST_OF_4000 "/16");
    s.agent->send_ns = 10 * NSEC_PER_USEC;
    scene_run(&s, NSEC_PER_SEC);
    assert_state(&s, "up");
    sim_host_set_alive(s.source, false);
    crash_ns = scene_now(&s);
    scene_run(&s, NSEC_PER_SEC);
    assert_state(&s, "holding");
    assert_int_equal(sim_agent_said(s.agent, "stood still"), 0);
    assert_in_range(sim_agent_did_ns(s.agent, SIM_CLAIM, SCENE_IP) - crash_ns, 20 * NSEC_PER_MSEC, 200 * NSEC_PER_MSEC);
    assert_holds(&s, "192.0.119.198");
    assert_free(&s, LAST_OF_4000);
    scene_end(&s);
}

/* To ask them all takes longer than an interval: rounds come later than the file says, and so does the verdict. */
static void more_rounds_than_it_can_send(void **state)
{
    struct scene s;
    nsec_t crash_ns;

    (void)state;
    scene_begin(&s);
    watch_many(&s, 1000, "");
    s.agent->send_ns = 30 * NSEC_PER_USEC;
    scene_run(&s, 10 * NSEC_PER_SEC);
    assert_state(&s, "up");
    assert_int_equal(s.agent->n_deeds, 0);
    sim_host_set_alive(s.source, false);
    crash_ns = scene_now(&s);
    scene_run(&s, NSEC_PER_SEC);
    assert_state(&s, "holding");
    assert_int_equal(sim_agent_said(s.agent, "stood still"), 0);
    assert_in_range(sim_agent_did_ns(s.agent, SIM_CLAIM, SCENE_IP) - crash_ns, 60 * NSEC_PER_MSEC, 500 * NSEC_PER_MSEC);
    scene_end(&s);
}

/* The wall clock is set again and again, by any amount, on a healthy source. */
static void tell_clock_steps(struct scene *s)
{
    for (int i = 0; i < 300; i++) {
        nsec_t by_ns = (nsec_t)sim_random_below(&s->world->random, 2 * NSEC_PER_HOUR) - NSEC_PER_HOUR;

        sim_host_step_clock(s->target, i % 2 ? by_ns : by_ns / (NSEC_PER_HOUR / NSEC_PER_SEC));
        scene_run(s, (nsec_t)sim_random_below(&s->world->random, 15 * NSEC_PER_MSEC));
    }
    scene_run(s, NSEC_PER_SEC);
    assert_state(s, "up");
    assert_int_equal(s->agent->n_deeds, 0);
}

static void clock_steps(void **state)
{
    (void)state;
    at_every_phase(FAST, 20, tell_clock_steps);
}

/* A step in the middle of a row of misses: the row begins anew. */
static void tell_a_clock_step_during_misses(struct scene *s)
{
    nsec_t step_ns;

    sim_host_set_alive(s->source, false);
    scene_run(s, 15 * NSEC_PER_MSEC);
    step_ns = scene_now(s);
    sim_host_step_clock(s->target, sim_random_hit(&s->world->random, 500000) ? NSEC_PER_HOUR : -NSEC_PER_HOUR);
    scene_run(s, NSEC_PER_SEC);
    assert_state(s, "holding");
    /* Rounds void, then three of them missed. */
    assert_in_range(sim_agent_did_ns(s->agent, SIM_CLAIM, SCENE_IP) - step_ns, 20 * NSEC_PER_MSEC, 50 * NSEC_PER_MSEC);
}

static void a_clock_step_during_misses(void **state)
{
    (void)state;
    at_every_phase(FAST, 50, tell_a_clock_step_during_misses);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stopped_for_three_seconds),
        cmocka_unit_test(stopped_with_sockets_that_overflow),
        cmocka_unit_test(stuttering),
        cmocka_unit_test(a_reply_in_the_queue),
        cmocka_unit_test(a_reply_without_room),
        cmocka_unit_test(stopped_over_the_crash),
        cmocka_unit_test(stopped_over_crash_and_return),
        cmocka_unit_test(stalled_while_verifying),
        cmocka_unit_test(overflowing_while_verifying),
        cmocka_unit_test(stalled_while_verifying_the_dead),
        cmocka_unit_test(stopped_while_holding),
        cmocka_unit_test(taken_off_while_nothing_is_heard),
        cmocka_unit_test(stopped_beyond_the_lease),
        cmocka_unit_test(a_busy_host),
        cmocka_unit_test(a_somewhat_busy_host_finds_the_dead),
        cmocka_unit_test(thousands_that_are_lost_together),
        cmocka_unit_test(more_rounds_than_it_can_send),
        cmocka_unit_test(clock_steps),
        cmocka_unit_test(a_clock_step_during_misses),
    };

    return scene_tell(tests);
}
