# SPDX-License-Identifier: Apache-2.0
"""The process: reload, signals, a second instance, rights, and NICs that come and go."""

import os
import signal
import subprocess
import time

from story import GATEWAY, Story, V4, ipmap, main
from wire import Pinger

OTHER = "source web2 {{ nic eth0 {{ {} dev eth0 }} }}\n"


class Reload(Story):
    """The file changes while the agent runs."""

    def test_a_broken_file(self) -> None:
        """It changes nothing, status says why, and the source is still protected."""
        agent = self.watching()
        agent.write(ipmap().replace("dev eth0", "dve eth0"))
        code, text = agent.ctl("reload")
        self.assertEqual(code, 1, text)
        self.assertIn("dve", text)
        self.assertIn("ipmap.conf:", agent.status()["agent"]["file_error"])
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "holding")
        agent.write(ipmap())
        self.assertEqual(agent.ctl("reload")[0], 0)
        self.assertIsNone(agent.status()["agent"]["file_error"])
        self.assert_held(V4)

    def test_a_file_that_is_gone(self) -> None:
        """Neither does one that cannot be read at all."""
        agent = self.watching()
        os.unlink(agent.conf)
        self.assertEqual(agent.ctl("reload")[0], 1)
        self.assertEqual(agent.nic("web1/eth0")["state"], "up")

    def test_a_source_comes_and_goes_while_another_is_held(self) -> None:
        """The held address answers every ping of it."""
        web2 = self.lan.host("web2")
        web2.nic("eth0", "192.0.2.12/24")
        agent = self.holding()
        with Pinger(self.client, V4) as pings:
            self.assertTrue(pings.wait_for(self.target_mac(), count=10))
            steady = time.monotonic()
            agent.write(ipmap(top=f"witness {GATEWAY}\n" + OTHER.format("192.0.2.12/24")))
            self.assertEqual(agent.ctl("reload")[0], 0)
            agent.wait_state("web2/eth0", "up")
            self.assertEqual(agent.nic("web1/eth0")["state"], "holding")
            agent.write(ipmap())
            agent.signal(signal.SIGHUP)
            agent.wait_for(lambda r: len(r["sources"]) == 1, what="web2 is gone")
            self.assertTrue(pings.wait_for(self.target_mac(), count=50))
        self.assertEqual(pings.lost(since=steady), [])
        self.assert_held(V4)

    def test_a_held_source_is_taken_out_of_the_file(self) -> None:
        """What is ours and no longer in the file is given back."""
        web2 = self.lan.host("web2")
        web2.nic("eth0", "192.0.2.12/24")
        agent = self.holding(ipmap(top=f"witness {GATEWAY}\n" + OTHER.format("192.0.2.12/24")))
        agent.write(f"witness {GATEWAY}\n" + OTHER.format("192.0.2.12/24"))
        self.assertEqual(agent.ctl("reload")[0], 0)
        self.wait_until(lambda: f"{V4}/32" not in self.target.nic("eth0").addresses(), "it is released")

    def test_a_new_address_of_a_held_source(self) -> None:
        """What is held stays held when its NIC gets one more address in the file."""
        agent = self.holding()
        agent.write(ipmap(f"{V4}/24 dev eth0\n192.0.2.11/24 dev eth0"))
        self.assertEqual(agent.ctl("reload")[0], 0)
        self.assert_held(V4)
        self.assertEqual(agent.nic("web1/eth0")["state"], "holding")


class Ends(Story):
    """How it starts, and how it ends."""

    def test_sigterm_gives_all_back(self) -> None:
        """After SIGTERM nothing is held, and it exits cleanly."""
        agent = self.holding(ipmap(f"{V4}/24 dev eth0\n2001:db8::10/64 dev eth0"))
        self.assertEqual(agent.stop(), 0)
        self.assert_not_held(V4, "2001:db8::10")
        self.assertFalse(os.path.exists(agent.control), "its socket is gone")

    def test_a_second_instance(self) -> None:
        """On a control socket that is in use the second one exits with 1 and names it; the first does not notice."""
        first = self.holding()
        second = self.agent(control=first.control, wait=False)
        self.assertEqual(second.wait_exit(), 1)
        self.assertIn(first.control, second.log())
        self.assert_held(V4)
        self.assertEqual(first.nic("web1/eth0")["state"], "holding")

    def test_without_rights(self) -> None:
        """As nobody it exits with 1 and says what it lacks."""
        agent = self.agent(wait=False, mode=0o644,
                           prefix=("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"))
        self.assertEqual(agent.wait_exit(), 1)
        self.assertRegex(agent.log(), r"(?i)permi|root|CAP_NET")

    def test_a_wrong_file(self) -> None:
        """It does not start with a file that has mistakes, and prints all of them."""
        agent = self.agent(ipmap().replace("misses 3", "misses many; intervall 3s"), wait=False)
        self.assertEqual(agent.wait_exit(), 1)
        self.assertIn("many", agent.log())
        self.assertIn("intervall", agent.log())

    def test_killed_and_started_again(self) -> None:
        """A successor takes on what its predecessor held, without a lost ping, and can give it back."""
        agent = self.holding()
        with Pinger(self.client, V4) as pings:
            self.assertTrue(pings.wait_for(self.target_mac(), count=10))
            steady = time.monotonic()
            agent.kill()
            agent.start()
            agent.wait_state("web1/eth0", "holding")
            self.assertTrue(pings.wait_for(self.target_mac(), count=20))
        self.assertEqual(pings.lost(since=steady), [])
        self.assertEqual(agent.ctl("failback", "web1")[0], 0)
        self.assert_not_held(V4)


