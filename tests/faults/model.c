/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One story, told again and again: load, takeover, status, two reloads, return and failback; each time another
 * allocation, port call or answer of the kernel fails, once or from then on. While they fail, the invariants of
 * libjudge.c hold and the kernel has nothing that the agent does not know of. When they are over, the agent does all
 * that it is for. FAULTS=all: each with every errno. FAULT=... tells one alone, as a failure names it.
 */
#include <errno.h>

#include "tests/faults/fault.h"
#include "tests/sim/libscene.h"

#define TOP "defaults { interval 20ms; misses 3 }\nwitness 192.0.2.1\n"
#define BOTH "nic eth0 { 192.0.2.10/24 dev eth0; 2001:db8::10/64 dev eth0 } }\n"
/* Nothing of it decides whether something is claimed; what stops before a failback may refuse it. */
#define SERVICES                                                                                                 \
    "probe tcp 443 { interval 100ms; timeout 100ms }\nprobe exec \"/etc/h/check\" { interval 1s }\n"             \
    "hook post-takeover \"/etc/h/tell\"\nhook pre-failback \"/etc/h/drain\"\nhook alarm \"/etc/h/alarm\"\nunit " \
    "a.service\n"
/* Where no lease takes off what was forgotten, a lost release shows. */
static const char *const files[] = {TOP "source web1 { lease off; " BOTH, TOP "source web1 { lease 2s; " SERVICES BOTH};
static const char *const narrower[] = {TOP "source web1 { lease off; nic eth0 { 192.0.2.10/24 dev eth0 } }\n", TOP
                                       "source web1 { lease 2s; " SERVICES "nic eth0 { 192.0.2.10/24 dev eth0 } }\n"};

struct trial {
    enum fault_kind kind;
    uint64_t nth;
    bool lasting;
    int error;
    bool leased;
};

static const char *const kind_names[FAULT_KINDS] = {"memory", "port", "result", "unheard", "unsent"};

struct told {
    struct scene scene;
    const struct trial *trial;
    unsigned answers;
    bool ok; /* the newest answer */
};

