/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/message.h"

#include <assert.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <string.h>
#include <sys/socket.h>

int message_each(const void *bytes, size_t length, bool (*each)(void *userdata, const struct nlmsghdr *message),
                 void *userdata)
{
    const struct nlmsghdr *message;
    size_t at = 0;

    /* mnl_nlmsg_ok takes a length beyond INT_MAX for a negative one, and lets it pass. */
    while (at < length) {
        message = (const struct nlmsghdr *)((const char *)bytes + at);
        if (length - at < sizeof *message || message->nlmsg_len < sizeof *message || message->nlmsg_len > length - at)
            return -EBADMSG;
        if (!each(userdata, message))
            return 0;
        /* The last message may stand without its padding. */
        at += NLMSG_ALIGN((size_t)message->nlmsg_len);
    }
    return 0;
}

static bool has_payload(const struct nlmsghdr *message, size_t size)
{
    return message->nlmsg_len >= MNL_NLMSG_HDRLEN && mnl_nlmsg_get_payload_len(message) >= size;
}

/* What a renewal must state again. The kernel's own findings (permanent, deprecated, tentative) are not among them. */
#define FLAGS_KEPT (IFA_F_NODAD | IFA_F_NOPREFIXROUTE)

/* Attributes of ifaddrmsg, by type; NULL where absent. */
struct address_attributes {
    const struct nlattr *by_type[IFA_MAX + 1];
};

static int keep_attribute(const struct nlattr *attribute, void *userdata)
{
    struct address_attributes *attributes = userdata;

    if (mnl_attr_type_valid(attribute, IFA_MAX) > 0)
        attributes->by_type[mnl_attr_get_type(attribute)] = attribute;
    return MNL_CB_OK;
}

/* Whether the attribute is there with at least `size` bytes. */
static bool attribute_holds(const struct nlattr *attribute, size_t size)
{
    return attribute && mnl_attr_get_payload_len(attribute) >= size;
}

/* Without a lifetime the kernel means one that never ends. */
static uint32_t valid_of(const struct nlattr *cache_info)
{
    struct ifa_cacheinfo lifetime;

    if (!attribute_holds(cache_info, sizeof lifetime))
        return MESSAGE_FOREVER;
    memcpy(&lifetime, mnl_attr_get_payload(cache_info), sizeof lifetime);
    return lifetime.ifa_valid;
}

int message_parse_address(const struct nlmsghdr *message, struct address_message *ret)
{
    struct address_attributes attributes = {};
    struct address_message address = {};
    const struct nlattr *local, *other;
    const struct ifaddrmsg *header;
    size_t size;

    if (message->nlmsg_type != RTM_NEWADDR && message->nlmsg_type != RTM_DELADDR)
        return -EBADMSG;
    if (!has_payload(message, sizeof *header))
        return -EBADMSG;
    header = mnl_nlmsg_get_payload(message);
    if (header->ifa_family != AF_INET && header->ifa_family != AF_INET6)
        return -EBADMSG;
    if (header->ifa_prefixlen > ip_address_bits(header->ifa_family) || header->ifa_index > INT_MAX)
        return -EBADMSG;
    mnl_attr_parse(message, sizeof *header, keep_attribute, &attributes);

    /* IFA_ADDRESS is the peer where both stand and differ; IPv6 leaves IFA_LOCAL out where there is no peer. */
    size = ip_address_size(header->ifa_family);
    local = attributes.by_type[IFA_LOCAL];
    other = attributes.by_type[IFA_ADDRESS];
    if (!local)
        local = other;
    if (!attribute_holds(local, size) || (other && !attribute_holds(other, size)))
        return -EBADMSG;

    address.flags = header->ifa_flags;
    if (attribute_holds(attributes.by_type[IFA_FLAGS], sizeof address.flags))
        address.flags = mnl_attr_get_u32(attributes.by_type[IFA_FLAGS]);
    if (attribute_holds(attributes.by_type[IFA_PROTO], sizeof address.proto))
        address.proto = mnl_attr_get_u8(attributes.by_type[IFA_PROTO]);
    address.ifindex = (int)header->ifa_index;
    address.ip = ip_address_of(header->ifa_family, mnl_attr_get_payload(local));
    address.prefix = header->ifa_prefixlen;
    /* The same bit reads "temporary" for IPv6. */
    address.secondary = header->ifa_family == AF_INET && (address.flags & IFA_F_SECONDARY) != 0;
    address.valid_s = valid_of(attributes.by_type[IFA_CACHEINFO]);
    address.peer = other && memcmp(mnl_attr_get_payload(local), mnl_attr_get_payload(other), size) != 0;
    *ret = address;
    return 0;
}

