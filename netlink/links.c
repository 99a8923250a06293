/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Caches and events. libnl has the caches of links, neighbours and routes; links are mirrored into a table of our own,
 * and addresses live in that table alone (see table.h). Not used is libnl's manager of caches: it ends the process when
 * it can have no socket, and waits for ever where its first question was not sent.
 */
#include "netlink/links.h"

#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <netlink/msg.h>
#include <netlink/route/link.h>
#include <string.h>
#include <sys/random.h>

#include "agent/base/cleanup.h"
#include "netlink/links_internal.h"
#include "netlink/message.h"
#include "netlink/shelf.h"

/* Room for the notifications of some ten thousand addresses that come and go within one turn. */
#define EVENTS_BYTES (16 << 20)
/* A notification is far smaller (a NIC with many VFs some KiB); asked for once instead of peeking at each. */
#define EVENT_BYTES_MAX 32768
/* Overruns during the draining of one overrun; then the machine has other problems. */
#define DRAIN_ATTEMPTS 64
/* A dump that changes meanwhile is asked for again. */
#define DUMP_ATTEMPTS 16

int links_errno(int nl_error)
{
    switch (-nl_error) {
    case NLE_SUCCESS:
        return 0;
    case NLE_NOMEM:
        return -ENOMEM;
    case NLE_PERM:
        return -EPERM;
    case NLE_NODEV:
    case NLE_OBJ_NOTFOUND:
        return -ENODEV;
    case NLE_AF_NOSUPPORT:
        return -EAFNOSUPPORT;
    default:
        return -EIO;
    }
}

/*
 * Lets only those notifications through that are of use, so that 10,000 addresses (each brings a route of table local),
 * a full table of the Internet, or the learning of a busy bridge cost us nothing. What IPv6 alone tells of a NIC lacks
 * its kind and master, and would take the place of what is known of them. The family stands first in the headers of all
 * messages. A load beyond the end drops the message.
 */
static int attach_filter(struct nl_sock *events)
{
    enum { FAMILY = NLMSG_HDRLEN, DST_LEN = NLMSG_HDRLEN + 1, TABLE = NLMSG_HDRLEN + 4, TYPE = 4 };
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FAMILY),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_BRIDGE, 11, 0),
        /* BPF loads in network order, netlink is in the host's. */
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, TYPE),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __builtin_bswap16(RTM_NEWLINK), 0, 2),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FAMILY),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_UNSPEC, 6, 7),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __builtin_bswap16(RTM_NEWROUTE), 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __builtin_bswap16(RTM_DELROUTE), 0, 4),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, DST_LEN),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TABLE),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RT_TABLE_MAIN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};

    if (setsockopt(nl_socket_get_fd(events), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0)
        return -errno;
    return 0;
}

/* The NIC's carrier as the kernel last told it. Drivers that do not know their state say UNKNOWN (RFC 2863). */
static bool notified_carrier(struct rtnl_link *link)
{
    unsigned flags = rtnl_link_get_flags(link);

    if (!(flags & IFF_RUNNING))
        return false;
    if (rtnl_link_get_operstate(link) == IF_OPER_UNKNOWN)
        return (flags & IFF_LOWER_UP) != 0;
    return rtnl_link_get_operstate(link) == IF_OPER_UP;
}

/*
 * A veth and other tunnels name a peer in IFLA_LINK that is not below them, and masters of other kinds (VRF) are no
 * device to send through: hence by kind.
 */
static enum nic_kind kind_of(struct rtnl_link *link)
{
    static const char *const over_ports[] = {"bridge", "bond", "team"};
    static const char *const over_lower[] = {"vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", "macsec"};
    const char *type = rtnl_link_get_type(link);

    for (size_t i = 0; type && i < sizeof over_ports / sizeof *over_ports; i++)
        if (strcmp(type, over_ports[i]) == 0)
            return NIC_OVER_PORTS;
    for (size_t i = 0; type && i < sizeof over_lower / sizeof *over_lower; i++)
        if (strcmp(type, over_lower[i]) == 0)
            return NIC_OVER_LOWER;
    return NIC_PLAIN;
}

