# SPDX-License-Identifier: Apache-2.0
"""
Nothing outlives the agent, with real kernels: what the guard does within its patience, the kernel within the lease,
and what neither disturbs. Many stories, each of some seconds of waiting: they run side by side, each on its own LAN.
"""

import os
import signal
import time
from typing import Callable, List

from agent import held_on
from sites import BOTH, GUARD_ALONE, LEASE_ALONE, MARK, NEITHER
from sites import Frozen, Monitor, Site, Sites, Talk, marks, on, side_by_side
from story import V4, V6, ipmap, main

GUARD_S = 1.0
LEASE_S = 1


class Deaths(Sites):
    """Agent and guard, dead or standing still, one of them or both."""

    def test_all_of_them(self) -> None:
        """Gone within the guard's patience where the guard lives, within the lease where it does not."""
        guard_s, lease_s = GUARD_S + 0.5, LEASE_S + 2.5
        took = {}

        def within(site: Site, limit_s: float, name: str, act: Callable[[], None]) -> None:
            began = time.monotonic()
            act()
            took[name] = site.gone_after(began)
            assert took[name] < limit_s, f"{name}: {took[name]:.2f} s"
            site.assert_whole()

        @on(conf=GUARD_ALONE)
        def killed(site: Site) -> None:
            within(site, guard_s, "agent killed", site.agent.process.kill)
            line = site.agent.wait_log("released by the guard: ")
            assert f"{V4}/32 on eth0" in line and f"{V6}/128 on eth0" in line, line
            site.agent.wait_log("the agent died: 2 addresses released by the guard")

        @on(conf=GUARD_ALONE)
        def stopped(site: Site) -> None:
            within(site, guard_s, "agent stopped", site.agent.freeze)
            site.agent.wait_log("the agent hung: 2 addresses released by the guard")

        def both_killed(site: Site) -> None:
            guard = site.guard()
            within(site, lease_s, "both killed",
                   lambda: (os.kill(guard, signal.SIGKILL), site.agent.process.kill()))

        def both_stopped(site: Site) -> None:
            guard = site.guard()
            within(site, lease_s, "both stopped", lambda: (os.kill(guard, signal.SIGSTOP), site.agent.freeze()))
            os.kill(guard, signal.SIGKILL)

        def frozen(site: Site) -> None:
            pids = (site.guard(), site.agent.status()["agent"]["pid"])
            cgroup: List[Frozen] = []
            within(site, lease_s, "cgroup frozen", lambda: cgroup.append(Frozen(site, *pids)))
            site.source.heal()
            cgroup[0].thaw()
            # It looks before it takes anything back.
            site.agent.wait_state("web1/eth0", "up")
            assert V4 not in site.held()

        @on(conf=LEASE_ALONE)
        def without_a_guard(site: Site) -> None:
            within(site, lease_s, "killed, guard off", site.agent.process.kill)

        @on(conf=NEITHER)
        def without_either(site: Site) -> None:
            """`off` is off: what is held stays, until an agent comes."""
            site.agent.kill()
            time.sleep(lease_s)
            assert V4 in site.held() and V6 in site.held()
            assert "valid_lft forever" in site.target.ip("addr", "show", "to", V4)
            site.agent.start()
            site.agent.wait_state("web1/eth0", "holding")

        @on(conf=GUARD_ALONE)
        def back_in_time(site: Site) -> None:
            site.agent.kill()
            site.agent.start()
            site.agent.wait_state("web1/eth0", "holding")
            time.sleep(2 * GUARD_S)
            assert V4 in site.held() and "released by the guard" not in site.agent.log()

        self.tell(killed, stopped, both_killed, both_stopped, frozen, without_a_guard, without_either, back_in_time)
        print(", ".join(f"{name} {s:.2f} s" for name, s in took.items()))


