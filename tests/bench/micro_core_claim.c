/* SPDX-License-Identifier: Apache-2.0 */
/* The core: a round of many healthy addresses, and one source lost with all of them, verified and claimed. */
#include "agent/core/core.h"
#include "tests/bench/micro.h"

#define MISSES 3
#define INTERVAL_NS (10 * NSEC_PER_MSEC)
#define ROUNDS 10

static const struct mac_address source_mac = {{2, 0, 0, 0, 0, 1}}, own_mac = {{2, 0, 0, 0, 0, 5}};
static struct core core;
static struct core_source source;
static struct core_nic nic;
static struct core_target target;
static struct heap_entry entry;
static uint32_t position;
static uint32_t *claims; /* what the core wants claimed, as long as it is not told of it */
static uint32_t n_claims, n_announced;
static nsec_t now_ns;

static void act(void *userdata, const struct core_action *action)
{
    (void)userdata;
    if (action->type == CORE_CLAIM)
        claims[n_claims++] = action->address;
    n_announced += action->type == CORE_ANNOUNCE;
}

static void prepare(unsigned operations)
{
    struct core_address *addresses = calloc(operations, sizeof *addresses);

    claims = calloc(operations, sizeof *claims);
    MICRO_MUST(addresses && claims);
    n_claims = n_announced = 0;
    now_ns = 1000 * NSEC_PER_SEC;
    source = (struct core_source){.n_nics = 1,
                                  .misses = MISSES,
                                  .verify_asks = MISSES,
                                  .look_ns = 250 * NSEC_PER_MSEC,
                                  .verify_spacing_ns = INTERVAL_NS,
                                  .approval_timeout_ns = NSEC_NEVER};
    nic = (struct core_nic){.n_addresses = operations};
    for (unsigned i = 0; i < operations; i++)
        addresses[i] = (struct core_address){.target = {0, CORE_NO_TARGET}, .monitored = true, .asked_by_link = true};
    target = (struct core_target){.mac = own_mac};
    position = 0;
    core = (struct core){.sources = &source,
                         .nics = &nic,
                         .addresses = addresses,
                         .targets = &target,
                         .n_sources = 1,
                         .n_nics = 1,
                         .n_addresses = operations,
                         .n_targets = 1,
                         .act = act};
    heap_init(&core.timers, &entry, &position, 1);
    core_init(&core, now_ns);
    core_on_link(&core, now_ns, 0, true);
}

static void answered(unsigned operations)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        now_ns += INTERVAL_NS;
        for (unsigned i = 0; i < operations; i++)
            core_on_answer(&core, now_ns, i, &source_mac);
    }
    MICRO_MUST(nic.state == CORE_UP);
}

static void prepare_alive(unsigned operations)
{
    prepare(operations);
    answered(operations);
}

static void pass(nsec_t until_ns)
{
    while (core_deadline(&core) <= until_ns) {
        now_ns = nsec_max(now_ns, core_deadline(&core));
        core_on_time(&core, now_ns);
    }
    now_ns = until_ns;
}

/* From the first miss to the last announcement. */
static void claim(unsigned operations)
{
    for (uint32_t miss = 1; miss <= MISSES; miss++) {
        pass(now_ns + INTERVAL_NS);
        for (unsigned i = 0; i < operations; i++)
            core_on_miss(&core, now_ns, i, miss, NSEC_PER_MSEC);
        core_on_witness(&core, now_ns, 0, now_ns);
    }
    for (unsigned i = 0; i < 10 && n_claims == 0; i++)
        pass(now_ns + INTERVAL_NS);
    for (unsigned i = 0; i < n_claims; i++)
        core_on_claimed(&core, now_ns, claims[i], 0);
    MICRO_MUST(n_announced == operations && nic.state == CORE_HOLDING);
}

static void clean(void)
{
    free(core.addresses);
    free(claims);
}

int main(int argc, char **argv)
{
    const struct micro list[] = {
        {"core_answers", 1000, prepare, answered, clean},
        {"core_claim_1000", 1000, prepare_alive, claim, clean},
        {"core_claim_10000", 10000, prepare_alive, claim, clean},
    };

    return micro_main(argc, argv, list, sizeof list / sizeof *list);
}