static int put_link(struct links *links, struct rtnl_link *link)
{
    struct link_info info = {.ifindex = rtnl_link_get_ifindex(link)};
    struct nl_addr *mac = rtnl_link_get_addr(link);
    const char *name = rtnl_link_get_name(link);
    int32_t namespace;
    int lower;

    if (!name || strlen(name) >= sizeof info.name)
        return -EBADMSG;
    memcpy(info.name, name, strlen(name));
    info.up = (rtnl_link_get_flags(link) & IFF_UP) != 0;
    info.carrier = notified_carrier(link);
    info.ethernet = rtnl_link_get_arptype(link) == ARPHRD_ETHER;
    info.shelf_of = shelf_target(info.name, rtnl_link_get_group(link));
    if (info.ethernet && mac && nl_addr_get_len(mac) == sizeof info.mac.bytes)
        memcpy(info.mac.bytes, nl_addr_get_binary_addr(mac), sizeof info.mac.bytes);
    /* An index in another namespace means nothing here. */
    lower = rtnl_link_get_link_netnsid(link, &namespace) == 0 ? 0 : rtnl_link_get_link(link);
    return table_put_nic(&links->table, &info, kind_of(link), rtnl_link_get_master(link), lower);
}

static void address_gone(void *userdata, const struct link_address *address)
{
    struct links *links = userdata;

    if (links->opened && links->callbacks.address_changed)
        links->callbacks.address_changed(links->userdata, address, false);
}

static void on_link(struct nl_cache *cache, struct nl_object *object, int action, void *userdata)
{
    struct rtnl_link *link = (struct rtnl_link *)object;
    struct links *links = userdata;
    int ifindex = rtnl_link_get_ifindex(link);
    struct link_info before;
    bool was_up = links_by_index(links, ifindex, &before) == 0 && before.up;
    int changed;

    (void)cache;
    if (action == NL_ACT_DEL) {
        table_drop_addresses(&links->table, ifindex, address_gone, links);
        changed = table_remove_nic(&links->table, ifindex);
    } else {
        changed = put_link(links, link);
    }
    if (changed < 0) {
        links->error = changed;
        return;
    }
    if (was_up && (links_by_index(links, ifindex, &before) < 0 || !before.up))
        links_prune_routes(links);
    if (changed && links->opened && links->callbacks.link_changed)
        links->callbacks.link_changed(links->userdata, ifindex);
}

static void put_address(struct links *links, const struct link_address *address)
{
    int added = table_put_address(&links->table, address);

    if (added < 0)
        links->error = added;
    else if (added && links->opened && links->callbacks.address_changed)
        links->callbacks.address_changed(links->userdata, address, true);
}

static void take_address(struct links *links, uint16_t type, const struct address_message *message)
{
    struct link_address address = {.ifindex = message->ifindex, .ip = message->ip, .prefix = message->prefix};

    if (type == RTM_NEWADDR)
        put_address(links, &address);
    else if (table_remove_address(&links->table, &address))
        address_gone(links, &address);
}

/* The cache that messages of a type are about; NULL where there is none. */
static struct nl_cache *cache_of(const struct links *links, int type)
{
    switch (type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        return links->link_cache;
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
        return links->neighbour_cache;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        return links->route_cache;
    default:
        return NULL;
    }
}

/* What libnl made of a message. */
static void take_object(struct nl_object *object, void *userdata)
{
    struct links *links = userdata;
    struct nl_cache *cache = cache_of(links, nl_object_get_msgtype(object));
    int error = nl_cache_include(cache, object, cache == links->link_cache ? on_link : NULL, links);

    if (error < 0)
        links->error = links_errno(error);
}

/* Every message, of events and of the dump of addresses. */
static int on_message(struct nl_msg *message, void *userdata)
{
    struct links *links = userdata;
    uint16_t type = nlmsg_hdr(message)->nlmsg_type;
    struct address_message parsed;
    int error = 0;

    if (message_parse_address(nlmsg_hdr(message), &parsed) == 0)
        take_address(links, type, &parsed);
    else if (cache_of(links, type))
        error = nl_msg_parse(message, take_object, links);
    if (error < 0)
        links->error = links_errno(error);
    return NL_OK;
}

