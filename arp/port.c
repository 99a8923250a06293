/* SPDX-License-Identifier: Apache-2.0 */
#include "arp/port.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "agent/base/cleanup.h"
#include "arp/filter.h"

/* Bytes kept of a frame: any advertisement that a neighbour sends, and the addresses of any packet. */
#define PORT_FRAME_BYTES 128
/* Kernel memory for frames that wait to be read: some 2000 of them. */
#define PORT_BUFFER_BYTES (512 * 1024)
struct arp_port {
    pcap_t *handle;                                  /* libpcap's; owns the descriptor */
    int fd;                                          /* its descriptor */
    int ifindex;                                     /* of the NIC */
    struct mac_address own;                          /* of the NIC, as of the opening or the last change of `watched` */
    struct arp_port_callbacks callbacks;             /* the caller's */
    void *userdata;                                  /* the caller's */
    nsec_t to_monotonic_ns;                          /* of the reading under way */
    struct ip_address watched[ARP_PORT_WATCHED_MAX]; /* whose unicast packets are heard */
    size_t n_watched;                                /* how many of them are set */
    uint64_t dropped;                                /* frames lost since the port was opened */
    uint32_t dropped_seen;                           /* libpcap's count of them, which wraps, when it was last asked */
};

static void close_handle(pcap_t **handle)
{
    if (*handle)
        pcap_close(*handle);
}

static void close_port(struct arp_port **port)
{
    arp_port_close(*port);
}

static int errno_of_status(int status)
{
    switch (status) {
    case PCAP_ERROR_NO_SUCH_DEVICE:
        return -ENODEV;
    case PCAP_ERROR_PERM_DENIED:
        return -EPERM;
    case PCAP_ERROR_IFACE_NOT_UP:
        return -ENETDOWN;
    default:
        return -EIO;
    }
}

static int open_handle(const char *name, pcap_t **ret)
{
    char error[PCAP_ERRBUF_SIZE];
    CLEANUP(close_handle) pcap_t *handle = pcap_create(name, error);
    int r;

    if (!handle)
        return -ENOMEM;
    pcap_set_snaplen(handle, PORT_FRAME_BYTES);
    pcap_set_buffer_size(handle, PORT_BUFFER_BYTES);
    pcap_set_immediate_mode(handle, 1);
    pcap_set_tstamp_precision(handle, PCAP_TSTAMP_PRECISION_NANO);
    r = pcap_activate(handle);
    if (r < 0)
        return errno_of_status(r);
    if (pcap_datalink(handle) != DLT_EN10MB || pcap_get_tstamp_precision(handle) != PCAP_TSTAMP_PRECISION_NANO)
        return -EPROTONOSUPPORT;
    if (pcap_setnonblock(handle, 1, error) < 0 || pcap_setdirection(handle, PCAP_D_IN) < 0)
        return -EIO;
    *ret = TAKE_POINTER(handle);
    return 0;
}

/* What libpcap leaves to us on its descriptor. */
static int prepare_fd(int fd, int ifindex)
{
    struct packet_mreq groups = {.mr_ifindex = ifindex, .mr_type = PACKET_MR_ALLMULTI};
    struct sockaddr_ll bound = {0};
    socklen_t length = sizeof bound;

    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || getsockname(fd, (struct sockaddr *)&bound, &length) < 0)
        return -errno;
    /* The name was another NIC's by the time it was opened. */
    if (bound.sll_ifindex != ifindex)
        return -ENODEV;
    /* Solicitations go to the group of the address asked for, whose owner we need not be. */
    if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &groups, sizeof groups) < 0)
        return -errno;
    /* Spares a filter run for each packet of this host. Kernels before 4.20 do without: the direction is set. */
    (void)setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &(int){1}, sizeof(int));
    return 0;
}

/* Asks the kernel for one property of the NIC, by its name of now. 0, or -ENODEV. */
static int ask_nic(const struct arp_port *port, unsigned long what, struct ifreq *ret)
{
    struct ifreq request = {.ifr_ifindex = port->ifindex};

    if (ioctl(port->fd, SIOCGIFNAME, &request) < 0 || ioctl(port->fd, what, &request) < 0)
        return -ENODEV;
    *ret = request;
    return 0;
}

/* 0 when the NIC is there and up. */
static int check_nic(const struct arp_port *port)
{
    struct ifreq answer;
    int r = ask_nic(port, SIOCGIFFLAGS, &answer);

    if (r < 0)
        return r;
    return answer.ifr_flags & IFF_UP ? 0 : -ENETDOWN;
}

/*
 * Puts the filter on. pcap_setfilter would shut everything out for a moment first, so as to empty the queue, and with
 * it whoever objects to our claim just then. The kernel changes a filter in one step; frames that came in under the
 * old one are told apart when they are read.
 */
