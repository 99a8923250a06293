/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A report with one of everything: db1/eth0 is held here, db1/eth1 is late, web1/eth0 is well, fw/lan is blocked. A
 * service of web1 has failed; those of db1 have moved here.
 */
#pragma once

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/control/report.h"

#define IP4(a, b, c, d)                                   \
    {                                                     \
        .family = AF_INET, .bytes = {(a), (b), (c), (d) } \
    }
#define IP6_DB8(last)                                                          \
    {                                                                          \
        .family = AF_INET6, .bytes = { 0x20, 0x01, 0x0d, 0xb8, [15] = (last) } \
    }

static const struct report_address sample_held[] = {
    {
        .ip = IP4(192, 0, 2, 10),
        .prefix = 24,
        .monitored = true,
        .life = "lost",
        .mac = {{0x52, 0x54, 0x00, 0x12, 0x34, 0x56}},
        .misses = 5,
        .misses_limit = 5,
        .last_answer_age_ns = 13300 * NSEC_PER_MSEC,
        .last_answer_probe = "icmp",
        .rtt_min_ns = 180 * NSEC_PER_USEC,
        .rtt_avg_ns = 220 * NSEC_PER_USEC,
        .rtt_p99_ns = 1400 * NSEC_PER_USEC,
        .wait_ns = 1220 * NSEC_PER_USEC,
        .rounds = 1000,
        .answered = 990,
        .missed = 5,
        .late = 1,
        .voided = 4,
        .dev = "eth0",
        .fallback = "eth1",
        .claim = "held",
        .held_on = "eth0",
        .proof = "confirmed",
        .proof_by = IP4(192, 0, 2, 1),
        .proof_after_ns = 840 * NSEC_PER_USEC,
        .announced = 6,
    },
    {
        .ip = IP6_DB8(0x10),
        .prefix = 64,
        .monitored = true,
        .life = "lost",
        .misses = 5,
        .misses_limit = 5,
        .last_answer_age_ns = NSEC_NEVER,
        .dev = "eth0",
        .claim = "held",
        .held_on = "eth0",
        .proof = "unconfirmed",
        .announced = 6,
        .source_answers = true,
    },
};

static const struct report_address sample_late[] = {
    {
        .ip = IP4(198, 51, 100, 10),
        .prefix = 24,
        .monitored = true,
        .life = "late",
        .misses = 2,
        .misses_limit = 5,
        .last_answer_age_ns = 512 * NSEC_PER_MSEC,
        .last_answer_probe = "arp",
        .dev = "eth1",
        .claim = "free",
    },
    {
        .ip = IP4(198, 51, 100, 11),
        .prefix = 24,
        .life = "not monitored",
        .last_answer_age_ns = NSEC_NEVER,
        .dev = "eth1",
        .claim = "free",
    },
};

static const struct report_address sample_up[] = {
    {
        .ip = IP4(192, 0, 2, 20),
        .prefix = 24,
        .monitored = true,
        .life = "up",
        .misses_limit = 5,
        .last_answer_age_ns = 80 * NSEC_PER_MSEC,
        .last_answer_probe = "arp",
        .dev = "eth0",
        .fallback = "eth1",
        .claim = "free",
    },
};

static const struct report_address sample_blocked[] = {
    {
        .ip = IP4(203, 0, 113, 1),
        .prefix = 24,
        .monitored = true,
        .life = "lost",
        .cannot_probe = "Network is down",
        .misses = 5,
        .misses_limit = 5,
        .last_answer_age_ns = 90 * NSEC_PER_SEC,
        .last_answer_probe = "arp",
        .dev = "eth2",
        .claim = "refused",
        .claim_error = "Cannot assign requested address",
    },
};

static const struct report_nic sample_db1_nics[] = {
    {
        .name = "eth0",
        .state = "holding",
        .since_age_ns = 12300 * NSEC_PER_MSEC,
        .reason = "no answer in 5 rounds from any address, and the witness 192.0.2.1 answered; "
                  "`standinctl failback db1/eth0` gives the addresses back",
        .time_to_fail_ns = NSEC_NEVER,
        .approval_left_ns = NSEC_NEVER,
        .trigger = "all",
        .addresses = sample_held,
        .n_addresses = 2,
    },
    {
        .name = "eth1",
        .state = "late",
        .since_age_ns = 400 * NSEC_PER_MSEC,
        .time_to_fail_ns = 600 * NSEC_PER_MSEC,
        .approval_left_ns = NSEC_NEVER,
        .trigger = "any",
        .addresses = sample_late,
        .n_addresses = 2,
    },
};

static const struct report_nic sample_web1_nics[] = {
    {
        .name = "eth0",
        .state = "up",
        .since_age_ns = 76 * NSEC_PER_HOUR,
        .time_to_fail_ns = NSEC_NEVER,
        .approval_left_ns = NSEC_NEVER,
        .trigger = "all",
        .addresses = sample_up,
        .n_addresses = 1,
    },
};

static const struct report_nic sample_fw_nics[] = {
    {
        .name = "lan",
        .state = "blocked",
        .since_age_ns = 252 * NSEC_PER_SEC,
        .reason = "eth2 has no carrier: our own cable is out, which says nothing about the source",
        .time_to_fail_ns = NSEC_NEVER,
        .approval_left_ns = NSEC_NEVER,
        .trigger = "all",
        .addresses = sample_blocked,
        .n_addresses = 1,
    },
};