#define must(told, holds)                      \
    do {                                       \
        if (!(holds))                          \
            fail_with(told, #holds, __LINE__); \
    } while (0)

static _Noreturn void fail_with(const struct told *t, const char *what, int line)
{
    const struct trial *trial = t->trial;

    fault_arm(false);
    fail_msg("%s (line %d); FAULT=%s,%" PRIu64 ",%d,%d,%d SEED=%" PRIu64, what, line, kind_names[trial->kind],
             trial->nth, trial->lasting, trial->error, trial->leased, sim_seed());
    abort();
}

static void run(struct told *t, nsec_t for_ns)
{
    sim_run(t->scene.world, for_ns);
    if (t->scene.world->n_violations > 0)
        fail_with(t, t->scene.world->violation, 0);
}

struct search {
    const struct sim_nic *nic;
    const struct sim_address *address;
    bool found;
};

static void look(void *userdata, int ifindex, const struct ip_address *ip, uint8_t prefix)
{
    struct search *search = userdata;

    search->found |= search->nic->ifindex == ifindex && ip_address_equal(&search->address->ip, ip) &&
                     search->address->prefix == prefix;
}

/* Whether the agent knows of all that the kernel has by its claims. */
static bool knows_all(const struct told *t)
{
    const struct sim_nic *nic = t->scene.target_nic;

    for (size_t i = 0; i < nic->n_addresses; i++) {
        struct search search = {.nic = nic, .address = &nic->addresses[i]};

        if (!nic->addresses[i].claimed)
            continue;
        agent_each_held(t->scene.agent->agent, look, &search);
        if (!search.found && agent_is_idle(t->scene.agent->agent))
            return false;
    }
    return true;
}

static void confirm(void *userdata, int ifindex, const struct ip_address *ip, uint8_t prefix)
{
    struct told *t = userdata;
    const struct sim_nic *nic = sim_host_nic(t->scene.target, ifindex);
    const struct sim_address *there = nic ? sim_nic_find(nic, ip) : NULL;

    must(t, there && there->claimed && there->prefix == prefix);
}

/* Both ways: nothing is there that it does not know, and what it says is there is there. */
static void compare(struct told *t)
{
    must(t, knows_all(t));
    agent_each_held(t->scene.agent->agent, confirm, t);
}

static size_t claimed(const struct told *t)
{
    const struct sim_nic *nic = t->scene.target_nic;
    size_t n = 0;

    for (size_t i = 0; i < nic->n_addresses; i++)
        n += nic->addresses[i].claimed;
    return n;
}

static void take_answer(void *cookie, char *text)
{
    struct told *t = cookie;

    t->answers++;
    t->ok = text && strstr(text, "\"ok\":true");
    free(text);
}

/* The request is the client's: it is whole. */
static void command(struct told *t, const char *name, bool faulty)
{
    nsec_t now_ns = scene_now(&t->scene);
    json_t *request;

    fault_arm(false);
    request = json_pack("{s:s, s:s}", "command", name, "source", "web1");
    fault_arm(faulty);
    agent_command(t->scene.agent->agent, now_ns, request, take_answer, t);
    agent_flush(t->scene.agent->agent, now_ns);
    sim_agent_wake(t->scene.agent);
    json_decref(request);
}

static const char *file(const struct told *t)
{
    return files[t->trial->leased];
}

/* The part in which things fail. */
static void tell_faulty(struct told *t)
{
    fault_arm(true);
    t->scene.agent = sim_agent_start(t->scene.target, file(t));
    run(t, 500 * NSEC_PER_MSEC);
    sim_host_set_alive(t->scene.source, false);
    run(t, 500 * NSEC_PER_MSEC);
    must(t, knows_all(t));
    command(t, "status", true);
    must(t, t->answers == 1);
    (void)fault_reload(t->scene.agent, narrower[t->trial->leased]);
    run(t, 200 * NSEC_PER_MSEC);
    must(t, knows_all(t));
    (void)fault_reload(t->scene.agent, file(t));
    run(t, 500 * NSEC_PER_MSEC);
    must(t, knows_all(t));
    sim_host_set_alive(t->scene.source, true);
    command(t, "failback", true);
    run(t, 1500 * NSEC_PER_MSEC);
    must(t, knows_all(t));
}

/* Nothing is held any more, and the source is watched. */
static void give_back(struct told *t)
{
    sim_host_set_alive(t->scene.source, true);
    command(t, "failback", false);
    run(t, 5 * NSEC_PER_SEC);
    compare(t);
    must(t, claimed(t) == 0);
    must(t, strcmp(sim_agent_state(t->scene.agent, "web1", "eth0"), "up") == 0);
}

/* Nothing fails any more: what there is is known, and the next takeover and failback are as they should. */
static void tell_whole(struct told *t)
{
    unsigned answers;

    fault_arm(false);
    run(t, 3 * NSEC_PER_SEC);
    compare(t);
    must(t, fault_reload(t->scene.agent, file(t)) == 0);
    run(t, NSEC_PER_SEC);
    compare(t);
    give_back(t);
    sim_host_set_alive(t->scene.source, false);
    run(t, 2 * NSEC_PER_SEC);
    compare(t);
    must(t, claimed(t) == 2);
    must(t, strcmp(sim_agent_state(t->scene.agent, "web1", "eth0"), "holding") == 0);
    must(t, strcmp(sim_agent_proof(t->scene.agent, "web1", "eth0", SCENE_IP), "confirmed") == 0);
    answers = t->answers;
    give_back(t);
    must(t, t->answers == answers + 1 && t->ok);
}

static void tell(const struct trial *trial)
{
    struct told t = {.trial = trial};
    size_t before = fault_living(); /* a trial that failed leaves its own */

    fault_begin(trial->kind, trial->nth, trial->lasting, trial->error);
    scene_begin(&t.scene);
    t.scene.pings = sim_client_new(t.scene.client_nic, "192.0.2.30", SCENE_IP, SCENE_PING_NS);
    tell_faulty(&t);
    tell_whole(&t);
    sim_world_free(t.scene.world);
    must(&t, fault_living() == before);
}

/* How many chances of that kind the story has when none of them fails. */
static uint64_t count_chances(enum fault_kind kind, bool leased)
{
    tell(&(struct trial){.kind = kind, .leased = leased});
    return fault_count();
}

static const int errors[] = {ENOBUFS, ENOMEM, EPERM, EINTR, EAGAIN, EIO};
#define N_ERRORS (sizeof errors / sizeof *errors)

/* Every chance, with one errno or (FAULTS=all) each. */
static void tell_many(enum fault_kind kind, bool lasting)
{
    const char *wish = getenv("FAULTS");
    unsigned n_errors = wish && strcmp(wish, "all") == 0 && kind != FAULT_MEMORY ? N_ERRORS : 1;
    uint64_t chances[2], hits = 0;

    for (unsigned leased = 0; leased < 2; leased++) {
        chances[leased] = count_chances(kind, leased);
        for (uint64_t nth = 1; nth <= chances[leased]; nth++)
            for (unsigned i = 0; i < n_errors; i++) {
                int error = kind == FAULT_MEMORY ? ENOMEM : errors[(nth + i) % N_ERRORS];

                tell(&(struct trial){.kind = kind, .nth = nth, .lasting = lasting, .error = error, .leased = leased});
                hits += fault_hits() > 0;
            }
    }
    print_message("# %s, %s: all of %" PRIu64 " and %" PRIu64 " chances, each with %u errno, %" PRIu64 " failures\n",
                  kind_names[kind], lasting ? "from the Nth on" : "the Nth", chances[0], chances[1], n_errors, hits);
    assert_true(hits > chances[1] * n_errors);
}

static void memory_once(void **state)
{
    (void)state;
    tell_many(FAULT_MEMORY, false);
}

static void memory_lasting(void **state)
{
    (void)state;
    tell_many(FAULT_MEMORY, true);
}

static void ports_once(void **state)
{
    (void)state;
    tell_many(FAULT_PORT, false);
}

static void ports_lasting(void **state)
{
    (void)state;
    tell_many(FAULT_PORT, true);
}

static void results_once(void **state)
{
    (void)state;
    tell_many(FAULT_RESULT, false);
}

static void results_lasting(void **state)
{
    (void)state;
    tell_many(FAULT_RESULT, true);
}

static void unheard_once(void **state)
{
    (void)state;
    tell_many(FAULT_UNHEARD, false);
}

static void unheard_lasting(void **state)
{
    (void)state;
    tell_many(FAULT_UNHEARD, true);
}

static void unsent_once(void **state)
{
    (void)state;
    tell_many(FAULT_UNSENT, false);
}

static void unsent_lasting(void **state)
{
    (void)state;
    tell_many(FAULT_UNSENT, true);
}

/* FAULT=kind,nth,lasting,errno,leased of the environment. */
static void the_one(void **state)
{
    struct trial trial = {.kind = FAULT_KINDS};
    char kind[16] = "";
    int lasting = 0, leased = 0;

    (void)state;
    if (sscanf(getenv("FAULT"), "%15[a-z],%" SCNu64 ",%d,%d,%d", kind, &trial.nth, &lasting, &trial.error, // NOLINT
               &leased) != 5)
        fail_msg("FAULT=kind,nth,lasting,errno,leased");
    trial.leased = leased != 0;
    trial.lasting = lasting != 0;
    for (unsigned i = 0; i < FAULT_KINDS; i++)
        if (strcmp(kind, kind_names[i]) == 0)
            trial.kind = (enum fault_kind)i;
    assert_true(trial.kind != FAULT_KINDS);
    tell(&trial);
    assert_true(fault_hits() > 0);
}

int main(void)
{
    const struct CMUnitTest one[] = {cmocka_unit_test(the_one)};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_once),    cmocka_unit_test(memory_lasting),  cmocka_unit_test(ports_once),
        cmocka_unit_test(ports_lasting),  cmocka_unit_test(results_once),    cmocka_unit_test(results_lasting),
        cmocka_unit_test(unheard_once),   cmocka_unit_test(unheard_lasting), cmocka_unit_test(unsent_once),
        cmocka_unit_test(unsent_lasting),
    };

    json_set_alloc_funcs(fault_malloc, free);
    return getenv("FAULT") ? scene_tell(one) : scene_tell(tests);
}