int message_parse_result(const struct nlmsghdr *message, int *ret_error)
{
    int error;

    if (message->nlmsg_type != NLMSG_ERROR && message->nlmsg_type != NLMSG_DONE)
        return -EBADMSG;
    if (message->nlmsg_type == NLMSG_DONE && !has_payload(message, sizeof error)) {
        *ret_error = 0;
        return 0;
    }
    if (!has_payload(message, sizeof error))
        return -EBADMSG;
    memcpy(&error, mnl_nlmsg_get_payload(message), sizeof error);
    if (error > 0 || error < -4095) /* MAX_ERRNO of the kernel */
        return -EBADMSG;
    *ret_error = error;
    return 0;
}

/* What to find among attributes: the last of this type. */
struct attribute_search {
    uint16_t type;
    const struct nlattr *found;
};

static int match_attribute(const struct nlattr *attribute, void *userdata)
{
    struct attribute_search *search = userdata;

    if (mnl_attr_get_type(attribute) == search->type)
        search->found = attribute;
    return MNL_CB_OK;
}

static const struct nlattr *find_nested(const struct nlattr *nest, uint16_t type)
{
    struct attribute_search search = {.type = type};

    if (nest)
        mnl_attr_parse_nested(nest, match_attribute, &search);
    return search.found;
}

int message_parse_devconf(const struct nlmsghdr *message, unsigned setting, uint32_t *ret)
{
    struct attribute_search search = {.type = IFLA_AF_SPEC};
    const struct nlattr *values;

    if (message->nlmsg_type != RTM_NEWLINK || !has_payload(message, sizeof(struct ifinfomsg)))
        return -EBADMSG;
    mnl_attr_parse(message, sizeof(struct ifinfomsg), match_attribute, &search);
    values = find_nested(find_nested(search.found, AF_INET), IFLA_INET_CONF);
    /* An array of all settings, the first of them numbered 1. */
    if (setting == 0 || !attribute_holds(values, setting * sizeof *ret))
        return -ENODATA;
    memcpy(ret, (const char *)mnl_attr_get_payload(values) + (setting - 1) * sizeof *ret, sizeof *ret);
    return 0;
}

static struct nlmsghdr *start(void *buffer, uint16_t type, uint16_t flags, uint32_t sequence)
{
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

    message->nlmsg_type = type;
    message->nlmsg_flags = NLM_F_REQUEST | flags;
    message->nlmsg_seq = sequence;
    return message;
}

/*
 * IPv4 has no preferred lifetime that would keep an address from being chosen as source. What does is its scope: the
 * kernel passes over addresses of scope host when it looks for a source. That is free for a host prefix. A claim that
 * brings its subnet along stays global: the kernel refuses (EINVAL) addresses of two scopes in one subnet, and would so
 * refuse the host's own address if that came later.
 */
static uint8_t scope_of(const struct claims_request *request)
{
    return request->ip.family == AF_INET && request->prefix == 32 ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
}

static void put_ipv4_broadcast(struct nlmsghdr *message, const struct claims_request *request)
{
    struct ip_address broadcast = request->ip;

    /* RFC 3021: a /31 has no broadcast address; nor has a host prefix. */
    if (request->prefix >= 31)
        return;
    for (unsigned bit = request->prefix; bit < 32; bit++)
        broadcast.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    mnl_attr_put(message, IFA_BROADCAST, 4, broadcast.bytes);
}

/* IPv6: deprecated from the start and for good, so never chosen as source (RFC 6724, 5). IPv4 has no such rule. */
static void put_lifetime(struct nlmsghdr *message, uint8_t family, uint32_t valid_s)
{
    struct ifa_cacheinfo lifetime = {.ifa_valid = valid_s ? valid_s : MESSAGE_FOREVER};

    lifetime.ifa_prefered = family == AF_INET ? lifetime.ifa_valid : 0;
    mnl_attr_put(message, IFA_CACHEINFO, sizeof lifetime, &lifetime);
}

/*
 * IPv6: we asked the link ourselves before, so no DAD. A host prefix needs no route beside the one of table local; and
 * one that the kernel made for a leased address would outlive its removal.
 */
