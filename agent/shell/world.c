/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/shell/world.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "agent/base/cleanup.h"
#include "agent/shell/guarding.h"
#include "agent/shell/log.h"
#include "agent/shell/process.h"
#include "agent/shell/world_internal.h"

/* Packets read in one go from one socket. */
#define READ_AT_ONCE 256
/* When the kernel's NICs and addresses could not be read, the next try comes after this. */
#define LINKS_AGAIN_NS (100 * NSEC_PER_MSEC)
/* The kernel takes the real-time class from who has not slept for half a second: see process.c. */
#define AWAKE_MAX_NS (200 * NSEC_PER_MSEC)
#define NAP_NS (50 * NSEC_PER_USEC)
/* A wall clock that moves by more than this against the monotonic one, plus a tenth of the time between, was set. */
#define CLOCK_STEP_NS (1 * NSEC_PER_MSEC)

static nsec_t clock_ns(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

nsec_t world_now(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

struct agent *world_agent(struct world *world)
{
    return world->agent;
}

/* One `now` for the event at hand, and what turns the kernel's stamps into it. */
void world_take_time(struct world *world)
{
    nsec_t before_ns, real_ns, after_ns, offset_ns, since_ns;

    for (int try = 0;; try++) {
        before_ns = world_now();
        real_ns = clock_ns(CLOCK_REALTIME);
        after_ns = world_now();
        /* Interrupted between the two clocks: they do not belong together. */
        if (after_ns - before_ns < 50 * NSEC_PER_USEC || try == 3)
            break;
    }
    offset_ns = before_ns - real_ns;
    since_ns = after_ns - world->clock.now_ns;
    if (world->clock.now_ns != 0 && llabs(offset_ns - world->clock.to_monotonic_ns) > CLOCK_STEP_NS + since_ns / 10)
        agent_on_clock_step(world->agent, after_ns);
    world->clock = (struct probe_clock){.now_ns = after_ns, .to_monotonic_ns = offset_ns};
    if (world->begun_ns != NSEC_UNSET)
        return;
    world->begun_ns = after_ns;
    if (after_ns - world->ended_ns > NAP_NS)
        world->slept_ns = after_ns;
}

/* Ends the event. A claim of thousands keeps the loop awake for as long as a runaway program, which it is not. */
void world_end_event(struct world *world)
{
    world->ended_ns = world_now();
    agent_worked(world->agent, world->begun_ns, world->ended_ns);
    world->begun_ns = NSEC_UNSET;
    if (world->ended_ns - world->slept_ns < AWAKE_MAX_NS)
        return;
    nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
    world->slept_ns = world->ended_ns;
}

static void on_reply(void *userdata, const struct probe_reply *reply)
{
    struct world *world = userdata;

    agent_on_reply(world->agent, world->clock.now_ns, reply);
}

static void on_claim_result(void *userdata, const struct claims_request *request, int error)
{
    struct world *world = userdata;
    bool gone = error == -EADDRNOTAVAIL || error == -ENODEV;

    /* An addition that failed otherwise may be there all the same, and is removed then. */
    if (request->operation == CLAIMS_REMOVE ? gone || error == 0
                                            : request->operation == CLAIMS_ADD && (gone || error == -EEXIST))
        guarding_drop(world->guarding, request->ifindex, &request->ip, request->prefix);
    agent_on_claim_result(world->agent, world->clock.now_ns, request, error);
}

/* What becomes readable. */

static void read_probes(struct world *world)
{
    world_take_time(world);
    if (world->waits[WAIT_ARP].revents)
        link_probe_on_readable(world->arp, &world->clock, READ_AT_ONCE);
    if (world->waits[WAIT_ND].revents)
        link_probe_on_readable(world->nd, &world->clock, READ_AT_ONCE);
    if (world->waits[WAIT_ICMP4].revents)
        icmp_probe_on_readable(world->icmp4, &world->clock, READ_AT_ONCE);
    if (world->waits[WAIT_ICMP6].revents)
        icmp_probe_on_readable(world->icmp6, &world->clock, READ_AT_ONCE);
    /* What was read is no part of the turn that may follow: its own work is no stall. */
    world_end_event(world);
}

static void read_claims(struct world *world)
{
    int r;

    world_take_time(world);
    r = claims_on_readable(world->claims);
    if (r < 0 && !world->claims_fail)
        log_format(world->clock.now_ns, LOG_ERR, "cannot read the kernel's answers to claims: %s", strerror(-r));
    world->claims_fail = r < 0;
}

static int on_claims_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)source;
    (void)fd;
    (void)revents;
    read_claims(userdata);
    return 0; /* an error would end the watching of this descriptor for good */
}

