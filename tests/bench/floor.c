/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's own floor: puts COUNT addresses 198.18.x.y/32 on a NIC by batches of netlink messages, and nothing else.
 * Prints the nanoseconds until the first and until the last was acknowledged.
 *
 *   floor NIC COUNT
 */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NSEC 1000000000LL
#define BATCH 64
#define BYTES 65536

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NSEC + now.tv_nsec;
}

static void put(struct mnl_nlmsg_batch *batch, unsigned ifindex, unsigned number)
{
    struct nlmsghdr *header = mnl_nlmsg_put_header(mnl_nlmsg_batch_current(batch));
    struct ifaddrmsg *message;

    header->nlmsg_type = RTM_NEWADDR;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    header->nlmsg_seq = number + 1;
    message = mnl_nlmsg_put_extra_header(header, sizeof *message);
    message->ifa_family = AF_INET;
    message->ifa_prefixlen = 32;
    message->ifa_index = ifindex;
    mnl_attr_put_u32(header, IFA_LOCAL, htonl(0xc6120000U + number + 1));
    mnl_nlmsg_batch_next(batch);
}

/* Reads acknowledgements until that of `last`, and tells when the first came. */
static int64_t settle(struct mnl_socket *socket, unsigned portid, unsigned last)
{
    static char bytes[BYTES];
    int64_t first_ns = 0;
    unsigned seen = 0;

    while (seen < last) {
        ssize_t length = mnl_socket_recvfrom(socket, bytes, sizeof bytes);
        int left = (int)length;

        if (length <= 0)
            exit(1);
        first_ns = first_ns ? first_ns : now_ns();
        for (struct nlmsghdr *h = (void *)bytes; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
            if (mnl_nlmsg_portid_ok(h, portid) && h->nlmsg_type == NLMSG_ERROR && *(int *)mnl_nlmsg_get_payload(h) != 0)
                exit(1);
            seen = h->nlmsg_seq;
        }
    }
    return first_ns;
}

int main(int argc, char **argv)
{
    struct mnl_socket *socket = mnl_socket_open(NETLINK_ROUTE);
    unsigned ifindex, count, portid;
    static char bytes[BYTES];
    int64_t begun_ns, first_ns = 0;

    if (argc != 3 || !socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
        return 1;
    ifindex = if_nametoindex(argv[1]);
    count = (unsigned)atoi(argv[2]);
    portid = mnl_socket_get_portid(socket);
    begun_ns = now_ns();
    for (unsigned i = 0; i < count;) {
        struct mnl_nlmsg_batch *batch = mnl_nlmsg_batch_start(bytes, BYTES / 2);
        int64_t at_ns;

        for (unsigned n = 0; n < BATCH && i < count; n++, i++)
            put(batch, ifindex, i);
        if (mnl_socket_sendto(socket, mnl_nlmsg_batch_head(batch), mnl_nlmsg_batch_size(batch)) < 0)
            return 1;
        mnl_nlmsg_batch_stop(batch);
        at_ns = settle(socket, portid, i);
        first_ns = first_ns ? first_ns : at_ns;
    }
    printf("%lld %lld\n", (long long)(first_ns - begun_ns), (long long)(now_ns() - begun_ns));
    return 0;
}
