# SPDX-License-Identifier: Apache-2.0
"""False takeovers: nobody fails, the machine is as busy as can be, and the watcher is stopped now and then."""

import os
import random
import signal
import subprocess
import threading
import time
from typing import Dict

from meter import BenchError, Lan, Meter
from systems import ADDRESS, extra_addresses, start, system

STRESS = ["stress-ng", "--quiet", "--cpu", "8", "--io", "2", "--vm", "1", "--vm-bytes", "128M"]
STOP_S, EACH_S = 5.0, (3.0, 8.0)
BULK = 500
# The client asks so often, and must be answered by the owner so often at least, on a machine that is this busy.
METER_US, SEEN_PART_MIN = 5000, 0.2


class Bulk(threading.Thread):
    """Addresses that come and go in another namespace: the kernel has one lock for all of them."""

    def __init__(self, lan: Lan):
        super().__init__(daemon=True)
        self.host = lan.host("bulk").nic("eth0").host
        self.ended = threading.Event()

    def run(self) -> None:
        lines = [f"addr add {address}/32 dev eth0" for address in extra_addresses(BULK)]
        while not self.ended.is_set():
            self.host.batch(*lines)
            self.host.batch("addr flush dev eth0")


def false_takeovers(name: str, interval_ms: float, seconds: float, seed: int) -> Dict[str, float]:
    """How often the watcher took what nobody had lost. The same seed stops each system at the same moments."""
    which, chance = system(name, interval_ms), random.Random(seed)
    with Lan() as lan:
        pair = which.on(lan)
        start(pair, which.old)
        old, new = (lan.host(host).nic("eth0").mac for host in (which.old, which.new))
        bulk = Bulk(lan)
        stress = subprocess.Popen(STRESS, start_new_session=True, cwd=lan.directory, stderr=subprocess.DEVNULL)
        try:
            with Meter(lan.host("client"), ADDRESS, METER_US) as meter:
                bulk.start()
                begun = time.monotonic_ns()
                end = time.monotonic() + seconds
                stops = 0
                while (left := end - time.monotonic()) > 0:
                    time.sleep(min(left, chance.uniform(*EACH_S)))
                    if end - time.monotonic() < STOP_S:
                        continue
                    pair.send(which.new, signal.SIGSTOP, False)
                    time.sleep(chance.uniform(0, STOP_S))
                    pair.send(which.new, signal.SIGCONT, False)
                    stops += 1
                time.sleep(1)
        finally:
            os.killpg(stress.pid, signal.SIGKILL)
            stress.wait()
            bulk.ended.set()
            bulk.join()
        # Who sees nothing sees no takeover either.
        seen = sum(e.what == "pong" and e.mac == old and e.at >= begun for e in meter.events)
        if seen < seconds * 1e6 / METER_US * SEEN_PART_MIN or pair.processes[which.new].poll() is not None:
            raise BenchError(f"the client heard the owner {seen} times in {seconds:g} s, or the watcher ended")
        # Announcements come in bursts; those of one takeover are no further apart than this.
        told = [e.at for e in meter.events if e.what == "announce" and e.mac == new]
        bursts = sum(not told[:i] or at - told[i - 1] > 5e9 for i, at in enumerate(told))
        served = sum(e.what == "pong" and e.mac == new for e in meter.events)
        return {"false_takeovers": bursts, "pings_misled": served, "stops": stops, "seconds": seconds, "seen": seen}
