/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/icmp.h"

#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

/* Has to come after netinet/in.h. */
#include <linux/icmp.h>

#include "agent/base/cleanup.h"
#include "probes/inbox.h"
#include "probes/outbox.h"

struct icmp_probe {
    int fd;                /* one raw socket for all addresses */
    uint8_t family;        /* AF_INET or AF_INET6 */
    uint16_t identifier;   /* in every echo; random, so that other programs' echoes are filtered away */
    probe_reply_fn reply;  /* called for each valid reply */
    void *userdata;        /* of the callbacks */
    struct inbox *inbox;   /* packets in */
    struct outbox *outbox; /* requests out */
    uint32_t kernel_drops; /* the kernel's own count of lost replies, as last told; wraps */
    uint64_t dropped;      /* replies lost */
};

/* Lets only echo replies with our identifier into the queue. Raw sockets see IPv4 with its header, IPv6 without. */
static int attach_filter(int fd, uint8_t family, uint16_t identifier)
{
    uint16_t load_header_length = family == AF_INET ? BPF_LDX | BPF_B | BPF_MSH : BPF_LDX | BPF_IMM;
    struct icmp_filter types4 = {.data = ~(1u << ICMP_ECHOREPLY)};
    struct icmp6_filter types6;
    struct sock_filter code[] = {
        {load_header_length, 0, 0, 0},
        {BPF_LD | BPF_H | BPF_IND, 0, 0, 4}, /* the identifier, behind type, code and checksum */
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, identifier},
        {BPF_RET | BPF_K, 0, 0, UINT32_MAX},
        {BPF_RET | BPF_K, 0, 0, 0},
    };
    struct sock_fprog filter = {.len = sizeof code / sizeof *code, .filter = code};
    int r;

    if (family == AF_INET) {
        r = setsockopt(fd, SOL_RAW, ICMP_FILTER, &types4, sizeof types4);
    } else {
        ICMP6_FILTER_SETBLOCKALL(&types6);
        ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &types6);
        r = setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &types6, sizeof types6);
    }
    if (r < 0)
        return -errno;
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0 ? -errno : 0;
}

static int set_options(int fd, uint8_t family)
{
    int level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6, on = 1, whole = IP_PMTUDISC_PROBE;

    /* What is never cut into fragments needs no identification (RFC 6864 section 4.1), whose making takes a hash. */
    if (family == AF_INET && setsockopt(fd, level, IP_MTU_DISCOVER, &whole, sizeof whole) < 0)
        return -errno;
    if (setsockopt(fd, level, family == AF_INET ? IP_PKTINFO : IPV6_RECVPKTINFO, &on, sizeof on) < 0)
        return -errno;
    /* Without this the kernel does not tell that its own queue dropped a request, and that would pass for a miss. */
    if (setsockopt(fd, level, family == AF_INET ? IP_RECVERR : IPV6_RECVERR, &on, sizeof on) < 0)
        return -errno;
    return setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on) < 0 ? -errno : 0;
}

static int open_socket(uint8_t family, uint16_t *ret_identifier)
{
    CLEANUP_CLOSE int fd =
        socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
    uint16_t identifier;
    int r;

    if (fd < 0)
        return -errno;
    if (getrandom(&identifier, sizeof identifier, 0) != sizeof identifier)
        return -EIO;
    r = attach_filter(fd, family, identifier);
    if (r < 0)
        return r;
    r = set_options(fd, family);
    if (r < 0)
        return r;
    *ret_identifier = identifier;
    return TAKE_FD(fd);
}

/* Where the request goes, and through which NIC and from which address. */
static void compose4(const struct probe_request *request, struct outbox_message *ret)
{
    struct cmsghdr *header = (struct cmsghdr *)ret->control;
    struct in_pktinfo info = {.ipi_ifindex = request->ifindex};

    ret->to.in.sin_family = AF_INET;
    memcpy(&ret->to.in.sin_addr, request->to.bytes, sizeof ret->to.in.sin_addr);
    ret->to_length = sizeof ret->to.in;
    memcpy(&info.ipi_spec_dst, request->from.bytes, sizeof info.ipi_spec_dst);
    header->cmsg_level = IPPROTO_IP;
    header->cmsg_type = IP_PKTINFO;
    header->cmsg_len = CMSG_LEN(sizeof info);
    memcpy(CMSG_DATA(header), &info, sizeof info);
    ret->control_length = CMSG_SPACE(sizeof info);
}

static void compose6(const struct probe_request *request, struct outbox_message *ret)
{
    struct cmsghdr *header = (struct cmsghdr *)ret->control;
    struct in6_pktinfo info = {.ipi6_ifindex = (unsigned)request->ifindex};

    ret->to.in6.sin6_family = AF_INET6;
    ret->to.in6.sin6_scope_id = (uint32_t)request->ifindex;
    memcpy(&ret->to.in6.sin6_addr, request->to.bytes, sizeof ret->to.in6.sin6_addr);
    ret->to_length = sizeof ret->to.in6;
    memcpy(&info.ipi6_addr, request->from.bytes, sizeof info.ipi6_addr);
    header->cmsg_level = IPPROTO_IPV6;
    header->cmsg_type = IPV6_PKTINFO;
    header->cmsg_len = CMSG_LEN(sizeof info);
    memcpy(CMSG_DATA(header), &info, sizeof info);
    ret->control_length = CMSG_SPACE(sizeof info);
}

