/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/control/fields.h"

#include "agent/control/report.h"

#define MEMBER(structure, member) (((structure *)NULL)->member)
/* offsetof, and a compile error where the member is not of the type that the row's kind reads. */
#define OFFSET(structure, member, type) \
    (offsetof(structure, member) +      \
     0 * sizeof(char[__builtin_types_compatible_p(__typeof__(MEMBER(structure, member)), type) ? 1 : -1]))
#define ROW(kind_, structure, member, type)                                         \
    {                                                                               \
        .name = #member, .offset = OFFSET(structure, member, type), .kind = (kind_) \
    }

#define TEXT(structure, member) ROW(FIELD_TEXT, structure, member, const char *)
#define BOOL(structure, member) ROW(FIELD_BOOL, structure, member, bool)
#define UINT8(structure, member) ROW(FIELD_UINT8, structure, member, uint8_t)
#define UINT32(structure, member) ROW(FIELD_UINT32, structure, member, uint32_t)
#define UINT64(structure, member) ROW(FIELD_UINT64, structure, member, uint64_t)
#define INT64(structure, member) ROW(FIELD_INT64, structure, member, int64_t)
#define AGE(structure, member) ROW(FIELD_AGE, structure, member, nsec_t)
#define SPAN(structure, member) ROW(FIELD_SPAN, structure, member, nsec_t)
#define IP(structure, member) ROW(FIELD_IP, structure, member, struct ip_address)
#define MAC(structure, member) ROW(FIELD_MAC, structure, member, struct mac_address)
#define IP_PREFIX(structure, member, prefix_)                                    \
    {                                                                            \
        .name = #member, .offset = OFFSET(structure, member, struct ip_address), \
        .beside = OFFSET(structure, prefix_, uint8_t), .kind = FIELD_IP_PREFIX   \
    }
#define STRUCT(structure, member, type, table)                                                              \
    {                                                                                                       \
        .name = #member, .offset = OFFSET(structure, member, type), .fields = (table), .kind = FIELD_STRUCT \
    }
#define LIST(structure, member, type, table)                                                                         \
    {                                                                                                                \
        .name = #member, .offset = OFFSET(structure, member, const type *),                                          \
        .beside = OFFSET(structure, n_##member, size_t), .size = sizeof(type), .fields = (table), .kind = FIELD_LIST \
    }
#define END          \
    {                \
        .name = NULL \
    }

static const struct field address_fields[] = {
    IP_PREFIX(struct report_address, ip, prefix),
    UINT8(struct report_address, prefix),
    BOOL(struct report_address, monitored),
    TEXT(struct report_address, life),
    TEXT(struct report_address, cannot_probe),
    MAC(struct report_address, mac),
    UINT32(struct report_address, misses),
    UINT32(struct report_address, misses_limit),
    AGE(struct report_address, last_answer_age_ns),
    TEXT(struct report_address, last_answer_probe),
    SPAN(struct report_address, rtt_min_ns),
    SPAN(struct report_address, rtt_avg_ns),
    SPAN(struct report_address, rtt_p99_ns),
    SPAN(struct report_address, wait_ns),
    UINT64(struct report_address, rounds),
    UINT64(struct report_address, answered),
    UINT64(struct report_address, missed),
    UINT64(struct report_address, late),
    UINT64(struct report_address, voided),
    TEXT(struct report_address, dev),
    TEXT(struct report_address, fallback),
    TEXT(struct report_address, claim),
    TEXT(struct report_address, claim_error),
    TEXT(struct report_address, held_on),
    TEXT(struct report_address, proof),
    IP(struct report_address, proof_by),
    SPAN(struct report_address, proof_after_ns),
    UINT32(struct report_address, announced),
    BOOL(struct report_address, source_answers),
    END,
};

static const struct field nic_fields[] = {
    TEXT(struct report_nic, name),
    TEXT(struct report_nic, state),
    AGE(struct report_nic, since_age_ns),
    TEXT(struct report_nic, reason),
    AGE(struct report_nic, time_to_fail_ns),
    AGE(struct report_nic, approval_left_ns),
    TEXT(struct report_nic, trigger),
    LIST(struct report_nic, addresses, struct report_address, address_fields),
    END,
};

static const struct field check_fields[] = {
    TEXT(struct report_check, name),           TEXT(struct report_check, state),
    BOOL(struct report_check, running),        UINT32(struct report_check, misses),
    UINT32(struct report_check, misses_limit), AGE(struct report_check, begun_age_ns),
    AGE(struct report_check, passed_age_ns),   SPAN(struct report_check, took_ns),
    TEXT(struct report_check, outcome),        UINT64(struct report_check, rounds),
    UINT64(struct report_check, passes),       UINT64(struct report_check, failures),
    UINT64(struct report_check, unable),       END,
};

static const struct field unit_fields[] = {
    TEXT(struct report_unit, name),
    TEXT(struct report_unit, state),
    TEXT(struct report_unit, text),
    END,
};

static const struct field source_fields[] = {
    TEXT(struct report_source, name),
    TEXT(struct report_source, state),
    BOOL(struct report_source, healthy),
    BOOL(struct report_source, paused),
    TEXT(struct report_source, takeover),
    AGE(struct report_source, interval_ns),
    UINT32(struct report_source, misses),
    LIST(struct report_source, nics, struct report_nic, nic_fields),
    TEXT(struct report_source, service),
    AGE(struct report_source, service_since_age_ns),
    TEXT(struct report_source, service_reason),
    TEXT(struct report_source, on_service),
    TEXT(struct report_source, step),
    AGE(struct report_source, step_age_ns),
    TEXT(struct report_source, trouble),
    TEXT(struct report_source, dns),
    TEXT(struct report_source, dns_text),
    LIST(struct report_source, checks, struct report_check, check_fields),
    LIST(struct report_source, units, struct report_unit, unit_fields),
    END,
};

static const struct field target_fields[] = {
    TEXT(struct report_target, name),
    BOOL(struct report_target, present),
    BOOL(struct report_target, up),
    BOOL(struct report_target, carrier),
    TEXT(struct report_target, own_address),
    TEXT(struct report_target, witness),
    END,
};

static const struct field lateness_fields[] = {
    SPAN(struct report_lateness, below_ns),
    UINT64(struct report_lateness, turns),
    END,
};

static const struct field agent_fields[] = {
    TEXT(struct report_agent, version),
    TEXT(struct report_agent, file),
    UINT64(struct report_agent, file_generation),
    TEXT(struct report_agent, file_error),
    AGE(struct report_agent, uptime_ns),
    INT64(struct report_agent, pid),
    BOOL(struct report_agent, paused),
    TEXT(struct report_agent, realtime),
    TEXT(struct report_agent, guard),
    TEXT(struct report_agent, journal),
    TEXT(struct report_agent, memory_lock),
    UINT64(struct report_agent, turns),
    UINT64(struct report_agent, stalls),
    AGE(struct report_agent, lateness_p99_ns),
    AGE(struct report_agent, lateness_max_ns),
    LIST(struct report_agent, lateness, struct report_lateness, lateness_fields),
    UINT64(struct report_agent, netlink_overruns),
    END,
};

const struct field report_fields[] = {
    STRUCT(struct report, agent, struct report_agent, agent_fields),
    LIST(struct report, targets, struct report_target, target_fields),
    LIST(struct report, sources, struct report_source, source_fields),
    END,
};