static uint32_t flags_of(const struct claims_request *request)
{
    if (request->ip.family == AF_INET)
        return 0;
    return request->prefix == 128 ? IFA_F_NODAD | IFA_F_NOPREFIXROUTE : IFA_F_NODAD;
}

/* What every message names: this very address, prefix and NIC. */
static struct nlmsghdr *start_address(void *buffer, uint16_t type, uint16_t flags, uint32_t sequence,
                                      const struct claims_request *request)
{
    struct nlmsghdr *message = start(buffer, type, NLM_F_ACK | flags, sequence);
    struct ifaddrmsg *header = mnl_nlmsg_put_extra_header(message, sizeof *header);
    size_t size = ip_address_size(request->ip.family);

    header->ifa_family = request->ip.family;
    header->ifa_prefixlen = request->prefix;
    header->ifa_index = (uint32_t)request->ifindex;
    header->ifa_scope = scope_of(request);
    mnl_attr_put(message, IFA_LOCAL, size, request->ip.bytes);
    /* In RTM_DELADDR this makes the kernel compare the prefix too, so that it takes off this very address. */
    mnl_attr_put(message, IFA_ADDRESS, size, request->ip.bytes);
    return message;
}

/* All that makes it a claim: also what REPLACE would clear if it were left out. */
static struct nlmsghdr *put_claim(struct nlmsghdr *message, const struct claims_request *request, uint32_t flags,
                                  uint32_t valid_s)
{
    mnl_attr_put_u8(message, IFA_PROTO, CLAIMS_PROTO);
    if (request->ip.family == AF_INET)
        put_ipv4_broadcast(message, request);
    if (flags != 0)
        mnl_attr_put_u32(message, IFA_FLAGS, flags);
    put_lifetime(message, request->ip.family, valid_s);
    return message;
}

struct nlmsghdr *message_build_claim(void *buffer, uint32_t sequence, const struct claims_request *request)
{
    assert(request->operation != CLAIMS_RENEW);
    if (request->operation == CLAIMS_REMOVE)
        return start_address(buffer, RTM_DELADDR, 0, sequence, request);
    return put_claim(start_address(buffer, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sequence, request), request,
                     flags_of(request), request->valid_s);
}

/* Without NLM_F_CREATE. Kernels so far put the address on all the same where it is not; a later one may not. */
struct nlmsghdr *message_build_renewal(void *buffer, uint32_t sequence, const struct claims_request *request,
                                       uint32_t flags, uint32_t valid_s)
{
    return put_claim(start_address(buffer, RTM_NEWADDR, NLM_F_REPLACE, sequence, request), request, flags & FLAGS_KEPT,
                     valid_s);
}

struct nlmsghdr *message_build_nothing(void *buffer, uint32_t sequence)
{
    return start(buffer, NLMSG_NOOP, NLM_F_ACK, sequence);
}

struct nlmsghdr *message_build_get_addresses(void *buffer, uint32_t sequence, uint8_t family, int ifindex)
{
    struct nlmsghdr *message = start(buffer, RTM_GETADDR, NLM_F_DUMP, sequence);
    struct ifaddrmsg *header = mnl_nlmsg_put_extra_header(message, sizeof *header);

    header->ifa_family = family;
    header->ifa_index = (uint32_t)ifindex;
    return message;
}

struct nlmsghdr *message_build_get_link(void *buffer, uint32_t sequence, int ifindex)
{
    struct nlmsghdr *message = start(buffer, RTM_GETLINK, 0, sequence);
    struct ifinfomsg *header = mnl_nlmsg_put_extra_header(message, sizeof *header);

    header->ifi_index = ifindex;
    return message;
}

struct nlmsghdr *message_build_set_devconf(void *buffer, uint32_t sequence, int ifindex, unsigned setting,
                                           uint32_t value)
{
    struct nlmsghdr *message = start(buffer, RTM_SETLINK, NLM_F_ACK, sequence);
    struct ifinfomsg *header = mnl_nlmsg_put_extra_header(message, sizeof *header);
    struct nlattr *by_family, *ipv4, *settings;

    header->ifi_index = ifindex;
    by_family = mnl_attr_nest_start(message, IFLA_AF_SPEC);
    ipv4 = mnl_attr_nest_start(message, AF_INET);
    settings = mnl_attr_nest_start(message, IFLA_INET_CONF);
    mnl_attr_put_u32(message, (uint16_t)setting, value);
    mnl_attr_nest_end(message, settings);
    mnl_attr_nest_end(message, ipv4);
    mnl_attr_nest_end(message, by_family);
    return message;
}
