/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/probe.h"

#include <assert.h>

static const char *const kind_names[PROBE_KINDS] = {
    [PROBE_ARP] = "arp",
    [PROBE_ND] = "nd",
    [PROBE_ICMP] = "icmp",
};

const char *probe_kind_name(enum probe_kind kind)
{
    assert(kind < PROBE_KINDS);
    return kind_names[kind];
}
