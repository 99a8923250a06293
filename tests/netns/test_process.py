# SPDX-License-Identifier: Apache-2.0
"""The process: reload, signals, a second instance, rights, and NICs that come and go."""

import os
import shutil
import signal
import time

from lan import run
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

    def test_without_standard_descriptors(self) -> None:
        """Started without stdin, stdout and stderr, none of its sockets gets their numbers."""
        agent = self.agent(prefix=("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"))
        agent.wait_state("web1/eth0", "up")
        for number in range(3):
            self.assertEqual(os.readlink(f"/proc/{agent.process.pid}/fd/{number}"), "/dev/null")

    def test_a_client_cannot_write_log_lines(self) -> None:
        """What a client says stays on the log line that quotes it."""
        agent = self.watching()
        agent.ask("pause\nforged", source="web1")
        agent.wait_log("command pause?forged")
        self.assertFalse([line for line in agent.log().splitlines() if line.startswith("forged")])

    def test_a_target_nic_without_an_own_address(self) -> None:
        """ARP cannot ask from there: the log says so at the start, and nothing of the kind where it can."""
        self.assertNotIn("no address of its own", self.watching().log())
        self.lan.host("bare").nic("eth0")
        agent = self.agent(ipmap(source="probe arp"), host=self.lan.host("bare"))
        agent.wait_log("warning", "web1", "eth0 has no address of its own", V4)

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

    def test_a_third_host_uses_it(self) -> None:
        """It is not fought; the log names its MAC."""
        agent = self.holding()
        self.gateway.nic("eth0").address(f"{V4}/32")
        self.gateway.ip("neigh", "flush", "dev", "eth0")
        self.gateway.start(["arping", "-c", "3", "-A", "-I", "eth0", V4])
        self.wait_until(lambda: f"used at {self.gateway.nic('eth0').mac} too" in agent.log(), "the log says so")
        self.assertEqual(agent.nic("web1/eth0")["state"], "holding")

    def test_the_source_comes_back_after_a_restart(self) -> None:
        """Without a journal a successor does not know its MAC, and still sees that somebody has the address."""
        agent = self.holding()
        agent.kill()
        shutil.rmtree(agent.state)
        agent.start()
        agent.wait_state("web1/eth0", "holding")
        self.source.heal()
        self.wait_until(lambda: f"used at {self.source_mac()} too" in agent.log(), "the log says so")

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

    def test_descriptors_run_out_for_a_while(self) -> None:
        """A NIC that came up meanwhile is listened on once there are descriptors again, and announced on."""
        agent = self.holding()
        run("prlimit", f"--pid={agent.process.pid}", "--nofile=3:1024")
        self.target.nic("eth0").down()
        self.target.nic("eth0").up()
        agent.wait_log("cannot listen on eth0")
        run("prlimit", f"--pid={agent.process.pid}", "--nofile=1024:1024")
        agent.wait_for(lambda report: agent.address(V4, report)["announced"] > 0, what="it is announced again")

    def test_the_target_nic_is_not_there_yet(self) -> None:
        """The agent starts without it, and waits for it."""
        agent = self.agent(ipmap("198.51.100.10/24 dev eth7", top="witness none"))
        self.source.nic("eth1", "198.51.100.10/24", segment="back")
        self.target.nic("eth7", "198.51.100.20/24", segment="back")
        agent.wait_state("web1/eth0", "up")


if __name__ == "__main__":
    main()