static int attach_filter(const struct arp_port *port, const struct mac_address *own, const struct ip_address *addresses,
                         size_t count)
{
    struct sock_filter code[ARP_FILTER_MAX(ARP_PORT_WATCHED_MAX)];
    struct sock_fprog program = {.filter = code};

    program.len = (unsigned short)arp_filter_write(code, PORT_FRAME_BYTES, own, addresses, count);
    return setsockopt(port->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ? -errno : 0;
}

int arp_port_open(struct arp_port **ret, const char *name, int ifindex, const struct arp_port_callbacks *callbacks,
                  void *userdata)
{
    CLEANUP(close_port) struct arp_port *port = calloc(1, sizeof *port);
    int r;

    if (!port)
        return -ENOMEM;
    port->ifindex = ifindex;
    port->callbacks = *callbacks;
    port->userdata = userdata;
    r = open_handle(name, &port->handle);
    if (r < 0)
        return r;
    port->fd = pcap_get_selectable_fd(port->handle);
    r = prepare_fd(port->fd, ifindex);
    if (r < 0)
        return r;
    r = arp_port_watch(port, NULL, 0);
    if (r < 0)
        return r;
    /* What was lost before there was a filter was not for us. */
    (void)arp_port_dropped(port);
    port->dropped = 0;
    *ret = TAKE_POINTER(port);
    return 0;
}

void arp_port_close(struct arp_port *port)
{
    if (!port)
        return;
    close_handle(&port->handle);
    free(port);
}

int arp_port_fd(const struct arp_port *port)
{
    return port->fd;
}

int arp_port_ifindex(const struct arp_port *port)
{
    return port->ifindex;
}

static bool is_watched(const struct arp_port *port, const struct ip_address *address)
{
    for (size_t i = 0; i < port->n_watched; i++) {
        if (ip_address_equal(&port->watched[i], address))
            return true;
    }
    return false;
}

/* Every check of the filter is made again: the frame may have waited since before it was put on. */
static void frame_came(u_char *userdata, const struct pcap_pkthdr *header, const u_char *bytes)
{
    struct arp_port *port = (struct arp_port *)userdata;
    /* At nanosecond precision, tv_usec holds nanoseconds. */
    nsec_t received_ns = header->ts.tv_sec * NSEC_PER_SEC + header->ts.tv_usec + port->to_monotonic_ns;
    struct arp_heard heard;
    struct arp_traffic traffic;

    if (arp_frame_parse(bytes, header->caplen, &heard) == 0) {
        /* A frame of ours that a loop or a bond brought back is nobody else's word. */
        if (!mac_address_equal(&heard.ethernet_source, &port->own))
            port->callbacks.heard(port->userdata, port, &heard, received_ns);
        return;
    }
    if (arp_frame_parse_traffic(bytes, header->caplen, &traffic) < 0)
        return;
    if (mac_address_equal(&traffic.ethernet_target, &port->own) && is_watched(port, &traffic.to) &&
        !mac_address_equal(&traffic.ethernet_source, &port->own))
        port->callbacks.traffic(port->userdata, port, &traffic.from, &traffic.to, received_ns);
}

int arp_port_on_readable(struct arp_port *port, nsec_t to_monotonic_ns, unsigned limit)
{
    int n, r;

    /* libpcap takes 0 for "all". */
    if (limit == 0)
        return 0;
    port->to_monotonic_ns = to_monotonic_ns;
    n = pcap_dispatch(port->handle, limit > INT_MAX ? INT_MAX : (int)limit, frame_came, (u_char *)port);
    if (n > 0)
        return n;
    /* Woken for no frame: the NIC's going down wakes too, and libpcap keeps that to itself. */
    r = check_nic(port);
    if (r < 0)
        return r;
    return n == 0 ? 0 : -EIO;
}

int arp_port_send(struct arp_port *port, const struct arp_frame *frame)
{
    /* pcap_inject would lose the errno. */
    if (send(port->fd, frame->bytes, frame->length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        return 0;
    return errno == ENXIO ? -ENODEV : -errno;
}

static bool watches(const struct arp_port *port, const struct ip_address *addresses, size_t count)
{
    if (count != port->n_watched)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!ip_address_equal(&addresses[i], &port->watched[i]))
            return false;
    return true;
}

int arp_port_watch(struct arp_port *port, const struct ip_address *addresses, size_t count)
{
    struct mac_address own;
    struct ifreq answer;
    int r;

    if (count > ARP_PORT_WATCHED_MAX)
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (ip_address_is_unspecified(&addresses[i]) || ip_address_is_multicast(&addresses[i]))
            return -EINVAL;
    }
    r = ask_nic(port, SIOCGIFHWADDR, &answer);
    if (r < 0)
        return r;
    memcpy(&own, answer.ifr_hwaddr.sa_data, sizeof own);
    if (mac_address_equal(&own, &port->own) && watches(port, addresses, count))
        return 0;
    r = attach_filter(port, &own, addresses, count);
    if (r < 0)
        return r;
    if (count > 0)
        memmove(port->watched, addresses, count * sizeof *addresses);
    port->n_watched = count;
    port->own = own;
    return 0;
}

uint64_t arp_port_dropped(struct arp_port *port)
{
    struct pcap_stat statistics;

    if (pcap_stats(port->handle, &statistics) == 0) {
        port->dropped += (uint32_t)(statistics.ps_drop - port->dropped_seen);
        port->dropped_seen = statistics.ps_drop;
    }
    return port->dropped;
}