static void compose(void *userdata, const struct probe_request *request, struct outbox_message *ret)
{
    const struct icmp_probe *probe = userdata;

    _Static_assert(ICMP_PROBE_BYTES <= sizeof ret->bytes, "a request fits");
    icmp_probe_build(ret->bytes, probe->family, probe->identifier, &request->token);
    ret->length = ICMP_PROBE_BYTES;
    if (probe->family == AF_INET)
        compose4(request, ret);
    else
        compose6(request, ret);
}

/* The NIC and our address, from the control messages, which also bring the kernel's count of lost replies. */
static void read_control(struct icmp_probe *probe, const struct inbox_packet *packet, struct probe_reply *reply)
{
    struct msghdr message = *packet->message;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof info);
            reply->ifindex = info.ipi_ifindex;
            reply->to = ip_address_of(AF_INET, &info.ipi_addr);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof info);
            reply->ifindex = (int)info.ipi6_ifindex;
            reply->to = ip_address_of(AF_INET6, &info.ipi6_addr);
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            uint32_t drops;

            memcpy(&drops, CMSG_DATA(c), sizeof drops);
            probe->dropped += drops - probe->kernel_drops;
            probe->kernel_drops = drops;
        }
    }
}

/* The message behind the IPv4 header (RFC 791 section 3.1), or NULL. */
static const uint8_t *skip_ipv4_header(const uint8_t *bytes, size_t *length)
{
    struct iphdr ip;
    size_t header;

    if (*length < sizeof ip)
        return NULL;
    memcpy(&ip, bytes, sizeof ip);
    header = ip.ihl * 4u;
    if (ip.version != 4 || header < sizeof ip || header > *length)
        return NULL;
    *length -= header;
    return bytes + header;
}

static void on_packet(void *userdata, const struct inbox_packet *packet)
{
    struct icmp_probe *probe = userdata;
    struct probe_reply reply = {.kind = PROBE_ICMP, .has_token = true, .received_ns = packet->received_ns};
    const uint8_t *bytes = packet->bytes;
    size_t length = packet->length;

    read_control(probe, packet, &reply);
    if (probe->family == AF_INET) {
        struct sockaddr_in from;

        if (packet->from_length < sizeof from)
            return;
        memcpy(&from, packet->from, sizeof from);
        reply.from = ip_address_of(AF_INET, &from.sin_addr);
        bytes = skip_ipv4_header(bytes, &length);
    } else {
        struct sockaddr_in6 from;

        if (packet->from_length < sizeof from)
            return;
        memcpy(&from, packet->from, sizeof from);
        reply.from = ip_address_of(AF_INET6, &from.sin6_addr);
    }
    if (bytes && icmp_probe_parse(bytes, length, probe->family, probe->identifier, &reply.token) == 0)
        probe->reply(probe->userdata, &reply);
}

static void close_probe(struct icmp_probe **probe)
{
    icmp_probe_close(*probe);
}

int icmp_probe_open(struct icmp_probe **ret, uint8_t family, probe_reply_fn reply, void *userdata)
{
    CLEANUP(close_probe) struct icmp_probe *probe = NULL;
    int r;

    assert(family == AF_INET || family == AF_INET6);
    probe = calloc(1, sizeof *probe);
    if (!probe)
        return -ENOMEM;
    probe->family = family;
    probe->reply = reply;
    probe->userdata = userdata;
    probe->fd = open_socket(family, &probe->identifier);
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

void icmp_probe_close(struct icmp_probe *probe)
{
    if (!probe)
        return;
    inbox_free(probe->inbox);
    outbox_free(probe->outbox);
    if (probe->fd >= 0)
        close(probe->fd);
    free(probe);
}

int icmp_probe_fd(const struct icmp_probe *probe)
{
    return probe->fd;
}

int icmp_probe_send(struct icmp_probe *probe, const struct probe_request *request)
{
    if (request->kind != PROBE_ICMP || request->ifindex <= 0 || request->to.family != probe->family)
        return -EINVAL;
    if (ip_address_is_unspecified(&request->to) || request->token.sequence == 0)
        return -EINVAL;
    if (request->from.family != AF_UNSPEC && request->from.family != probe->family)
        return -EINVAL;
    return outbox_add(probe->outbox, request);
}

void icmp_probe_flush(struct icmp_probe *probe,
                      void (*failed)(void *userdata, const struct probe_request *request, int error))
{
    outbox_flush(probe->outbox, failed, probe->userdata);
}

/*
 * ICMP errors about what was asked say nothing that silence does not; but they fill the queue and keep the descriptor
 * readable until somebody takes them.
 */
static void discard_errors(int fd, unsigned limit)
{
    while (limit-- > 0 && recv(fd, NULL, 0, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0)
        ;
}

/* Errors, too, make the descriptor readable; they are looked for where there is no reply that it can be. */
static int read_some(struct icmp_probe *probe, const struct probe_clock *clock, unsigned limit, bool all)
{
    int count = inbox_read(probe->inbox, clock, limit, all);

    if (count <= 0)
        discard_errors(probe->fd, limit);
    return count;
}

int icmp_probe_on_readable(struct icmp_probe *probe, const struct probe_clock *clock, unsigned limit)
{
    return read_some(probe, clock, limit, false);
}

int icmp_probe_drain(struct icmp_probe *probe, const struct probe_clock *clock, unsigned limit)
{
    return read_some(probe, clock, limit, true);
}

uint64_t icmp_probe_dropped(struct icmp_probe *probe)
{
    return probe->dropped;
}
