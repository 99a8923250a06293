/* SPDX-License-Identifier: Apache-2.0 */
/* IP and hardware addresses: the values that every folder passes about. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An IPv4 or IPv6 address. Unused bytes are zero, so that equal addresses are equal memory. */
struct ip_address {
    uint8_t family;    /* AF_INET, AF_INET6; AF_UNSPEC when unset */
    uint8_t bytes[16]; /* network order; IPv4 uses the first four */
};

/* An Ethernet address. */
struct mac_address {
    uint8_t bytes[6]; /* all zero when unset */
};

/* Room for any text that the two functions below write, with its NUL. */
#define IP_ADDRESS_TEXT 46
#define MAC_ADDRESS_TEXT 18

/* Length of an address of this family in bytes (4, 16) or bits (32, 128). `family` must be AF_INET or AF_INET6. */
size_t ip_address_size(uint8_t family);
unsigned ip_address_bits(uint8_t family);

/* Reads `text` (NUL-terminated, no prefix). -EINVAL where it is no address; *ret is then untouched. */
int ip_address_parse(const char *text, struct ip_address *ret);

/* Writes the address as text into `text` and returns `text`. An unset address reads "-". */
const char *ip_address_format(const struct ip_address *address, char text[static IP_ADDRESS_TEXT]);

/* Makes an address of `family` from ip_address_size(family) bytes in network order. */
struct ip_address ip_address_of(uint8_t family, const void *bytes);

bool ip_address_equal(const struct ip_address *a, const struct ip_address *b);

/* Whether the two are of one family and share their first `prefix` bits. */
bool ip_address_same_net(const struct ip_address *a, const struct ip_address *b, unsigned prefix);

/* 0.0.0.0 or ::, or unset. */
bool ip_address_is_unspecified(const struct ip_address *address);
bool ip_address_is_multicast(const struct ip_address *address);
bool ip_address_is_link_local(const struct ip_address *address);

/* A hash of the address for tables; `seed` keeps remote hosts from choosing collisions. */
uint64_t ip_address_hash(const struct ip_address *address, uint64_t seed);

const char *mac_address_format(const struct mac_address *mac, char text[static MAC_ADDRESS_TEXT]);
/* Reads aa:bb:cc:dd:ee:ff. -EINVAL otherwise; *ret is then untouched. */
int mac_address_parse(const char *text, struct mac_address *ret);
bool mac_address_equal(const struct mac_address *a, const struct mac_address *b);
/* All zero: not known. */
bool mac_address_is_unset(const struct mac_address *mac);
/* Below zero, zero or above zero as `a` is numerically lower than, equal to or higher than `b`. */
int mac_address_compare(const struct mac_address *a, const struct mac_address *b);