class Renewals(Sites):
    """While it lasts."""

    def test_what_they_disturb(self) -> None:
        """Ten renewals and more: nothing is told to be gone, a connection goes on; what is deleted stays deleted."""

        @on(conf=LEASE_ALONE)
        def nothing(site: Site) -> None:
            talk = Talk(site)
            monitor = Monitor(site.target, "address", "route")
            time.sleep(5)
            seen = monitor.end()
            talk.end()
            assert talk.failed == "" and talk.turns > 50, f"{talk.failed} after {talk.turns}"
            assert "Deleted" not in seen, seen
            # Told of only because the time is another.
            assert seen.count(f"inet {V4}/32") >= 10 and seen.count(f"inet6 {V6}/128") >= 10, seen
            shown = site.target.ip("addr", "show", "dev", "eth0")
            assert shown.count("valid_lft 1sec") == 2, shown
            assert marks(site.target).count(MARK) == 2

        @on(conf=LEASE_ALONE.replace("lease 1s", "lease 3s"))
        def a_deletion(site: Site) -> None:
            """Somebody deletes it again and again, at any moment of a renewal, and then the source is back."""
            for _ in range(4):
                site.target.nic("eth0").remove_address(f"{V4}/32")
                site.agent.wait_for(lambda _: V4 in site.held(), what="it is put back")
                time.sleep(0.3)
            assert site.agent.ctl("pause", "web1")[0] == 0
            assert site.agent.ctl("failback", "web1")[0] == 0
            end = time.monotonic() + 5
            while time.monotonic() < end:
                assert V4 not in site.held() and V6 not in site.held(), "resurrected"
                time.sleep(0.02)
            site.assert_whole()

        @on(conf=LEASE_ALONE)
        def others(site: Site) -> None:
            """What does not carry the mark is not touched, even where it is the very address."""
            site.agent.freeze()  # else it is put back between the two
            site.target.batch(f"addr del {V4}/32 dev eth0", f"addr add {V4}/32 dev eth0",
                              "addr add 192.0.2.77/24 dev eth0")
            site.agent.thaw()
            time.sleep(3)
            assert V4 in site.held() and "192.0.2.77" in site.held()
            assert "forever" in site.target.ip("addr", "show", "to", V4)
            site.agent.kill()
            time.sleep(2)
            assert V4 in site.held() and "192.0.2.77" in site.held()

        @on(conf=BOTH)
        def guard_after_others(site: Site) -> None:
            """The guard finds somebody's own address where ours was, and leaves it."""
            site.agent.freeze()
            site.target.batch(f"addr del {V4}/32 dev eth0", f"addr add {V4}/32 dev eth0")
            site.agent.wait_log("the agent hung: 1 address released by the guard")
            assert V4 in site.held()

        self.tell(nothing, a_deletion, others, guard_after_others)


class Own(Sites):
    """The target's own addresses survive whatever becomes of the claims."""

    IN_SUBNET = ["192.0.2.20/24", "192.0.2.21/24", "192.0.2.22/24", "2001:db8::20/64"]
    # The NIC has nothing of the claim's subnet: it comes with its prefix, and what the host is given later hangs on it.
    ELSEWHERE = ["198.51.100.20/24", "198.51.100.21/24"]
    ASIDE = ipmap(f"{V4}/24 dev eth0", top="witness none\nguard 1s", source="lease 1s\nprobe icmp\nclaim-unseen yes")

    def test_all_ends(self) -> None:
        """Expiry, the guard's removal, failback; in the same subnet and not; promote_secondaries 0 and 1."""
        def expiry(site: Site) -> None:
            site.agent.process.kill()
            site.gone_after(time.monotonic())
            site.assert_whole()

        def failback(site: Site) -> None:
            code, text = site.agent.ctl("failback", "web1")
            assert code == 0, text
            site.gone_after(time.monotonic())
            site.assert_whole()

        sites, stories = [], []
        for promote in (0, 1):
            for conf, end in ((LEASE_ALONE, expiry), (GUARD_ALONE, expiry), (BOTH, failback)):
                sites.append(Site(conf, self.IN_SUBNET, promote))
                stories.append(end)
        for site in sites:
            self.addCleanup(site.lan.close)
            site.hold()
            if site is sites[0]:
                self.assertIn(f"{V4}/32", held_on(site.target))
        side_by_side(*stories, sites=sites)

    def test_with_the_prefix_of_the_claim(self) -> None:
        """The claim is the primary of its subnet, and the host is given addresses in it later."""
        sites, stories = [], []

        def end(site: Site) -> None:
            site.target.nic("eth0").address("192.0.2.60/24", "192.0.2.61/24")
            before = {a for a in held_on(site.target) if not a.startswith(f"{V4}/")}
            time.sleep(1)  # a renewal sees them
            if "guard off" in site.agent_conf or "lease off" in site.agent_conf:
                site.agent.process.kill()
            else:
                assert site.agent.ctl("failback", "web1")[0] == 0
            site.gone_after(time.monotonic())
            assert set(held_on(site.target)) == before, held_on(site.target)

        for promote in (0, 1):
            for lines in (("guard off", "lease 1s"), ("guard 1s", "lease off"), ("guard 1s", "lease 1s")):
                conf = self.ASIDE.replace("guard 1s", lines[0]).replace("lease 1s", lines[1])
                site = Site(conf, self.ELSEWHERE, promote)
                site.agent_conf = conf
                sites.append(site)
                stories.append(end)
        for site in sites:
            self.addCleanup(site.lan.close)
            site.source.crash_silently()
            site.agent.ctl("failover", "web1", "--force")
            site.agent.wait_state("web1/eth0", "holding")
            self.assertIn(f"{V4}/24", held_on(site.target))
        side_by_side(*stories, sites=sites)


if __name__ == "__main__":
    main()
