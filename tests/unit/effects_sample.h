/* SPDX-License-Identifier: Apache-2.0 */
/* Journals for the tests of agent/effects: one that people can read, and any number of random ones. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/effects/journal.h"
#include "agent/effects/journal_text.h"

#define SAMPLE_BOOT_ID "0d8a9e0c-6c3c-4a5e-9f0e-2b8f4f0d1c11"

/* 2024-02-29T23:59:59.000000001Z */
#define SAMPLE_TIME_NS (INT64_C(1709251199) * NSEC_PER_SEC + 1)

#define SAMPLE_TEXT                                                                                        \
    "standin journal 1\n" JOURNAL_NOTE "boot \"" SAMPLE_BOOT_ID "\"\n"                                     \
    "serial 42\n"                                                                                          \
    "nic \"web1\" \"eth0\" armed\n"                                                                        \
    "nic \"web1\" \"eth1\" disarmed paused\n"                                                              \
    "nic \"db1\" \"eth0\" armed awaiting\n"                                                                \
    "nic \"db1\" \"eth1\" armed awaiting until 2024-02-29T23:59:59.000000001Z\n"                           \
    "nic \"db1\" \"eth2\" armed awaiting damped until 2024-02-29T23:59:59.000000001Z\n"                    \
    "nic \"db1\" \"eth3\" armed awaiting unwitnessed\n"                                                    \
    "nic \"fw\" \"lan\" denied\n"                                                                          \
    "nic \"fw\" \"wan\" expired\n"                                                                         \
    "takeover \"db1\" 2024-02-29T23:59:59.000000001Z\n"                                                    \
    "takeover \"db1\" 1970-01-01T00:00:00.000000000Z\n"                                                    \
    "services \"db1\" forced\n"                                                                            \
    "services \"www\" paused held\n"                                                                       \
    "address 192.0.2.10 mac 52:54:00:12:34:56 held 24 dev \"eth1\" since 2024-02-29T23:59:59.000000001Z\n" \
    "address 192.0.2.11 mac 52:54:00:12:34:56\n"                                                           \
    "address 2001:db8::10 held 128 dev \"eth2\" since 1970-01-01T00:00:00.000000000Z\n"                    \
    "address 2001:db8::11\n"

static inline struct ip_address ip(const char *text)
{
    struct ip_address address;

    assert_int_equal(ip_address_parse(text, &address), 0);
    return address;
}

/* What SAMPLE_TEXT says. */
static inline const struct journal *sample_journal(void)
{
    static const struct mac_address mac = {{0x52, 0x54, 0x00, 0x12, 0x34, 0x56}};
    static struct journal_nic nics[] = {
        {.source = "web1", .nic = "eth0", .armed = true},
        {.source = "web1", .nic = "eth1", .disarmed = true, .paused = true},
        {.source = "db1",
         .nic = "eth0",
         .armed = true,
         .verdict = JOURNAL_VERDICT_AWAITING,
         .approval_until_real_ns = INT64_MAX},
        {.source = "db1",
         .nic = "eth1",
         .armed = true,
         .verdict = JOURNAL_VERDICT_AWAITING,
         .approval_until_real_ns = SAMPLE_TIME_NS},
        {.source = "db1",
         .nic = "eth2",
         .armed = true,
         .verdict = JOURNAL_VERDICT_DAMPED,
         .approval_until_real_ns = SAMPLE_TIME_NS},
        {.source = "db1",
         .nic = "eth3",
         .armed = true,
         .verdict = JOURNAL_VERDICT_UNWITNESSED,
         .approval_until_real_ns = INT64_MAX},
        {.source = "fw", .nic = "lan", .verdict = JOURNAL_VERDICT_DENIED},
        {.source = "fw", .nic = "wan", .verdict = JOURNAL_VERDICT_EXPIRED},
    };
    static struct journal_takeover takeovers[] = {{"db1", SAMPLE_TIME_NS}, {"db1", 0}};
    static struct journal_services services[] = {{.source = "db1", .forced = true},
                                                 {.source = "www", .paused = true, .held = true}};
    static struct journal_address addresses[4];
    static const struct journal journal = {
        .boot_id = SAMPLE_BOOT_ID,
        .serial = 42,
        .nics = nics,
        .n_nics = sizeof nics / sizeof *nics,
        .takeovers = takeovers,
        .n_takeovers = sizeof takeovers / sizeof *takeovers,
        .services = services,
        .n_services = sizeof services / sizeof *services,
        .addresses = addresses,
        .n_addresses = sizeof addresses / sizeof *addresses,
    };

    addresses[0] = (struct journal_address){.ip = ip("192.0.2.10"),
                                            .mac = mac,
                                            .held = true,
                                            .prefix = 24,
                                            .dev = "eth1",
                                            .held_since_real_ns = SAMPLE_TIME_NS};
    addresses[1] = (struct journal_address){.ip = ip("192.0.2.11"), .mac = mac};
    addresses[2] = (struct journal_address){.ip = ip("2001:db8::10"), .held = true, .prefix = 128, .dev = "eth2"};
    addresses[3] = (struct journal_address){.ip = ip("2001:db8::11")};
    return &journal;
}

