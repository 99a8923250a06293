/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/link.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "agent/base/cleanup.h"
#include "probes/inbox.h"
#include "probes/link_kind.h"
#include "probes/outbox.h"

struct link_probe {
    int fd;                       /* one packet socket for all NICs */
    const struct link_kind *kind; /* ARP or ND */
    probe_reply_fn reply;         /* called for each valid reply */
    void *userdata;               /* of the callbacks */
    struct inbox *inbox;          /* packets in */
    struct outbox *outbox;        /* requests out */
    uint64_t dropped;             /* replies lost; the kernel forgets its count when asked */
};

static int open_socket(const struct link_kind *kind)
{
    struct sockaddr_ll all_nics = {.sll_family = AF_PACKET, .sll_protocol = htons(kind->protocol)};
    /* Protocol 0 receives nothing until the filter is in place; with one protocol, incoming frames only. */
    CLEANUP_CLOSE int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &kind->filter, sizeof kind->filter) < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)&all_nics, sizeof all_nics) < 0)
        return -errno;
    return TAKE_FD(fd);
}

int link_own_mac(int fd, int ifindex, struct mac_address *ret)
{
    struct ifreq request = {.ifr_ifindex = ifindex};

    if (ioctl(fd, SIOCGIFNAME, &request) < 0 || ioctl(fd, SIOCGIFHWADDR, &request) < 0)
        return -errno;
    if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
        return -EOPNOTSUPP;
    memcpy(ret->bytes, request.ifr_hwaddr.sa_data, sizeof ret->bytes);
    return 0;
}

static void compose(void *userdata, const struct probe_request *request, struct outbox_message *ret)
{
    const struct link_probe *probe = userdata;
    struct arp_frame frame;

    _Static_assert(sizeof frame.bytes <= sizeof ret->bytes, "every frame fits");
    arp_frame_request(&frame, &request->own, &request->from, &request->to, &request->peer);
    memcpy(ret->bytes, frame.bytes, frame.length);
    ret->length = frame.length;
    ret->to.link = (struct sockaddr_ll){
        .sll_family = AF_PACKET,
        .sll_protocol = htons(probe->kind->protocol),
        .sll_ifindex = request->ifindex,
        .sll_halen = ETH_ALEN,
    };
    memcpy(ret->to.link.sll_addr, frame.bytes, ETH_ALEN);
    ret->to_length = sizeof ret->to.link;
}

static void on_packet(void *userdata, const struct inbox_packet *packet)
{
    const struct link_probe *probe = userdata;
    struct link_arrival arrival = {.fd = probe->fd};
    struct sockaddr_ll from;
    struct arp_heard heard;

    if (packet->from_length < sizeof from)
        return;
    memcpy(&from, packet->from, sizeof from);
    arrival.ifindex = from.sll_ifindex;
    arrival.packet_type = from.sll_pkttype;
    if (from.sll_hatype != ARPHRD_ETHER || arp_frame_parse(packet->bytes, packet->length, &heard) < 0)
        return;
    if (!probe->kind->is_answer(&heard, &arrival))
        return;
    probe->reply(probe->userdata, &(const struct probe_reply){
                                      .kind = probe->kind->kind,
                                      .ifindex = arrival.ifindex,
                                      .from = heard.sender_ip,
                                      .to = heard.target_ip,
                                      .peer = heard.sender_mac,
                                      .received_ns = packet->received_ns,
                                  });
}

static void close_probe(struct link_probe **probe)
{
    link_probe_close(*probe);
}

int link_probe_open(struct link_probe **ret, enum probe_kind kind, probe_reply_fn reply, void *userdata)
{
    CLEANUP(close_probe) struct link_probe *probe = NULL;
    int r;

    assert(kind == PROBE_ARP || kind == PROBE_ND);
    probe = calloc(1, sizeof *probe);
    if (!probe)
        return -ENOMEM;
    probe->kind = kind == PROBE_ARP ? &link_kind_arp : &link_kind_nd;
    probe->reply = reply;
    probe->userdata = userdata;
    probe->fd = open_socket(probe->kind);
    if (probe->fd < 0)
        return probe->fd;
    r = inbox_new(&probe->inbox, probe->fd, on_packet, probe);
    if (r < 0)
        return r;
    r = outbox_new(&probe->outbox, probe->fd, compose, probe);
    if (r < 0)
        return r;
    *ret = TAKE_POINTER(probe);
    return 0;
}

void link_probe_close(struct link_probe *probe)
{
    if (!probe)
        return;
    inbox_free(probe->inbox);
    outbox_free(probe->outbox);
    if (probe->fd >= 0)
        close(probe->fd);
    free(probe);
}

int link_probe_fd(const struct link_probe *probe)
{
    return probe->fd;
}

int link_probe_send(struct link_probe *probe, const struct probe_request *request)
{
    const struct link_kind *kind = probe->kind;

    if (request->kind != kind->kind || request->ifindex <= 0 || request->to.family != kind->family)
        return -EINVAL;
    if (ip_address_is_unspecified(&request->to) || mac_address_is_unset(&request->own))
        return -EINVAL;
    if (!ip_address_is_unspecified(&request->from) && request->from.family != kind->family)
        return -EINVAL;
    return outbox_add(probe->outbox, request);
}

void link_probe_flush(struct link_probe *probe,
                      void (*failed)(void *userdata, const struct probe_request *request, int error))
{
    outbox_flush(probe->outbox, failed, probe->userdata);
}

int link_probe_on_readable(struct link_probe *probe, const struct probe_clock *clock, unsigned limit)
{
    return inbox_read(probe->inbox, clock, limit, false);
}

int link_probe_drain(struct link_probe *probe, const struct probe_clock *clock, unsigned limit)
{
    return inbox_read(probe->inbox, clock, limit, true);
}

uint64_t link_probe_dropped(struct link_probe *probe)
{
    struct tpacket_stats stats;
    socklen_t length = sizeof stats;

    /* Reading it sets the kernel's count to zero. */
    if (getsockopt(probe->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length) == 0)
        probe->dropped += stats.tp_drops;
    return probe->dropped;
}
