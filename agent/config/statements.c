/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config/statements.h"

#include "agent/config/apply.h"
#include "agent/config/text.h"

#define FIELD(member)                                                             \
    {                                                                             \
        offsetof(struct settings, member), sizeof(((struct settings *)0)->member) \
    }
#define IN_SOURCES (IN(BLOCK_DEFAULTS) | IN(BLOCK_SOURCE))
#define IN_ANY (IN(BLOCK_TOP) | IN(BLOCK_DEFAULTS) | IN(BLOCK_SOURCE) | IN(BLOCK_NIC) | IN(BLOCK_ADDRESS))
#define NSEC_PER_DAY (24 * NSEC_PER_HOUR)

_Static_assert(STATEMENTS <= 64, "a statement is a bit of struct settings.given");
_Static_assert(sizeof(enum ipmap_takeover) == sizeof(unsigned), "choices are kept as unsigned");

const struct choice takeover_choices[] = {
    [IPMAP_TAKEOVER_AUTOMATIC] = {"automatic", IPMAP_TAKEOVER_AUTOMATIC},
    [IPMAP_TAKEOVER_MANUAL] = {"manual", IPMAP_TAKEOVER_MANUAL},
    [IPMAP_TAKEOVER_NOTIFY] = {"notify", IPMAP_TAKEOVER_NOTIFY},
    {0},
};
static const struct choice failback_choices[] = {
    {"manual", IPMAP_FAILBACK_MANUAL},
    {"automatic", IPMAP_FAILBACK_AUTOMATIC},
    {0},
};
static const struct choice trigger_choices[] = {
    {"all", IPMAP_TRIGGER_ALL},
    {"any", IPMAP_TRIGGER_ANY},
    {0},
};
static const struct choice approval_choices[] = {
    {"deny", IPMAP_APPROVAL_DENY},
    {"approve", IPMAP_APPROVAL_APPROVE},
    {0},
};
static const struct choice flag_choices[] = {{"yes", true}, {"no", false}, {0}};

#define UNSUPPORTED(id, name_, variant_) \
    [id] = {.name = name_, .variant = variant_, .blocks = IN_ANY, .status = STATUS_UNSUPPORTED, .repeats = true}
#define TAKEOVER(id, name_, variant_, status_, member) \
    [id] = {.name = name_,                             \
            .variant = variant_,                       \
            .blocks = IN_SOURCES,                      \
            .status = status_,                         \
            .apply = apply_choice,                     \
            .choices = takeover_choices,               \
            .fields = {member}}
#define NOT_KEPT \
    {            \
        0        \
    }

