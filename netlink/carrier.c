/* SPDX-License-Identifier: Apache-2.0 */
/* Carrier, asked of the devices themselves: the kernel holds notifications of it back, for up to a second or two. */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netlink/route/link.h>
#include <string.h>
#include <sys/ioctl.h>

#include "netlink/links_internal.h"

/* Devices stacked on each other (a VLAN on a bond on a NIC is 3), and devices asked for one answer. */
#define STACK_DEPTH_MAX 8
#define DEVICES_MAX 4096

struct carrier_question {
    struct links *links;
    unsigned asked; /* devices so far: whatever the links between them say, it ends */
};

static int ask_nic(struct carrier_question *question, int ifindex, unsigned depth);

/* The name is asked anew: it may have changed since we were told, and now be another device's. */
static int name_of(const struct links *links, int ifindex, struct ifreq *request)
{
    memset(request, 0, sizeof *request);
    request->ifr_ifindex = ifindex;
    return ioctl(links->device_fd, SIOCGIFNAME, request) < 0 ? -errno : 0;
}

static int is_up(const struct links *links, int ifindex)
{
    struct ifreq request;
    int error = name_of(links, ifindex, &request);

    if (error < 0)
        return error;
    if (ioctl(links->device_fd, SIOCGIFFLAGS, &request) < 0)
        return -errno;
    return (request.ifr_flags & IFF_UP) != 0;
}

/*
 * Some devices (dummy) have nothing to do with ethtool; IFLA_CARRIER of a fresh answer is never behind either. What a
 * dump tells while it is read must not lead here, and does not: that something was taken off is told at its end.
 */
static int ask_by_netlink(struct links *links, int ifindex)
{
    struct rtnl_link *link = NULL;
    int error = links_errno(rtnl_link_get_kernel(links->questions, ifindex, NULL, &link)), carrier;

    if (error < 0 && error != -ENODEV) /* which is the kernel's answer */
        (void)links_open_questions(links);
    if (error < 0)
        return error;
    carrier = (rtnl_link_get_flags(link) & IFF_UP) && rtnl_link_get_carrier(link);
    rtnl_link_put(link);
    return carrier;
}

static int ask_device(struct links *links, int ifindex)
{
    struct ethtool_value value = {.cmd = ETHTOOL_GLINK};
    struct ifreq request;
    int error = name_of(links, ifindex, &request);

    if (error < 0)
        return error;
    request.ifr_data = (char *)&value;
    if (ioctl(links->device_fd, SIOCETHTOOL, &request) == 0)
        return value.data != 0;
    return errno == EOPNOTSUPP ? ask_by_netlink(links, ifindex) : -errno;
}

/* A port that cannot be asked counts as without carrier, unless that is all there is to say. */
static int ask_ports(struct carrier_question *question, const struct nic *bridge, unsigned depth)
{
    const struct nic *port;
    int carrier = 0, answer, error = 0;
    bool any = false;

    LIST_FOREACH(port, &question->links->table.all, in_all)
    {
        if (!port->present || port->master != bridge->info.ifindex)
            continue;
        answer = ask_nic(question, port->info.ifindex, depth + 1);
        if (answer > 0)
            return 1;
        if (answer < 0)
            error = answer;
        else
            any = true;
    }
    return any ? carrier : error;
}

static int ask_nic(struct carrier_question *question, int ifindex, unsigned depth)
{
    const struct nic *nic = table_nic_by_index(&question->links->table, ifindex);
    int up;

    if (depth >= STACK_DEPTH_MAX || question->asked++ >= DEVICES_MAX)
        return -ELOOP;
    /* A NIC that we were not told of yet, or whose lower one is in another namespace, speaks for itself. */
    if (!nic || nic->kind == NIC_PLAIN || (nic->kind == NIC_OVER_LOWER && nic->lower == 0))
        return ask_device(question->links, ifindex);
    up = is_up(question->links, ifindex);
    if (up <= 0)
        return up;
    if (nic->kind == NIC_OVER_LOWER)
        return ask_nic(question, nic->lower, depth + 1);
    return ask_ports(question, nic, depth);
}

int links_ask_carrier(struct links *links, int ifindex)
{
    struct carrier_question question = {.links = links};

    return ask_nic(&question, ifindex, 0);
}