/* Reads all addresses anew: what the dump does not hold is gone. */
static int dump_addresses(struct links *links)
{
    struct ifaddrmsg any = {.ifa_family = AF_UNSPEC};
    struct nl_cb *callbacks = nl_cb_alloc(NL_CB_DEFAULT);
    int error = -NLE_DUMP_INTR;

    if (!callbacks)
        return -ENOMEM;
    nl_cb_set(callbacks, NL_CB_VALID, NL_CB_CUSTOM, on_message, links);
    for (unsigned attempt = 0; attempt < DUMP_ATTEMPTS && error == -NLE_DUMP_INTR; attempt++) {
        links->table.generation++;
        error = nl_send_simple(links->questions, RTM_GETADDR, NLM_F_DUMP, &any, sizeof any);
        if (error >= 0)
            error = nl_recvmsgs(links->questions, callbacks);
    }
    nl_cb_put(callbacks);
    if (error < 0)
        return links_errno(error);
    table_drop_stale(&links->table, address_gone, links);
    return links->error;
}

int links_open_questions(struct links *links)
{
    struct nl_sock *questions = nl_socket_alloc();
    int error;

    if (!questions)
        return -ENOMEM;
    error = nl_connect(questions, NETLINK_ROUTE);
    /*
     * The kernel answers within the send, and goes on within each read. So nothing is waited for where a question was
     * not sent, which libnl passes over when it fills a cache.
     */
    if (error == 0)
        error = nl_socket_set_nonblocking(questions);
    if (error < 0) {
        nl_socket_free(questions);
        return links_errno(error);
    }
    nl_socket_free(links->questions);
    links->questions = questions;
    return 0;
}

static int open_events(struct links *links)
{
    int size = EVENTS_BYTES, fd, error;

    links->events = nl_socket_alloc();
    if (!links->events)
        return -ENOMEM;
    nl_socket_disable_seq_check(links->events);
    nl_socket_disable_msg_peek(links->events);
    error = nl_connect(links->events, NETLINK_ROUTE);
    if (error == 0)
        error = nl_socket_set_nonblocking(links->events);
    if (error == 0)
        error = nl_socket_set_msg_buf_size(links->events, EVENT_BYTES_MAX);
    if (error == 0)
        error = nl_socket_modify_cb(links->events, NL_CB_VALID, NL_CB_CUSTOM, on_message, links);
    if (error == 0)
        error = nl_socket_add_memberships(links->events, RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR,
                                          RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_NONE);
    if (error < 0)
        return links_errno(error);
    fd = nl_socket_get_fd(links->events);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    return attach_filter(links->events);
}

/* Events before anything is asked: what changes meanwhile is told of. */
static int open_sockets(struct links *links)
{
    int error;

    links->device_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (links->device_fd < 0)
        return -errno;
    error = open_events(links);
    return error < 0 ? error : links_open_questions(links);
}

static int alloc_caches(struct links *links)
{
    int error = nl_cache_alloc_name("route/link", &links->link_cache);

    if (error == 0)
        error = nl_cache_alloc_name("route/neigh", &links->neighbour_cache);
    if (error == 0)
        error = nl_cache_alloc_name("route/route", &links->route_cache);
    return links_errno(error);
}

/* Reads everything anew; differences are told as if they had been notified. */
static int resync(struct links *links)
{
    int error;

    links->error = 0;
    error = nl_cache_resync(links->questions, links->link_cache, on_link, links);
    if (error < 0)
        return links_errno(error);
    error = dump_addresses(links);
    if (error < 0)
        return error;
    error = nl_cache_resync(links->questions, links->neighbour_cache, NULL, NULL);
    if (error == 0)
        error = nl_cache_resync(links->questions, links->route_cache, NULL, NULL);
    if (error < 0)
        return links_errno(error);
    links_prune_routes(links);
    return 0;
}

