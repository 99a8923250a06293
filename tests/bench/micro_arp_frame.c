/* SPDX-License-Identifier: Apache-2.0 */
/* Frames built and read, and the plan of thousands of announcements. */
#include <sys/socket.h>

#include "arp/announcer.h"
#include "arp/frame.h"
#include "tests/bench/micro.h"

#define NICS 4

static const struct mac_address own = {{2, 0, 0, 0, 0, 1}}, peer = {{2, 0, 0, 0, 0, 2}};
static struct announcer *announcer;
static unsigned sent;

static void nothing(unsigned operations)
{
    (void)operations;
}

static struct ip_address nth(uint8_t family, unsigned i)
{
    const uint8_t bytes[16] = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, [15] = (uint8_t)i};

    return ip_address_of(family, bytes);
}

static void request(unsigned operations)
{
    size_t length = 0;

    for (unsigned i = 0; i < operations; i++) {
        struct ip_address from = nth(i % 2 ? AF_INET6 : AF_INET, 1), to = nth(from.family, i);
        struct arp_frame frame;

        arp_frame_request(&frame, &own, &from, &to, &peer);
        length += frame.length;
    }
    MICRO_MUST(length > operations);
}

static void announce(unsigned operations)
{
    size_t length = 0;

    for (unsigned i = 0; i < operations; i++) {
        struct ip_address ip = nth(AF_INET, i), ip6 = nth(AF_INET6, i);
        struct arp_frame frame;

        arp_frame_announce_request(&frame, &own, &own, &ip);
        length += frame.length;
        arp_frame_announce_reply(&frame, &own, &own, &ip);
        length += frame.length;
        arp_frame_advertise(&frame, &own, &own, &ip6, false);
        length += frame.length;
    }
    MICRO_MUST(length > operations);
}

static void parse(unsigned operations)
{
    struct ip_address ip = nth(AF_INET, 7), ip6 = nth(AF_INET6, 7);
    struct arp_frame frame, frame6;
    struct arp_heard heard;

    arp_frame_announce_reply(&frame, &own, &own, &ip);
    arp_frame_advertise(&frame6, &own, &own, &ip6, false);
    for (unsigned i = 0; i < operations; i++) {
        MICRO_MUST(arp_frame_parse(frame.bytes, frame.length, &heard) == 0);
        MICRO_MUST(arp_frame_parse(frame6.bytes, frame6.length, &heard) == 0);
    }
}

static int count(void *userdata, uint32_t id, unsigned copy)
{
    (void)userdata;
    (void)id;
    (void)copy;
    sent++;
    return 2;
}

static void plan_begin(unsigned operations)
{
    sent = 0;
    MICRO_MUST(announcer_new(&announcer, operations, NICS, count, NULL) == 0);
}

/* All begun at once, and run until each has had its four copies. */
static void plan(unsigned operations)
{
    nsec_t now_ns = 1000 * NSEC_PER_SEC;

    for (unsigned i = 0; i < operations; i++) {
        announcer_start(announcer, i, i % NICS, now_ns);
        announcer_confirmed(announcer, i);
    }
    while (sent < operations * ANNOUNCER_PLAN_CONFIRMED) {
        now_ns = nsec_max(now_ns, announcer_deadline(announcer));
        announcer_run(announcer, now_ns);
    }
}

static void plan_end(void)
{
    announcer_free(announcer);
}

int main(int argc, char **argv)
{
    const struct micro list[] = {
        {"frame_request", 50000, nothing, request, NULL},
        {"frame_announce", 50000, nothing, announce, NULL},
        {"frame_parse", 50000, nothing, parse, NULL},
        {"announcer_10000", 10000, plan_begin, plan, plan_end},
    };

    return micro_main(argc, argv, list, sizeof list / sizeof *list);
}
