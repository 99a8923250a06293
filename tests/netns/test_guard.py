# SPDX-License-Identifier: Apache-2.0
"""What becomes of held addresses when the agent ends, dies or hangs: the guard, and below it the kernel's lease."""

import os
import re
import signal
import subprocess
import time

from story import GATEWAY, Story, V4, V6, ipmap, main
from wire import Pinger

# A guard that acts long before the lease, and a lease without a guard.
GUARDED = ipmap(f"{V4}/24 dev eth0\n{V6}/64 dev eth0", top=f"witness {GATEWAY}\nguard 500ms", source="lease 60s")
# One that is patient with a busy machine.
PATIENT = GUARDED.replace("guard 500ms", "guard 3s")
LEASED = ipmap(top=f"witness {GATEWAY}\nguard off", source="lease 1s")


class Ends(Story):
    """Nothing outlives the agent, and nothing is lost by a restart."""

    def gone(self) -> bool:
        return not {f"{V4}/32", f"{V6}/128"} & set(self.target.nic("eth0").addresses())

    def test_sigterm_and_nobody_comes(self) -> None:
        """The agent ends at once and removes nothing; its guard does, and then ends too."""
        agent = self.holding(PATIENT)
        self.assertEqual(agent.stop(), 0)
        self.assert_held(V4)
        self.wait_until(self.gone, "the guard has removed all")
        self.assert_held("192.0.2.20")
        self.assertRegex(agent.log(), r"2 addresses released by the guard")
        self.wait_until(lambda: not os.path.exists(agent.control + ".guard"), "its file is gone")

    def test_a_restart(self) -> None:
        """A successor that comes in time takes over, and no ping is lost, also when the guard's time is long over."""
        agent = self.holding(PATIENT)
        with Pinger(self.client, V4) as pings:
            self.assertTrue(pings.wait_for(self.target_mac(), count=10))
            steady = time.monotonic()
            agent.stop()
            agent.start()
            agent.wait_state("web1/eth0", "holding")
            self.assertTrue(pings.wait_for(self.target_mac(), count=10))
            time.sleep(4)
            self.assertTrue(pings.wait_for(self.target_mac(), count=10))
        self.assertEqual(pings.lost(since=steady), [])
        self.assertNotIn("released by the guard", agent.log())

    def test_killed(self) -> None:
        """After kill -9 the guard removes what was held, long before the lease is over."""
        agent = self.holding(GUARDED)
        agent.process.kill()
        self.wait_until(self.gone, "the guard has removed all")
        self.assert_held("192.0.2.20")

    def test_hung(self) -> None:
        """A hung agent loses its addresses, and when it goes on it looks before it takes them back."""
        agent = self.holding(GUARDED)
        agent.process.send_signal(signal.SIGSTOP)
        self.wait_until(self.gone, "the guard has removed all")
        self.source.heal()
        self.wait_until(lambda: self.client.ping(V4), "the source is back")
        agent.process.send_signal(signal.SIGCONT)
        agent.wait_state("web1/eth0", "up")
        self.assert_never_held(V4)
        self.assertIn("hung", agent.log())

    def test_hung_while_the_source_is_dead(self) -> None:
        """Then it verifies anew, and stands in again."""
        agent = self.holding(GUARDED)
        agent.process.send_signal(signal.SIGSTOP)
        self.wait_until(self.gone, "the guard has removed all")
        agent.process.send_signal(signal.SIGCONT)
        self.wait_until(lambda: not self.gone(), "it is held again")
        agent.wait_state("web1/eth0", "holding")

    def test_a_short_pause(self) -> None:
        """A pause shorter than the guard's patience costs nothing."""
        agent = self.holding(ipmap(top=f"witness {GATEWAY}\nguard 3s"))
        with Pinger(self.client, V4) as pings:
            self.assertTrue(pings.wait_for(self.target_mac(), count=10))
            steady = time.monotonic()
            agent.process.send_signal(signal.SIGSTOP)
            time.sleep(1)
            agent.process.send_signal(signal.SIGCONT)
            self.assertTrue(pings.wait_for(self.target_mac(), count=20))
        self.assertEqual(pings.lost(since=steady), [])

    def test_the_guard_is_killed(self) -> None:
        """Another one takes its place and is told all."""
        agent = self.holding(GUARDED)
        first = self.guard(agent)
        os.kill(first, signal.SIGKILL)
        agent.wait_for(lambda r: (self.guard(agent) or first) != first, what="there is another guard")
        self.wait_until(lambda: open(agent.control + ".guard", encoding="ascii").read().strip() ==
                        str(self.guard(agent)), "it is in charge")
        agent.process.kill()
        self.wait_until(self.gone, "it has removed all")

    @staticmethod
    def guard(agent) -> int:
        found = re.match(r"pid (\d+)", agent.status()["agent"]["guard"])
        return int(found.group(1)) if found else 0

    def test_sigterm_without_a_guard(self) -> None:
        """The agent gives all back itself before it ends."""
        agent = self.holding(LEASED)
        self.assertEqual(agent.stop(), 0)
        self.assert_not_held(V4)
        self.assertFalse(os.path.exists(agent.control), "its socket is gone")

    def test_nothing_held(self) -> None:
        """An agent that holds nothing leaves no guard behind."""
        agent = self.watching(GUARDED)
        guard = self.guard(agent)
        self.assertEqual(agent.stop(), 0)
        self.wait_until(lambda: not os.path.exists(f"/proc/{guard}"), "the guard has ended")


class Lease(Story):
    """The kernel's own deadline, where there is no guard."""

    def gone(self) -> bool:
        return f"{V4}/32" not in self.target.nic("eth0").addresses()

    def test_it_is_renewed(self) -> None:
        """No notification ever says that the address went, and it is there after many leases."""
        agent = self.holding(LEASED)
        with self.target.start(["ip", "monitor", "address", "route"], stdout=subprocess.PIPE, text=True) as monitor:
            time.sleep(3.5)
            monitor.terminate()
            seen = monitor.stdout.read()
        self.assertIn(V4, seen)  # renewals are notified of
        self.assertNotIn("Deleted", seen)
        self.assert_held(V4)
        self.assertIn("valid_lft 1sec", self.target.ip("addr", "show", "dev", "eth0"))
        self.assertEqual(agent.nic("web1/eth0")["state"], "holding")

    def test_nobody_renews_it(self) -> None:
        """The agent was killed: the kernel takes the address off, and leaves what is the target's own."""
        self.holding(LEASED).process.kill()
        self.wait_until(self.gone, "it is gone")
        self.assert_held("192.0.2.20")

    def test_a_hung_agent_looks_before_it_takes_back(self) -> None:
        """The lease ran out while it hung, and the source came back: it is left alone."""
        agent = self.holding(LEASED)
        agent.process.send_signal(signal.SIGSTOP)
        self.wait_until(self.gone, "it is gone")
        self.source.heal()
        self.wait_until(lambda: self.client.ping(V4), "the source is back")
        agent.process.send_signal(signal.SIGCONT)
        agent.wait_state("web1/eth0", "up")
        self.assert_never_held(V4)

    def test_agent_and_guard_together(self) -> None:
        """Both are killed at once: the kernel still takes the address off."""
        agent = self.holding(ipmap(source="lease 1s"))
        guard = Ends.guard(agent)
        os.kill(guard, signal.SIGKILL)
        agent.process.kill()
        self.wait_until(self.gone, "it is gone")


if __name__ == "__main__":
    main()