static inline void assert_nic_equal(const struct journal_nic *a, const struct journal_nic *b)
{
    assert_string_equal(a->source, b->source);
    assert_string_equal(a->nic, b->nic);
    assert_int_equal(a->armed, b->armed);
    assert_int_equal(a->disarmed, b->disarmed);
    assert_int_equal(a->paused, b->paused);
    assert_int_equal(a->verdict, b->verdict);
    assert_true(a->approval_until_real_ns == b->approval_until_real_ns);
}

static inline void assert_address_equal(const struct journal_address *a, const struct journal_address *b)
{
    assert_true(ip_address_equal(&a->ip, &b->ip));
    assert_true(mac_address_equal(&a->mac, &b->mac));
    assert_int_equal(a->held, b->held);
    assert_int_equal(a->prefix, b->prefix);
    assert_string_equal(a->dev, b->dev);
    assert_true(a->held_since_real_ns == b->held_since_real_ns);
}

static inline void assert_journal_equal(const struct journal *a, const struct journal *b)
{
    assert_string_equal(a->boot_id, b->boot_id);
    assert_true(a->serial == b->serial);
    assert_int_equal(a->n_nics, b->n_nics);
    assert_int_equal(a->n_addresses, b->n_addresses);
    for (size_t i = 0; i < a->n_nics; i++)
        assert_nic_equal(&a->nics[i], &b->nics[i]);
    assert_int_equal(a->n_takeovers, b->n_takeovers);
    for (size_t i = 0; i < a->n_takeovers; i++) {
        assert_string_equal(a->takeovers[i].source, b->takeovers[i].source);
        assert_true(a->takeovers[i].at_real_ns == b->takeovers[i].at_real_ns);
    }
    assert_int_equal(a->n_services, b->n_services);
    for (size_t i = 0; i < a->n_services; i++) {
        assert_string_equal(a->services[i].source, b->services[i].source);
        assert_int_equal(a->services[i].paused, b->services[i].paused);
        assert_int_equal(a->services[i].held, b->services[i].held);
        assert_int_equal(a->services[i].disarmed, b->services[i].disarmed);
        assert_int_equal(a->services[i].forced, b->services[i].forced);
    }
    for (size_t i = 0; i < a->n_addresses; i++)
        assert_address_equal(&a->addresses[i], &b->addresses[i]);
}

/* A journal as text, from malloc. */
static inline char *encoded(const struct journal *journal, size_t *ret_length)
{
    char *text;

    assert_int_equal(journal_encode(journal, &text, ret_length), 0);
    assert_int_equal(text[*ret_length], '\0');
    return text;
}

/* `body` and the checksum that fits it. */
static inline char *sealed(const char *body, size_t length)
{
    char *text = malloc(length + JOURNAL_CHECKSUM_LINE);

    memcpy(text, body, length);
    journal_checksum_line(body, length, text + length);
    return text;
}

/* The sample with another serial, as text. */
static inline char *numbered(uint64_t serial, size_t *ret_length)
{
    struct journal journal = *sample_journal();

    journal.serial = serial;
    return encoded(&journal, ret_length);
}

/* SEED from the environment, or a new one; printed. */
static inline uint64_t sample_seed(void)
{
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)getpid();

    print_message("seed %llu\n", (unsigned long long)seed);
    return seed;
}

/* splitmix64. */
static inline uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}
