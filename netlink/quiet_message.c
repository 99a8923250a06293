/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/quiet_message.h"

#include <arpa/inet.h>
#include <assert.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_arp.h>
#include <string.h>
#include <sys/socket.h>

#define CHAIN "input"
#define SET "quiet"
/* How the nft program calls types of values, and joins them: for it to show the set. */
#define TYPE_IPV4 7
#define TYPE_IPV6 8
#define TYPE_MAC 9
#define TYPE_BITS 6
/* A MAC takes two registers of four bytes, the second filled with zeros; the address follows. */
#define MAC_REGISTERS 2

/* Bytes of a packet. */
struct place {
    uint32_t base; /* NFT_PAYLOAD_... */
    uint32_t offset;
    uint32_t size;
};

/* Bytes that must read so. */
struct check {
    struct place place;
    uint8_t wanted[16];
};

#define CHECKS_MAX 3

/* Which packets of a family are questions of DAD, and where these hold the pair. */
struct question {
    uint8_t family; /* NFPROTO_... */
    uint32_t hook;
    uint32_t key_type;
    struct check checks[CHECKS_MAX]; /* ends before a size of 0 */
    struct place mac, ip;
};

static const struct question questions[] = {
    {
        .family = NFPROTO_ARP,
        .hook = NF_ARP_IN,
        .key_type = TYPE_MAC << TYPE_BITS | TYPE_IPV4,
        .checks =
            {
                /* RFC 826: Ethernet, IPv4, their lengths, a request. */
                {{NFT_PAYLOAD_NETWORK_HEADER, 0, 8}, {0, 1, 8, 0, 6, 4, 0, 1}},
                /* RFC 5227, 1.1: a probe has no sender address. */
                {{NFT_PAYLOAD_NETWORK_HEADER, 14, 4}, {0}},
            },
        .mac = {NFT_PAYLOAD_NETWORK_HEADER, 8, 6},
        .ip = {NFT_PAYLOAD_NETWORK_HEADER, 24, 4},
    },
    {
        .family = NFPROTO_IPV6,
        .hook = NF_INET_LOCAL_IN,
        .key_type = TYPE_MAC << TYPE_BITS | TYPE_IPV6,
        .checks =
            {
                /* RFC 4861, 7.1.1: ICMPv6 and hop limit 255. With others, or behind an extension header, it stays. */
                {{NFT_PAYLOAD_NETWORK_HEADER, 6, 2}, {58, 255}},
                /* RFC 4862, 5.4.2: from the unspecified address. */
                {{NFT_PAYLOAD_NETWORK_HEADER, 8, 16}, {0}},
                /* A neighbour solicitation. */
                {{NFT_PAYLOAD_NETWORK_HEADER, 40, 2}, {135, 0}},
            },
        /* RFC 4861, 4.3: there is no option with the MAC where there is no source address. */
        .mac = {NFT_PAYLOAD_LL_HEADER, 6, 6},
        .ip = {NFT_PAYLOAD_NETWORK_HEADER, 48, 16},
    },
};

static const struct question *question_of(const struct quiet_message *message)
{
    return &questions[message->family == AF_INET6];
}

static struct nlmsghdr *start(struct quiet_message *message, uint16_t type, uint16_t flags, uint8_t family,
                              uint16_t resource)
{
    struct nlmsghdr *started = mnl_nlmsg_put_header(message->bytes + message->length);
    struct nfgenmsg *header = mnl_nlmsg_put_extra_header(started, sizeof *header);

    started->nlmsg_type = type;
    started->nlmsg_flags = NLM_F_REQUEST | flags;
    started->nlmsg_seq = message->sequence;
    header->nfgen_family = family;
    header->version = NFNETLINK_V0;
    header->res_id = htons(resource);
    return started;
}

static void finish(struct quiet_message *message, struct nlmsghdr *finished)
{
    message->length += MNL_ALIGN(finished->nlmsg_len);
    message->last = finished;
}

