/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/libnet.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/sim/libhost.h"
#include "tests/sim/libworld.h"

#define LATENCY_NS (30 * NSEC_PER_USEC)

struct sim_segment *sim_segment_new(struct sim_world *world)
{
    struct sim_segment *segment = sim_alloc(sizeof *segment);

    segment->world = world;
    segment->latency_ns = LATENCY_NS;
    world->segments = sim_grow(world->segments, world->n_segments, sizeof *world->segments);
    world->segments[world->n_segments++] = segment;
    return segment;
}

void sim_segment_free(struct sim_segment *segment)
{
    free(segment->nics);
    free(segment->learned);
    free(segment);
}

void sim_segment_join(struct sim_segment *segment, struct sim_nic *nic)
{
    segment->nics = sim_grow(segment->nics, segment->n_nics, sizeof *segment->nics);
    segment->nics[segment->n_nics++] = nic;
}

bool sim_nic_has_carrier(const struct sim_nic *nic)
{
    return nic->up && nic->connected;
}

static struct sim_learned *find_learned(const struct sim_segment *segment, const struct mac_address *mac)
{
    for (size_t i = 0; i < segment->n_learned; i++)
        if (mac_address_equal(&segment->learned[i].mac, mac))
            return &segment->learned[i];
    return NULL;
}

static void learn(struct sim_segment *segment, const struct mac_address *mac, struct sim_nic *nic)
{
    struct sim_learned *entry = find_learned(segment, mac);

    if (!entry) {
        segment->learned = sim_grow(segment->learned, segment->n_learned, sizeof *entry);
        entry = &segment->learned[segment->n_learned++];
        entry->mac = *mac;
    }
    entry->nic = nic;
}

/* A port without a link forgets who was behind it. */
static void forget(struct sim_segment *segment, const struct sim_nic *nic)
{
    size_t kept = 0;

    for (size_t i = 0; i < segment->n_learned; i++)
        if (segment->learned[i].nic != nic)
            segment->learned[kept++] = segment->learned[i];
    segment->n_learned = kept;
}

static void arrive(void *object, void *detail)
{
    struct sim_nic *nic = object;
    const struct sim_frame *frame = detail;

    if (!sim_nic_has_carrier(nic) || !nic->host->alive)
        return;
    if (frame->target.bytes[0] & 1 || mac_address_equal(&frame->target, &nic->mac))
        sim_host_receive(nic, frame);
}

/* From the switch to one NIC. */
static void forward(const struct sim_nic *from, struct sim_nic *to, const struct sim_frame *frame)
{
    struct sim_world *world = to->segment->world;
    int copies = 1 + sim_random_hit(&world->random, to->faults.duplicate_ppm);

    if (!sim_nic_has_carrier(to) || to->faults.drop_in || sim_random_hit(&world->random, to->faults.loss_in_ppm))
        return;
    for (int i = 0; i < copies; i++) {
        nsec_t takes_ns = to->segment->latency_ns + from->faults.delay_ns + to->faults.delay_ns;
        struct sim_frame *copy = sim_alloc(sizeof *copy);

        takes_ns += i * to->faults.duplicate_after_ns;
        takes_ns += (nsec_t)sim_random_below(&world->random, (uint64_t)(from->faults.jitter_ns + to->faults.jitter_ns));
        *copy = *frame;
        sim_clock_at(&world->clock, world->clock.now_ns + takes_ns, arrive, to, copy);
    }
}

void sim_nic_send(struct sim_nic *nic, const struct sim_frame *frame)
{
    struct sim_segment *segment = nic->segment;
    const struct sim_learned *way;

    if (!sim_nic_has_carrier(nic) || !nic->host->alive || nic->faults.drop_out ||
        sim_random_hit(&segment->world->random, nic->faults.loss_out_ppm))
        return;
    learn(segment, &frame->source, nic);
    way = frame->target.bytes[0] & 1 ? NULL : find_learned(segment, &frame->target);
    for (size_t i = 0; i < segment->n_nics; i++)
        if (segment->nics[i] != nic && (!way || way->nic == segment->nics[i]))
            forward(nic, segment->nics[i], frame);
}

static void tell_carrier(void *object, void *detail)
{
    struct sim_nic *nic = object;

    (void)detail;
    nic->carrier_told = sim_nic_has_carrier(nic);
    sim_host_links_changed(nic->host);
}

/* After anything about the NIC changed. */
static void review(struct sim_nic *nic, bool had_carrier)
{
    struct sim_clock *clock = &nic->segment->world->clock;
    const struct sim_faults *f = &nic->faults;
    bool good = sim_nic_has_carrier(nic) && !f->drop_in && !f->drop_out && f->loss_in_ppm == 0 && f->loss_out_ppm == 0;

    if (!good)
        nic->good_since_ns = NSEC_NEVER;
    else if (nic->good_since_ns == NSEC_NEVER)
        nic->good_since_ns = clock->now_ns;
    if (sim_nic_has_carrier(nic) == had_carrier)
        return;
    forget(nic->segment, nic);
    sim_clock_at(clock, clock->now_ns + nic->host->link_lag_ns, tell_carrier, nic, NULL);
}

void sim_nic_connect(struct sim_nic *nic, bool connected)
{
    bool had_carrier = sim_nic_has_carrier(nic);

    nic->connected = connected;
    review(nic, had_carrier);
}

void sim_nic_set_up(struct sim_nic *nic, bool up)
{
    bool had_carrier = sim_nic_has_carrier(nic);

    nic->up = up;
    if (!up)
        sim_nic_drop(nic, AF_INET6);
    review(nic, had_carrier);
}

void sim_nic_destroy(struct sim_nic *nic)
{
    sim_nic_set_up(nic, false);
    sim_nic_drop(nic, 0);
    nic->ifindex = 0;
    sim_host_links_changed(nic->host);
}

void sim_nic_create_again(struct sim_nic *nic, int ifindex)
{
    nic->ifindex = ifindex;
    sim_nic_set_up(nic, true);
    sim_host_links_changed(nic->host);
}

void sim_nic_set_faults(struct sim_nic *nic, const struct sim_faults *faults)
{
    nic->faults = *faults;
    nic->good_since_ns = NSEC_NEVER; /* what was sent before may take longer than what is sent now */
    review(nic, sim_nic_has_carrier(nic));
}

nsec_t sim_nics_joined_since(const struct sim_nic *a, const struct sim_nic *b)
{
    if (a->segment != b->segment)
        return NSEC_NEVER;
    return a->good_since_ns > b->good_since_ns ? a->good_since_ns : b->good_since_ns;
}

nsec_t sim_nics_round_trip(const struct sim_nic *a, const struct sim_nic *b)
{
    return 2 * (a->segment->latency_ns + a->faults.delay_ns + b->faults.delay_ns + a->faults.jitter_ns +
                b->faults.jitter_ns);
}