static void read_links(struct world *world)
{
    int r = links_on_readable(world->links);

    agent_report_header(world->agent)->netlink_overruns = links_overruns(world->links);
    /* Said once, however often it is tried: what cannot be read stays readable. */
    if (r < 0 && world->links_again_ns == NSEC_NEVER)
        log_format(world->clock.now_ns, LOG_ERR, "cannot keep up the kernel's NICs and addresses: %s", strerror(-r));
    world->links_again_ns = r < 0 ? world->clock.now_ns + LINKS_AGAIN_NS : NSEC_NEVER;
}

static int on_links_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct world *world = userdata;

    (void)source;
    (void)fd;
    (void)revents;
    world_take_time(world);
    read_links(world);
    return 0;
}

static void on_link_changed(void *userdata, int ifindex)
{
    struct world *world = userdata;

    (void)ifindex;
    world->listeners_stale = true;
    world->shelves_stale = true;
    agent_on_links_changed(world->agent, world->clock.now_ns);
}

static void on_address_changed(void *userdata, const struct link_address *address, bool present)
{
    struct world *world = userdata;

    agent_on_address_changed(world->agent, world->clock.now_ns, address, present);
}

static void on_resynced(void *userdata)
{
    on_link_changed(userdata, 0);
}

static void turn(struct world *world)
{
    world_take_time(world);
    world_services_on_time(world);
    agent_turn(world->agent, world->clock.now_ns);
    if (world->due_fn)
        world->due_fn(world->due_userdata, world->clock.now_ns);
}

void world_on_due(struct world *world, void (*on_due)(void *userdata, nsec_t now_ns), void *userdata)
{
    world->due_fn = on_due;
    world->due_userdata = userdata;
}

nsec_t world_flush(struct world *world)
{
    world_take_time(world);
    /* What could not be read may never be notified again. */
    if (world->links_again_ns <= world->clock.now_ns)
        read_links(world);
    if (world->listeners_stale || world->listeners_again_ns <= world->clock.now_ns)
        listeners_refresh(world);
    agent_flush(world->agent, world->clock.now_ns);
    if (world->shelves_stale)
        shelves_refresh(world);
    /* One batch a turn: what is left over gets its own turns, between which there is time for probes. */
    if (world_flush_claims(world)) {
        /* The kernel has answered already: what is there is announced now, and not after whatever else has come in. */
        read_claims(world);
        agent_flush(world->agent, world->clock.now_ns);
    }
    return world->clock.now_ns;
}

/*
 * Sleeps until a descriptor is readable or that time has come. Where that cannot be waited for (EINVAL: fewer
 * descriptors are allowed by now), all are looked at each millisecond, because an agent that holds addresses must not
 * end.
 */
static void sleep_until(struct world *world, nsec_t due_ns)
{
    bool never = due_ns == NSEC_NEVER && !world->more_events;
    nsec_t left_ns = world->more_events ? 0 : nsec_max(due_ns - world_now(), 0);
    struct timespec left = {.tv_sec = left_ns / NSEC_PER_SEC, .tv_nsec = left_ns % NSEC_PER_SEC};

    if (ppoll(world->waits, WAITS, never ? NULL : &left, NULL) >= 0)
        return;
    if (errno != EINTR)
        nanosleep(&(struct timespec){.tv_nsec = NSEC_PER_MSEC}, NULL);
    for (int i = 0; i < WAITS; i++)
        world->waits[i].revents = POLLIN;
}