const struct statement_kind statement_kinds[STATEMENTS] = {
    [STATEMENT_DEFAULTS] = {.name = "defaults",
                            .blocks = IN(BLOCK_TOP),
                            .opens = BLOCK_DEFAULTS,
                            .needs_block = true,
                            .takes = "a block and no name",
                            .apply = apply_defaults},
    [STATEMENT_SOURCE] = {.name = "source",
                          .blocks = IN(BLOCK_TOP),
                          .repeats = true,
                          .opens = BLOCK_SOURCE,
                          .needs_block = true,
                          .takes = "a name and a block",
                          .apply = apply_source},
    [STATEMENT_NIC] = {.name = "nic",
                       .blocks = IN(BLOCK_SOURCE),
                       .repeats = true,
                       .opens = BLOCK_NIC,
                       .needs_block = true,
                       .takes = "a name and a block",
                       .apply = apply_nic},
    [STATEMENT_ADDRESS] = {.name = "an address",
                           .blocks = IN(BLOCK_NIC),
                           .repeats = true,
                           .opens = BLOCK_ADDRESS,
                           .takes = "'ADDRESS/PREFIX dev NIC', maybe with 'or NIC'",
                           .apply = apply_address},
    [STATEMENT_INCLUDE] = {.name = "include",
                           .blocks = IN(BLOCK_TOP),
                           .repeats = true,
                           .takes = "the name of a file, or a pattern",
                           .apply = apply_include},
    [STATEMENT_WITNESS] = {.name = "witness",
                           .blocks = IN(BLOCK_TOP) | IN(BLOCK_SOURCE),
                           .repeats = true,
                           .takes = "addresses with ',' between them, or none",
                           .apply = apply_witness},
    [STATEMENT_INTERVAL] = {.name = "interval",
                            .blocks = IN_SOURCES,
                            .apply = apply_duration,
                            .duration = {LIMIT_INTERVAL_MIN_NS, LIMIT_INTERVAL_MAX_NS},
                            .fields = {FIELD(values.interval_ns)}},
    [STATEMENT_MISSES] = {.name = "misses",
                          .blocks = IN_SOURCES,
                          .apply = apply_number,
                          .number = {1, LIMIT_MISSES_MAX},
                          .fields = {FIELD(values.misses)}},
    [STATEMENT_PROBE_ARP] = {.name = "probe",
                             .variant = "arp",
                             .blocks = IN_SOURCES,
                             .apply = apply_probe,
                             .fields = {FIELD(values.probes)}},
    [STATEMENT_PROBE_ND] = {.name = "probe",
                            .variant = "nd",
                            .blocks = IN_SOURCES,
                            .apply = apply_probe,
                            .fields = {FIELD(values.probes)}},
    [STATEMENT_PROBE_ICMP] = {.name = "probe",
                              .variant = "icmp",
                              .blocks = IN_SOURCES,
                              .apply = apply_probe,
                              .fields = {FIELD(values.probes)}},
    [STATEMENT_TRIGGER] = {.name = "trigger",
                           .blocks = IN_SOURCES | IN(BLOCK_NIC),
                           .apply = apply_trigger,
                           .choices = trigger_choices,
                           .fields = {FIELD(trigger)}},
    [STATEMENT_MONITOR] = {.name = "monitor",
                           .blocks = IN(BLOCK_ADDRESS),
                           .apply = apply_monitor,
                           .choices = flag_choices},
    TAKEOVER(STATEMENT_TAKEOVER, "takeover", NULL, STATUS_IN_EFFECT, FIELD(takeover)),
    TAKEOVER(STATEMENT_ON_HOST, "on", "host", STATUS_IN_EFFECT, FIELD(values.on_host)),
    TAKEOVER(STATEMENT_ON_NIC, "on", "nic", STATUS_IN_EFFECT, FIELD(values.on_nic)),
    TAKEOVER(STATEMENT_ON_SERVICE, "on", "service", STATUS_LATER, NOT_KEPT),
    [STATEMENT_APPROVAL_TIMEOUT] = {.name = "approval-timeout",
                                    .blocks = IN_SOURCES,
                                    .apply = apply_duration,
                                    .duration = {NSEC_PER_SEC, 7 * NSEC_PER_DAY},
                                    .word = "none",
                                    .fields = {FIELD(values.approval_timeout_ns)}},
    [STATEMENT_APPROVAL_DEFAULT] = {.name = "approval-default",
                                    .blocks = IN_SOURCES,
                                    .apply = apply_choice,
                                    .choices = approval_choices,
                                    .fields = {FIELD(values.approval_default)}},
    [STATEMENT_CLAIM_UNSEEN] = {.name = "claim-unseen",
                                .blocks = IN_SOURCES,
                                .apply = apply_flag,
                                .choices = flag_choices,
                                .fields = {FIELD(values.claim_unseen)}},
    [STATEMENT_VERIFY] = {.name = "verify",
                          .blocks = IN_SOURCES,
                          .apply = apply_rate,
                          .number = {1, 10},
                          .duration = {1 * NSEC_PER_MSEC, 10 * NSEC_PER_SEC},
                          .word = "within",
                          .fields = {FIELD(values.verify_asks), FIELD(values.verify_within_ns)}},
    [STATEMENT_FAILBACK] = {.name = "failback",
                            .blocks = IN_SOURCES,
                            .apply = apply_choice,
                            .choices = failback_choices,
                            .fields = {FIELD(values.failback)}},
    [STATEMENT_ANNOUNCE_SOURCE] = {.name = "announce-source",
                                   .blocks = IN_SOURCES,
                                   .apply = apply_flag,
                                   .choices = flag_choices,
                                   .fields = {FIELD(values.announce_source)}},
    [STATEMENT_LEASE] = {.name = "lease",
                         .blocks = IN_SOURCES,
                         .status = STATUS_IN_EFFECT,
                         .apply = apply_duration,
                         .duration = {1 * NSEC_PER_SEC, 1 * NSEC_PER_HOUR},
                         .word = "off",
                         .fields = {FIELD(values.lease_ns)}},
    [STATEMENT_GUARD] = {.name = "guard",
                         .blocks = IN(BLOCK_TOP) | IN(BLOCK_DEFAULTS),
                         .status = STATUS_IN_EFFECT,
                         .apply = apply_duration,
                         .duration = {100 * NSEC_PER_MSEC, 1 * NSEC_PER_HOUR},
                         .word = "off",
                         .fields = {FIELD(guard_ns)}},
    [STATEMENT_HOLD_DOWN] = {.name = "hold-down",
                             .blocks = IN_SOURCES,
                             .apply = apply_hold_down,
                             .duration = {0, 7 * NSEC_PER_DAY},
                             .fields = {FIELD(values.hold_down_ns)}},
    [STATEMENT_MAX_TAKEOVERS] = {.name = "max-takeovers",
                                 .blocks = IN_SOURCES,
                                 .apply = apply_rate,
                                 .number = {1, LIMIT_TAKEOVERS_MAX},
                                 .duration = {1 * NSEC_PER_SEC, 7 * NSEC_PER_DAY},
                                 .word = "per",
                                 .fields = {FIELD(values.max_takeovers), FIELD(values.max_takeovers_per_ns)}},
    [STATEMENT_BURST] = {.name = "burst",
                         .blocks = IN_SOURCES,
                         .apply = apply_duration,
                         .duration = {LIMIT_INTERVAL_MIN_NS, LIMIT_INTERVAL_MAX_NS},
                         .word = "off",
                         .fields = {FIELD(values.burst_ns)}},
    UNSUPPORTED(STATEMENT_PROBE_TCP, "probe", "tcp"),
    UNSUPPORTED(STATEMENT_PROBE_URL, "probe", "url"),
    UNSUPPORTED(STATEMENT_PROBE_EXEC, "probe", "exec"),
    UNSUPPORTED(STATEMENT_PROBE_HEARTBEAT, "probe", "heartbeat"),
    UNSUPPORTED(STATEMENT_FENCE, "fence", NULL),
    UNSUPPORTED(STATEMENT_HOOK, "hook", NULL),
    UNSUPPORTED(STATEMENT_UNIT, "unit", NULL),
    UNSUPPORTED(STATEMENT_CHECK, "check", NULL),
    UNSUPPORTED(STATEMENT_RECOVER, "recover", NULL),
    UNSUPPORTED(STATEMENT_HEARTBEAT, "heartbeat", NULL),
    UNSUPPORTED(STATEMENT_TARGET, "target", NULL),
    UNSUPPORTED(STATEMENT_DNS, "dns", NULL),
    UNSUPPORTED(STATEMENT_HOST, "host", NULL),
    UNSUPPORTED(STATEMENT_KEY_FILE, "key-file", NULL),
    UNSUPPORTED(STATEMENT_FORCE, "force", NULL),
};

enum statement_id statement_id(const struct statement_kind *kind)
{
    return (enum statement_id)(kind - statement_kinds);
}

size_t statement_name_words(const struct statement_kind *kind)
{
    return kind->variant ? 2 : 1;
}
