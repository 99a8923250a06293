# SPDX-License-Identifier: Apache-2.0
"""What the kernel alone takes for N addresses on one NIC: by `ip -batch`, and by batches of netlink messages."""

import time
from typing import Dict

from meter import BUILD, MS, Lan
from systems import extra_addresses

import lan as lan_module


def ip_batch(n: int) -> Dict[str, float]:
    with Lan() as lan:
        host = lan.host("one").nic("eth0").host
        lines = [f"addr add {address}/32 dev eth0" for address in extra_addresses(n)]
        begun = time.monotonic_ns()
        host.batch(*lines)
        return {"all_ms": (time.monotonic_ns() - begun) / MS}


def libmnl(n: int) -> Dict[str, float]:
    with Lan() as lan:
        host = lan.host("one").nic("eth0").host
        text = lan_module.run("ip", "netns", "exec", host.namespace, f"{BUILD}/floor", "eth0", str(n))
        first, every = text.split()
        return {"first_ms": int(first) / MS, "all_ms": int(every) / MS}


FLOORS = {"ip -batch": ip_batch, "libmnl": libmnl}
