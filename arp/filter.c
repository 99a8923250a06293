/* SPDX-License-Identifier: Apache-2.0 */
#include "arp/filter.h"

#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

/* Where things stand in a frame without a VLAN tag. */
enum {
    OWN_FIRST = offsetof(struct ether_header, ether_dhost),
    OWN_REST = OWN_FIRST + 2,
    TYPE = offsetof(struct ether_header, ether_type),
    ARP_OPERATION = sizeof(struct ether_header) + offsetof(struct ether_arp, arp_op),
    ARP_SENDER = sizeof(struct ether_header) + offsetof(struct ether_arp, arp_spa),
    ARP_TARGET = sizeof(struct ether_header) + offsetof(struct ether_arp, arp_tpa),
    IP4_TARGET = sizeof(struct ether_header) + offsetof(struct iphdr, daddr),
    IP6_NEXT = sizeof(struct ether_header) + offsetof(struct ip6_hdr, ip6_nxt),
    IP6_TARGET = sizeof(struct ether_header) + offsetof(struct ip6_hdr, ip6_dst),
    ICMP6_TYPE = sizeof(struct ether_header) + sizeof(struct ip6_hdr),
    ICMP6_FLAGS = ICMP6_TYPE + offsetof(struct nd_neighbor_advert, nd_na_flags_reserved),
};

/* A program being written. Jumps count the instructions that they pass over. */
struct program {
    struct sock_filter *code;
    size_t n;
    uint32_t bytes_kept; /* of a frame that is let through */
};

static void load(struct program *program, uint16_t size, uint32_t offset)
{
    program->code[program->n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_ABS | size, offset);
}

static void jump_if(struct program *program, uint32_t value, uint8_t equal, uint8_t unequal)
{
    program->code[program->n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, equal, unequal);
}

static void keep(struct program *program)
{
    program->code[program->n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, program->bytes_kept);
}

static void drop(struct program *program)
{
    program->code[program->n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
}

/* Big-endian bytes as the number that a load makes of them. */
static uint32_t number(const uint8_t *bytes, size_t size)
{
    uint32_t result = 0;

    for (size_t i = 0; i < size; i++)
        result = result << 8 | bytes[i];
    return result;
}

/* Passes over the next `keeps` instructions where the frame goes to another hardware address than ours. */
static void keep_unless_to(struct program *program, const struct mac_address *own, uint8_t skipped)
{
    load(program, BPF_W, OWN_REST);
    jump_if(program, number(own->bytes + 2, 4), 0, (uint8_t)(skipped + 2));
    load(program, BPF_H, OWN_FIRST);
    jump_if(program, number(own->bytes, 2), 0, skipped);
}

/* A reply, and none that announces its own sender (RFC 5227 section 3), to us: it comes by the probes. */
static void keep_arp(struct program *program, const struct mac_address *own)
{
    load(program, BPF_H, TYPE);
    jump_if(program, ETHERTYPE_ARP, 0, 12);
    load(program, BPF_H, ARP_OPERATION);
    jump_if(program, ARPOP_REPLY, 0, 9);
    keep_unless_to(program, own, 5);
    load(program, BPF_W, ARP_SENDER);
    program->code[program->n++] = (struct sock_filter)BPF_STMT(BPF_MISC | BPF_TAX, 0);
    load(program, BPF_W, ARP_TARGET);
    program->code[program->n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 1, 0);
    drop(program);
    keep(program);
}

/*
 * ND never uses extension headers (SEND apart) nor fragments: its type stands behind the fixed header. An advertisement
 * with the Solicited flag (RFC 4861 section 4.4) to us comes by the probes.
 */
static void keep_nd(struct program *program, const struct mac_address *own)
{
    jump_if(program, ETHERTYPE_IPV6, 0, 13);
    load(program, BPF_B, IP6_NEXT);
    jump_if(program, IPPROTO_ICMPV6, 0, 11);
    load(program, BPF_B, ICMP6_TYPE);
    jump_if(program, ND_NEIGHBOR_SOLICIT, 8, 0);
    jump_if(program, ND_NEIGHBOR_ADVERT, 0, 8);
    load(program, BPF_B, ICMP6_FLAGS);
    program->code[program->n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x40, 0, 5);
    keep_unless_to(program, own, 1);
    drop(program);
    keep(program);
}

static void drop_unless_to(struct program *program, const struct mac_address *own)
{
    load(program, BPF_H, OWN_FIRST);
    jump_if(program, number(own->bytes, 2), 1, 0);
    drop(program);
    load(program, BPF_W, OWN_REST);
    jump_if(program, number(own->bytes + 2, 4), 1, 0);
    drop(program);
}

static void keep_packets_to(struct program *program, const struct ip_address *address)
{
    bool is_ip4 = address->family == AF_INET;
    size_t words = ip_address_size(address->family) / 4;

    load(program, BPF_H, TYPE);
    jump_if(program, is_ip4 ? ETHERTYPE_IP : ETHERTYPE_IPV6, 0, (uint8_t)(2 * words + 1));
    for (size_t i = 0; i < words; i++) {
        load(program, BPF_W, (uint32_t)((is_ip4 ? IP4_TARGET : IP6_TARGET) + 4 * i));
        jump_if(program, number(address->bytes + 4 * i, 4), 0, (uint8_t)(2 * (words - i) - 1));
    }
    keep(program);
}

size_t arp_filter_write(struct sock_filter *code, uint32_t bytes_kept, const struct mac_address *own,
                        const struct ip_address *watched, size_t n)
{
    struct program program = {.code = code, .bytes_kept = bytes_kept};

    keep_arp(&program, own);
    keep_nd(&program, own);
    if (n > 0)
        drop_unless_to(&program, own);
    for (size_t i = 0; i < n; i++)
        keep_packets_to(&program, &watched[i]);
    drop(&program);
    return program.n;
}