class Hold(Story):
    """What is held stays held."""

    def test_somebody_deletes_our_address(self) -> None:
        """It is put back."""
        agent = self.holding()
        self.target.nic("eth0").remove_address(f"{V4}/32")
        self.wait_until(lambda: f"{V4}/32" in self.target.nic("eth0").addresses(), "it is back")
        self.assertEqual(agent.nic("web1/eth0")["state"], "holding")

    def test_somebody_insists_on_deleting_it(self) -> None:
        """Then it is left alone for a while, and the log says so."""
        agent = self.holding()
        for _ in range(6):
            self.wait_until(lambda: f"{V4}/32" in self.target.nic("eth0").addresses(), "it is there")
            self.target.nic("eth0").remove_address(f"{V4}/32")
        agent.wait_state("web1/eth0", "blocked")
        self.assertIn("another program", agent.nic("web1/eth0")["reason"])
        self.assert_never_held(V4)

    def test_a_lease_is_renewed(self) -> None:
        """No notification ever says that the address went, and it is there after many leases."""
        agent = self.holding(ipmap(source="lease 1s"))
        with self.target.start(["ip", "monitor", "address", "route"], stdout=subprocess.PIPE, text=True) as monitor:
            time.sleep(3.5)
            monitor.terminate()
            seen = monitor.stdout.read()
        self.assertIn(V4, seen)  # renewals are notified of
        self.assertNotIn("Deleted", seen)
        self.assert_held(V4)
        self.assertIn("valid_lft 1sec", self.target.ip("addr", "show", "dev", "eth0"))
        self.assertEqual(agent.nic("web1/eth0")["state"], "holding")

    def test_nobody_renews_the_lease(self) -> None:
        """The agent was killed: the kernel takes the address off, and leaves what is the target's own."""
        agent = self.holding(ipmap(source="lease 1s"))
        agent.process.kill()
        self.wait_until(lambda: V4 not in " ".join(self.target.nic("eth0").addresses()), "it is gone")
        self.assert_held("192.0.2.20")

    def test_a_hung_agent_looks_before_it_takes_back(self) -> None:
        """The lease ran out while it hung, and the source came back: it is left alone."""
        agent = self.holding(ipmap(source="lease 1s"))
        agent.process.send_signal(signal.SIGSTOP)
        self.wait_until(lambda: V4 not in " ".join(self.target.nic("eth0").addresses()), "it is gone")
        self.source.heal()
        self.wait_until(lambda: self.client.ping(V4), "the source is back")
        agent.process.send_signal(signal.SIGCONT)
        agent.wait_state("web1/eth0", "up")
        self.assert_never_held(V4)

    def test_the_target_nic_is_renamed(self) -> None:
        """The address is given back from the NIC that holds it, whatever that is called now."""
        agent = self.holding()
        self.target.batch("link set eth0 name lan0")
        time.sleep(0.3)
        self.assertEqual(agent.ctl("failback", "web1")[0], 0)
        self.assertNotIn(V4, self.target.ip("addr", "show", "dev", "lan0"))

    def test_the_target_nic_vanishes_and_comes_back(self) -> None:
        """A hot-plugged NIC is awaited, and used when it is there."""
        agent = self.watching()
        self.target.batch("link del eth0")
        agent.wait_for(lambda r: not r["targets"][0]["present"], what="it is seen to be gone")
        del self.target.nics["eth0"]
        self.assert_never_held(V4, seconds=0.5)
        self.target.nic("eth0", "192.0.2.20/24")
        agent.wait_state("web1/eth0", "up")
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "holding")
        self.assert_held(V4)

    def test_the_target_nic_is_not_there_yet(self) -> None:
        """The agent starts without it, and waits for it."""
        agent = self.agent(ipmap("198.51.100.10/24 dev eth7", top="witness none"))
        self.source.nic("eth1", "198.51.100.10/24", segment="back")
        self.target.nic("eth7", "198.51.100.20/24", segment="back")
        agent.wait_state("web1/eth0", "up")


if __name__ == "__main__":
    main()
