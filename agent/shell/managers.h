/* SPDX-License-Identifier: Apache-2.0 */
/* Other programs of this host that manage the addresses of its NICs, and take off those that they do not know. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum manager {
    MANAGER_NONE, /* nobody that we know of */
    MANAGER_NETWORKD,
    MANAGER_NETWORKMANAGER,
    MANAGERS /* how many; no manager */
};

/* Who manages the NIC, as the files in /run say. Some microseconds. As a port has it: userdata is not looked at. */
enum manager manager_of(void *userdata, int ifindex);
/* Whether networkd was told to keep what it does not know on the NIC. */
bool manager_networkd_keeps(int ifindex);
/* The file in /etc that networkd configures the NIC by; "" where it does not say. */
void manager_networkd_file(int ifindex, char *text, size_t size);
/* "systemd-networkd manages eth0: ..." and what to do; "" for MANAGER_NONE. */
void manager_tell(enum manager manager, const char *nic, char *text, size_t size);