int world_wait(struct world *world, nsec_t also_ns)
{
    nsec_t due_ns = nsec_min(nsec_min(also_ns, world->claims_due_ns),
                             nsec_min(agent_deadline(world->agent), world_services_deadline(world)));
    bool probes = false, due, events;

    sleep_until(world, due_ns);
    for (int i = WAIT_EVENTS + 1; i < WAITS; i++)
        probes = world->waits[i].revents || probes;
    due = world_now() >= due_ns;
    events = world->waits[WAIT_EVENTS].revents || world->more_events;
    /* What NICs tell comes before the turn, which may judge by it; and neither keeps the other from its own turn. */
    if (events && !(world->event_was_last && (probes || due))) {
        int r = sd_event_run(world->event, 0);

        world->more_events = r > 0;
        world->event_was_last = true;
        return r;
    }
    world->event_was_last = false;
    if (probes)
        read_probes(world);
    if (due)
        turn(world);
    return probes || due;
}

static int watch_fd(struct world *world, int fd, sd_event_io_handler_t handler)
{
    int r = sd_event_add_io(world->event, NULL, fd, EPOLLIN, handler, world);

    return r < 0 ? r : 0;
}

static int open_probes(struct world *world, const char **ret_what)
{
    int r;

    *ret_what = "the ARP socket";
    if ((r = link_probe_open(&world->arp, PROBE_ARP, on_reply, world)) < 0)
        return r;
    *ret_what = "the neighbour discovery socket";
    if ((r = link_probe_open(&world->nd, PROBE_ND, on_reply, world)) < 0)
        return r;
    *ret_what = "the ICMP socket";
    if ((r = icmp_probe_open(&world->icmp4, AF_INET, on_reply, world)) < 0)
        return r;
    *ret_what = "the ICMPv6 socket";
    return icmp_probe_open(&world->icmp6, AF_INET6, on_reply, world);
}

static int open_netlink(struct world *world, const char **ret_what)
{
    static const struct links_callbacks callbacks = {
        .link_changed = on_link_changed, .address_changed = on_address_changed, .resynced = on_resynced};
    int r;

    *ret_what = "netlink";
    if ((r = links_open(&world->links, &callbacks, world)) < 0)
        return r;
    if ((r = claims_open(&world->claims, on_claim_result, world)) < 0)
        return r;
    return quiet_open(&world->quiet);
}

static int watch_all(struct world *world)
{
    int r;

    world->waits[WAIT_EVENTS].fd = sd_event_get_fd(world->event);
    world->waits[WAIT_ARP].fd = link_probe_fd(world->arp);
    world->waits[WAIT_ND].fd = link_probe_fd(world->nd);
    world->waits[WAIT_ICMP4].fd = icmp_probe_fd(world->icmp4);
    world->waits[WAIT_ICMP6].fd = icmp_probe_fd(world->icmp6);
    for (int i = 0; i < WAITS; i++)
        world->waits[i].events = POLLIN;
    r = watch_fd(world, links_fd(world->links), on_links_readable);
    return r < 0 ? r : watch_fd(world, claims_fd(world->claims), on_claims_readable);
}

static void cleanup_world(struct world **world)
{
    world_close(*world);
}

int world_open(struct world **ret, sd_event *event, const char **ret_what)
{
    CLEANUP(cleanup_world) struct world *world = calloc(1, sizeof *world);
    int r;

    *ret_what = "memory";
    if (!world)
        return -ENOMEM;
    world->event = sd_event_ref(event);
    world->claims_due_ns = NSEC_NEVER;
    world->listeners_again_ns = world->links_again_ns = NSEC_NEVER;
    if ((r = agent_new(&world->agent, &world_ports, world, process_random())) < 0)
        return r;
    world_take_time(world);
    if ((r = open_probes(world, ret_what)) < 0 || (r = open_netlink(world, ret_what)) < 0)
        return r;
    *ret_what = "the event loop";
    if ((r = watch_all(world)) < 0)
        return r;
    *ret = TAKE_POINTER(world);
    return 0;
}

void world_close(struct world *world)
{
    if (!world)
        return;
    listeners_close(world);
    agent_free(world->agent);
    world_services_close(world);
    link_probe_close(world->arp);
    link_probe_close(world->nd);
    icmp_probe_close(world->icmp4);
    icmp_probe_close(world->icmp6);
    claims_close(world->claims);
    quiet_close(world->quiet);
    links_close(world->links);
    sd_event_unref(world->event);
    free(world);
}

void world_set_guarding(struct world *world, struct guarding *guarding)
{
    world->guarding = guarding;
}

void world_set_keeper(struct world *world, struct keeper *keeper)
{
    world->keeper = keeper;
}