int links_open(struct links **ret, const struct links_callbacks *callbacks, void *userdata)
{
    struct links *links = calloc(1, sizeof *links);
    uint64_t seed;
    int error;

    if (!links)
        return -ENOMEM;
    links->device_fd = -EBADF;
    links->callbacks = *callbacks;
    links->userdata = userdata;
    error = getrandom(&seed, sizeof seed, 0) == sizeof seed ? 0 : -EIO;
    table_init(&links->table, seed);
    if (error == 0)
        error = open_sockets(links);
    if (error == 0)
        error = alloc_caches(links);
    if (error == 0)
        error = resync(links);
    if (error < 0) {
        links_close(links);
        return error;
    }
    links->opened = true;
    *ret = links;
    return 0;
}

void links_close(struct links *links)
{
    if (!links)
        return;
    nl_cache_free(links->link_cache);
    nl_cache_free(links->neighbour_cache);
    nl_cache_free(links->route_cache);
    nl_socket_free(links->events);
    nl_socket_free(links->questions);
    cleanup_close_fd(&links->device_fd);
    table_clear(&links->table);
    free(links);
}

int links_fd(const struct links *links)
{
    return nl_socket_get_fd(links->events);
}

uint64_t links_overruns(const struct links *links)
{
    return links->overruns;
}

static int read_events(struct links *links)
{
    int error;

    do
        error = nl_recvmsgs_default(links->events);
    while (error == 0);
    return error == -NLE_AGAIN ? 0 : error;
}

int links_on_readable(struct links *links)
{
    int error = -NLE_NOMEM;

    /*
     * After an overrun (ENOBUFS, which libnl calls NLE_NOMEM) older notifications still stand in the queue. They are
     * read first: applied on top of a newer dump they would bring back what is gone.
     */
    for (unsigned attempt = 0; attempt < DRAIN_ATTEMPTS && error < 0; attempt++) {
        error = read_events(links);
        links->stale = links->stale || error < 0;
    }
    if (error < 0)
        return links_errno(error);
    if (!links->stale && links->error == 0)
        return 0;
    links->overruns++;
    links->stale = true; /* until it succeeds, however often it is tried */
    error = resync(links);
    links->stale = error < 0;
    if (error < 0)
        (void)links_open_questions(links); /* where this fails too, the next try comes back here */
    else if (links->callbacks.resynced)
        links->callbacks.resynced(links->userdata);
    return error;
}

int links_by_name(const struct links *links, const char *name, struct link_info *ret)
{
    const struct nic *nic = table_nic_by_name(&links->table, name);

    if (!nic)
        return -ENODEV;
    *ret = nic->info;
    return 0;
}

int links_by_index(const struct links *links, int ifindex, struct link_info *ret)
{
    const struct nic *nic = table_nic_by_index(&links->table, ifindex);

    if (!nic)
        return -ENODEV;
    *ret = nic->info;
    return 0;
}

bool links_in_vrf(const struct links *links, int ifindex)
{
    const struct nic *nic = table_nic_by_index(&links->table, ifindex);
    struct rtnl_link *master = nic && nic->master ? rtnl_link_get(links->link_cache, nic->master) : NULL;
    const char *type = master ? rtnl_link_get_type(master) : NULL;
    bool in_vrf = type && strcmp(type, "vrf") == 0;

    rtnl_link_put(master);
    return in_vrf;
}

static bool each_address_of(const struct nic *nic, bool (*each)(void *userdata, const struct link_address *address),
                            void *userdata)
{
    const struct address_entry *entry;

    TAILQ_FOREACH(entry, &nic->addresses, of_nic)
    if (!each(userdata, &entry->address))
        return false;
    return true;
}

void links_each_address(const struct links *links, int ifindex,
                        bool (*each)(void *userdata, const struct link_address *address), void *userdata)
{
    const struct nic *nic;

    if (ifindex != 0) {
        nic = table_nic_by_index(&links->table, ifindex);
        if (nic)
            each_address_of(nic, each, userdata);
        return;
    }
    LIST_FOREACH(nic, &links->table.all, in_all)
    if (!each_address_of(nic, each, userdata))
        return;
}
