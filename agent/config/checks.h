/* SPDX-License-Identifier: Apache-2.0 */
/* What names and addresses must be, whatever the statement. */
#pragma once

#include "agent/config/reader.h"

/* Reports "'WORD' WHAT". Always false. */
bool refuse_word(struct reader *reader, const struct word *word, const char *what);

/* Reads the name of a source or of a source's NIC; `what` says which of them. */
bool read_name(struct reader *reader, const struct word *word, enum block what, char ret[static LIMIT_NAME + 1]);
/* Reads the name of a NIC of this host, and warns of one that this host has not. */
bool read_target_nic(struct reader *reader, const struct word *word, char ret[static LIMIT_NIC_NAME]);

/* Why no host may be asked for or given this address: "is a multicast address"; NULL where one may. */
const char *address_refusal(const struct ip_address *ip);
/* The same for an address together with its prefix length. */
const char *address_prefix_refusal(const struct ip_address *ip, unsigned prefix);
/* Reads an address; `prefix` NULL: without a prefix length. */
bool read_address(struct reader *reader, const struct word *word, struct ip_address *ret, uint8_t *ret_prefix);
/* Reads the address of a server, which may be one on this host. */
bool read_server(struct reader *reader, const struct word *word, struct ip_address *ret);
/* Reports an address that this host has of its own. */
bool check_not_own(struct reader *reader, const struct place *place, const struct ip_address *ip);