/* A message of nf_tables. Its attributes are in network order. */
static struct nlmsghdr *start_change(struct quiet_message *message, uint16_t type, uint16_t flags)
{
    return start(message, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, question_of(message)->family, 0);
}

static void put_u32(struct nlmsghdr *change, uint16_t type, uint32_t value)
{
    mnl_attr_put_u32(change, type, htonl(value));
}

void quiet_message_begin(struct quiet_message *message)
{
    finish(message, start(message, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
}

void quiet_message_end(struct quiet_message *message)
{
    message->last->nlmsg_flags |= NLM_F_ACK;
    finish(message, start(message, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
}

static void make_chain(struct quiet_message *message)
{
    struct nlmsghdr *change = start_change(message, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
    struct nlattr *hook;

    mnl_attr_put_strz(change, NFTA_CHAIN_TABLE, message->table);
    mnl_attr_put_strz(change, NFTA_CHAIN_NAME, CHAIN);
    mnl_attr_put_strz(change, NFTA_CHAIN_TYPE, "filter");
    hook = mnl_attr_nest_start(change, NFTA_CHAIN_HOOK);
    put_u32(change, NFTA_HOOK_HOOKNUM, question_of(message)->hook);
    put_u32(change, NFTA_HOOK_PRIORITY, 0);
    mnl_attr_nest_end(change, hook);
    finish(message, change);
}

static void make_set(struct quiet_message *message)
{
    struct nlmsghdr *change = start_change(message, NFT_MSG_NEWSET, NLM_F_CREATE);

    mnl_attr_put_strz(change, NFTA_SET_TABLE, message->table);
    mnl_attr_put_strz(change, NFTA_SET_NAME, SET);
    /* Another name of it, which the kernel insists on; nothing here uses it. */
    put_u32(change, NFTA_SET_ID, 1);
    put_u32(change, NFTA_SET_KEY_TYPE, question_of(message)->key_type);
    put_u32(change, NFTA_SET_KEY_LEN, MAC_REGISTERS * 4 + question_of(message)->ip.size);
    finish(message, change);
}

/* An expression of a rule; end_expression gets what this returns. */
struct expression {
    struct nlattr *element, *data;
};

static struct expression start_expression(struct nlmsghdr *rule, const char *name)
{
    struct expression expression = {.element = mnl_attr_nest_start(rule, NFTA_LIST_ELEM)};

    mnl_attr_put_strz(rule, NFTA_EXPR_NAME, name);
    expression.data = mnl_attr_nest_start(rule, NFTA_EXPR_DATA);
    return expression;
}

static void end_expression(struct nlmsghdr *rule, struct expression expression)
{
    mnl_attr_nest_end(rule, expression.data);
    mnl_attr_nest_end(rule, expression.element);
}

static void put_load(struct nlmsghdr *rule, const struct place *place, uint32_t to_register)
{
    struct expression expression = start_expression(rule, "payload");

    put_u32(rule, NFTA_PAYLOAD_DREG, to_register);
    put_u32(rule, NFTA_PAYLOAD_BASE, place->base);
    put_u32(rule, NFTA_PAYLOAD_OFFSET, place->offset);
    put_u32(rule, NFTA_PAYLOAD_LEN, place->size);
    end_expression(rule, expression);
}

/* Goes on only where the bytes are as wanted. */
static void put_check(struct nlmsghdr *rule, const struct check *check)
{
    struct expression expression;
    struct nlattr *data;

    put_load(rule, &check->place, NFT_REG_1);
    expression = start_expression(rule, "cmp");
    put_u32(rule, NFTA_CMP_SREG, NFT_REG_1);
    put_u32(rule, NFTA_CMP_OP, NFT_CMP_EQ);
    data = mnl_attr_nest_start(rule, NFTA_CMP_DATA);
    mnl_attr_put(rule, NFTA_DATA_VALUE, check->place.size, check->wanted);
    mnl_attr_nest_end(rule, data);
    end_expression(rule, expression);
}

/* Goes on only where the set has the pair. */
static void put_lookup(struct nlmsghdr *rule, const struct question *question)
{
    struct expression expression;

    put_load(rule, &question->mac, NFT_REG32_00);
    put_load(rule, &question->ip, NFT_REG32_00 + MAC_REGISTERS);
    expression = start_expression(rule, "lookup");
    mnl_attr_put_strz(rule, NFTA_LOOKUP_SET, SET);
    put_u32(rule, NFTA_LOOKUP_SREG, NFT_REG32_00);
    end_expression(rule, expression);
}

static void put_drop(struct nlmsghdr *rule)
{
    struct expression expression = start_expression(rule, "immediate");
    struct nlattr *data, *verdict;

    put_u32(rule, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    data = mnl_attr_nest_start(rule, NFTA_IMMEDIATE_DATA);
    verdict = mnl_attr_nest_start(rule, NFTA_DATA_VERDICT);
    put_u32(rule, NFTA_VERDICT_CODE, NF_DROP);
    mnl_attr_nest_end(rule, verdict);
    mnl_attr_nest_end(rule, data);
    end_expression(rule, expression);
}

static void make_rule(struct quiet_message *message)
{
    const struct question *question = question_of(message);
    struct nlmsghdr *rule = start_change(message, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    struct nlattr *expressions;

    mnl_attr_put_strz(rule, NFTA_RULE_TABLE, message->table);
    mnl_attr_put_strz(rule, NFTA_RULE_CHAIN, CHAIN);
    expressions = mnl_attr_nest_start(rule, NFTA_RULE_EXPRESSIONS);
    for (size_t i = 0; i < CHECKS_MAX && question->checks[i].place.size != 0; i++)
        put_check(rule, &question->checks[i]);
    put_lookup(rule, question);
    put_drop(rule);
    mnl_attr_nest_end(rule, expressions);
    finish(message, rule);
}

void quiet_message_make_table(struct quiet_message *message)
{
    size_t before = message->length;
    struct nlmsghdr *change = start_change(message, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);

    mnl_attr_put_strz(change, NFTA_TABLE_NAME, message->table);
    put_u32(change, NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER);
    finish(message, change);
    make_chain(message);
    make_set(message);
    make_rule(message);
    assert(message->length - before <= QUIET_TABLE_BYTES);
}

void quiet_message_remove_table(struct quiet_message *message)
{
    struct nlmsghdr *change = start_change(message, NFT_MSG_DELTABLE, 0);

    mnl_attr_put_strz(change, NFTA_TABLE_NAME, message->table);
    finish(message, change);
}

void quiet_message_change_pair(struct quiet_message *message, bool add, const struct ip_address *ip,
                               const struct mac_address *mac)
{
    struct nlmsghdr *change =
        start_change(message, add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM, add ? NLM_F_CREATE : 0);
    uint8_t pair[MAC_REGISTERS * 4 + sizeof ip->bytes] = {0};
    struct nlattr *elements, *element, *key;

    memcpy(pair, mac->bytes, sizeof mac->bytes);
    memcpy(pair + MAC_REGISTERS * 4, ip->bytes, sizeof ip->bytes);
    mnl_attr_put_strz(change, NFTA_SET_ELEM_LIST_TABLE, message->table);
    mnl_attr_put_strz(change, NFTA_SET_ELEM_LIST_SET, SET);
    elements = mnl_attr_nest_start(change, NFTA_SET_ELEM_LIST_ELEMENTS);
    element = mnl_attr_nest_start(change, NFTA_LIST_ELEM);
    key = mnl_attr_nest_start(change, NFTA_SET_ELEM_KEY);
    mnl_attr_put(change, NFTA_DATA_VALUE, MAC_REGISTERS * 4 + ip_address_size(ip->family), pair);
    mnl_attr_nest_end(change, key);
    mnl_attr_nest_end(change, element);
    mnl_attr_nest_end(change, elements);
    finish(message, change);
    assert(change->nlmsg_len <= QUIET_PAIR_BYTES);
}