static const struct report_check sample_db1_checks[] = {
    {
        .name = "tcp 5432",
        .state = "resting",
        .begun_age_ns = 14 * NSEC_PER_SEC,
        .passed_age_ns = 15 * NSEC_PER_SEC,
        .took_ns = 1 * NSEC_PER_SEC,
        .outcome = "timed out",
        .misses = 1,
        .misses_limit = 3,
        .rounds = 900,
        .passes = 898,
        .failures = 1,
        .unable = 1,
    },
};

static const struct report_unit sample_db1_units[] = {
    {.name = "srv-db1.mount", .state = "started"},
    {.name = "postgresql@db1.service", .state = "failed", .text = "the job ended as failed; see its journal"},
    {.name = "standin-db1.target"},
};

static const struct report_check sample_web1_checks[] = {
    {
        .name = "tcp 443",
        .state = "passing",
        .misses_limit = 3,
        .begun_age_ns = 300 * NSEC_PER_MSEC,
        .passed_age_ns = 299 * NSEC_PER_MSEC,
        .took_ns = 420 * NSEC_PER_USEC,
        .outcome = "accepted",
        .rounds = 12,
        .passes = 12,
    },
    {
        .name = "https://www.example.net/health",
        .state = "failed",
        .misses = 4,
        .misses_limit = 3,
        .begun_age_ns = 2 * NSEC_PER_SEC,
        .passed_age_ns = NSEC_NEVER,
        .took_ns = 31 * NSEC_PER_MSEC,
        .outcome = "status 503",
        .rounds = 4,
        .failures = 4,
    },
    {
        .name = "/usr/lib/checks/replication -v",
        .state = "unknown",
        .running = true,
        .misses_limit = 3,
        .begun_age_ns = 10 * NSEC_PER_MSEC,
        .passed_age_ns = NSEC_NEVER,
        .rounds = 1,
    },
};

static const struct report_source sample_sources[] = {
    {
        .name = "db1",
        .state = "holding",
        .takeover = "automatic",
        .interval_ns = 200 * NSEC_PER_MSEC,
        .misses = 5,
        .nics = sample_db1_nics,
        .n_nics = 2,
        .service = "failed",
        .service_since_age_ns = 13 * NSEC_PER_SEC,
        .on_service = "notify",
        .step = "hook post-takeover /usr/local/sbin/tell",
        .step_age_ns = 2 * NSEC_PER_SEC,
        .trouble = "start of unit postgresql@db1.service: the job ended as failed; see its journal",
        .dns = "here",
        .dns_text = "serial 2026112501",
        .checks = sample_db1_checks,
        .n_checks = 1,
        .units = sample_db1_units,
        .n_units = 3,
    },
    {
        .name = "web1",
        .state = "up",
        .healthy = true,
        .takeover = "automatic",
        .interval_ns = 200 * NSEC_PER_MSEC,
        .misses = 5,
        .nics = sample_web1_nics,
        .n_nics = 1,
        .service = "awaiting",
        .service_since_age_ns = 5 * NSEC_PER_SEC,
        .service_reason = "the file says `on service manual`: standinctl approve or deny",
        .on_service = "manual",
        .step_age_ns = NSEC_NEVER,
        .checks = sample_web1_checks,
        .n_checks = 3,
    },
    {
        .name = "fw",
        .state = "blocked",
        .paused = true,
        .takeover = "notify",
        .interval_ns = 1 * NSEC_PER_SEC,
        .misses = 3,
        .nics = sample_fw_nics,
        .n_nics = 1,
    },
};

static const struct report_target sample_targets[] = {
    {
        .name = "eth0",
        .present = true,
        .up = true,
        .carrier = true,
        .own_address = "192.0.2.9",
        .witness = "192.0.2.1 answered 0.4 s ago",
    },
    {
        .name = "eth1",
        .present = true,
        .up = true,
        .carrier = true,
        .own_address = "198.51.100.9",
        .witness = "none configured; the gateway 198.51.100.1 answered 0.1 s ago",
    },
    {.name = "eth2", .present = true, .up = true, .witness = "none"},
};

static const struct report sample_report = {
    .agent =
        {
            .version = "0.1.0",
            .file = "/etc/standin/ipmap.conf",
            .file_generation = 2,
            .file_error = "/etc/standin/ipmap.conf:12:5: unknown statement `intervall`, perhaps `interval`",
            .uptime_ns = 76 * NSEC_PER_HOUR,
            .pid = 812,
            .realtime = "refused: Operation not permitted",
            .guard = "pid 813, removes after 1000 ms",
            .journal = "kept in /var/lib/standin",
            .memory_lock = "locked",
            .turns = 1234567,
            .stalls = 1,
            .lateness_p99_ns = 95 * NSEC_PER_USEC,
            .lateness_max_ns = 2100 * NSEC_PER_USEC,
            .lateness = (const struct report_lateness[]){{1 * NSEC_PER_USEC, 5}, {2 * NSEC_PER_USEC, 1234562}},
            .n_lateness = 2,
        },
    .targets = sample_targets,
    .n_targets = 3,
    .sources = sample_sources,
    .n_sources = 3,
};
