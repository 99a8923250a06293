# SPDX-License-Identifier: Apache-2.0
"""The source comes back while its addresses are held; others only pretend, or hold them too."""

import subprocess
import time

import frames
from story import QUIET_S, Story, V4, V6, held_on, ipmap, main
from wire import Capture, Pinger, packet_socket

AUTOMATIC = ipmap(f"{V4}/24 dev eth0\n{V6}/64 dev eth0", source="failback automatic")
MANUAL = ipmap(f"{V4}/24 dev eth0\n{V6}/64 dev eth0")


class Return(Story):
    """What a source does that boots again."""

    def away(self, conf: str):
        """Held, and the source's NIC has no address: it will have to ask for them."""
        agent = self.holding(conf)
        time.sleep(3)  # what is still announced would end a detection
        self.source.nic("eth0").remove_address(f"{V4}/24", f"{V6}/64")
        return agent

    def arping_d(self) -> int:
        """The exit status of a duplicate address detection by ARP: 0 where nobody has the address."""
        return self.source.start(["arping", "-D", "-q", "-c", "2", "-w", "3", "-I", "eth0", V4]).wait(20)

    def kernel_dad(self) -> str:
        """How the kernel of the source ends its own detection for the IPv6 address."""
        self.source.sysctl("net.ipv6.conf.eth0.accept_dad", 1)
        self.source.sysctl("net.ipv6.conf.eth0.dad_transmits", 1)
        self.source.batch(f"addr add {V6}/64 dev eth0")
        show = ("-6", "addr", "show", "dev", "eth0", "to", V6)
        self.wait_until(lambda: "dadfailed" in self.source.ip(*show) or "tentative" not in self.source.ip(*show),
                        "the detection is over")
        return "failed" if "dadfailed" in self.source.ip(*show) else "passed"

    def test_automatic(self) -> None:
        """Under `failback automatic` it serves again by itself, and every neighbour believes it."""
        agent = self.watching(AUTOMATIC)
        with Pinger(self.client, V4) as pings:
            self.assertTrue(pings.wait_for(self.source_mac(), count=20))
            self.source.crash_silently()
            self.assertTrue(pings.wait_for(self.target_mac(), count=50))
            self.source.heal()
            self.assertTrue(pings.wait_for(self.source_mac(), count=50))
            agent.wait_state("web1/eth0", "up")
            self.assert_not_held(V4, V6)
            time.sleep(QUIET_S)
        self.assertEqual(pings.order()[-1], self.source_mac())
        self.assertEqual(pings.lost(since=time.monotonic() - 1), [])
        for host in (self.client, self.gateway):
            self.assertEqual(host.neighbour(V4), self.source_mac())

    def test_arp_detection_finds_the_address_free(self) -> None:
        """It asks by ARP before it takes its address, and is not told that it is in use."""
        agent = self.away(AUTOMATIC)
        self.source.heal()
        self.assertEqual(self.arping_d(), 0)
        self.assert_not_held(V4, V6)
        self.source.nic("eth0").address(f"{V4}/24", f"{V6}/64")
        agent.wait_state("web1/eth0", "up")

    def test_kernel_detection_finds_the_address_free(self) -> None:
        """The same by IPv6, as every Linux kernel does it."""
        agent = self.away(AUTOMATIC)
        self.source.heal()
        self.assertEqual(self.kernel_dad(), "passed")
        self.assert_not_held(V4, V6)
        self.source.nic("eth0").address(f"{V4}/24")
        agent.wait_state("web1/eth0", "up")

    def test_detection_that_nobody_ends(self) -> None:
        """It asked, and died again: the address is claimed once more, though not at once."""
        agent = self.away(AUTOMATIC)
        self.source.heal()
        self.assertEqual(self.arping_d(), 0)
        self.source.crash_silently()
        self.assert_never_held(V4)
        agent.wait_state("web1/eth0", "holding")
        self.assert_held(V4, V6)

    def test_manual(self) -> None:
        """Under `failback manual` it is told that its addresses are in use, and people are told of it."""
        agent = self.away(MANUAL)
        with Pinger(self.client, V4) as pings:
            self.source.heal()
            self.assertNotEqual(self.arping_d(), 0)
            self.assertEqual(self.kernel_dad(), "failed")
            agent.wait_log(f"wants to use {V4}")
            agent.wait_log(f"wants to use {V6}")
        self.assertEqual(pings.order(), [self.target_mac()])
        self.assertEqual(pings.lost(), [])
        self.assert_held(V4, V6)
        # As the manual says: a failback, then the addresses anew.
        self.assertEqual(agent.ctl("failback", "web1")[0], 0)
        self.source.batch(f"addr del {V6}/64 dev eth0", f"addr add {V6}/64 dev eth0", f"addr add {V4}/24 dev eth0")
        agent.wait_state("web1/eth0", "up")

    def test_it_answers_again_under_manual(self) -> None:
        """It is back with its addresses: people are told within a second, and a failback ends with its addresses."""
        agent = self.holding(MANUAL)
        self.source.heal()
        agent.wait_log("the source is back")
        self.assert_held(V4, V6)
        status, text = agent.ctl("failback", "web1")
        self.assertEqual(status, 0)
        self.assertIn("answers for its own addresses again", text)
        self.assertTrue(self.client.ping(V4, 20))
        self.assertEqual(self.client.neighbour(V4), self.source_mac())

    def test_nothing_is_left_of_the_filter(self) -> None:
        """The kernel answers everybody once nothing is held, and when the agent is killed."""
        tables = ("nft", "list", "tables")

        def list_tables() -> str:
            return subprocess.run(["ip", "netns", "exec", self.target.namespace, *tables], capture_output=True,
                                  check=True, text=True).stdout

        agent = self.holding(AUTOMATIC)
        self.wait_until(lambda: "standin" in list_tables(), "the filter is there")
        agent.kill()
        self.wait_until(lambda: "standin" not in list_tables(), "the filter is gone with the agent")
        agent.start()
        agent.wait_state("web1/eth0", "holding")
        agent.ctl("failback", "web1")
        self.wait_until(lambda: "standin" not in list_tables(), "the filter is gone with the addresses")


class Pretence(Story):
    """Frames of the source that somebody else sends."""

    def test_replayed_announcements(self) -> None:
        """Announcements and replies that seem to come from the source change nothing while it does not answer."""
        agent = self.holding(AUTOMATIC)
        port = packet_socket(self.client.namespace, "eth0")
        mac, target = self.source_mac(), self.target_mac()
        with port, Pinger(self.client, V4) as pings:
            for _ in range(300):
                port.send(frames.arp(1, frames.BROADCAST, mac, V4, "00:00:00:00:00:00", V4))
                port.send(frames.arp(2, target, mac, V4, target, "192.0.2.20"))
                time.sleep(0.01)
        self.assertGreater(len(pings.answers(self.target_mac())), 0)
        self.assert_held(V4, V6)
        self.assertNotIn("the source is back", agent.log())
        self.assertNotIn("releasing", agent.log())

    def test_no_war(self) -> None:
        """However loud another host claims the address, it is announced against that once in ten seconds."""
        self.holding(MANUAL)
        time.sleep(3)  # the plan of announcements is over
        port = packet_socket(self.client.namespace, "eth0")
        stranger = "02:00:00:00:99:99"
        with port, Capture(self.gateway.nic("eth0")) as capture:
            for _ in range(100):
                port.send(frames.arp(1, frames.BROADCAST, stranger, V4, "00:00:00:00:00:00", V4))
                time.sleep(0.02)
            time.sleep(0.2)
        ours = capture.of("arp-announcement", "arp-gratuitous", src=V4, mac=self.target_mac())
        self.assertEqual(len(ours), 2)  # one, in both forms
        self.assert_held(V4)


class TwoHolders(Story):
    """Two targets came to hold the same addresses."""

    def holders(self, rival) -> int:
        return sum(f"{V4}/32" in held_on(host) for host in (self.target, rival))

    def test_one_gives_way(self) -> None:
        """A part of the network was cut off. Once it is whole, one of the two serves and the other one watches it."""
        rival = self.lan.host("rival")
        rival.nic("eth0", "192.0.2.30/24", "2001:db8::30/64")
        first, second = self.watching(MANUAL), self.agent(MANUAL, host=rival)
        second.wait_state("web1/eth0", "up")
        rival.nic("eth0").silence()
        self.source.crash_silently()
        first.wait_state("web1/eth0", "holding")
        second.ask("failover", source="web1", force=True)
        second.wait_state("web1/eth0", "holding")
        self.assertEqual(self.holders(rival), 2)
        with Pinger(self.client, V4) as pings:
            rival.nic("eth0").heal()
            self.wait_until(lambda: self.holders(rival) == 1, "one of them gives way")
            time.sleep(QUIET_S)
            self.assertEqual(self.holders(rival), 1)
            whole = time.monotonic()
            time.sleep(QUIET_S)
        # The lower MAC stays: that of the target, which is the older host of the LAN.
        self.assertLess(self.target_mac(), rival.nic("eth0").mac)
        self.assert_held(V4, V6)
        second.wait_state("web1/eth0", "up")
        self.assertEqual(pings.lost(since=whole), [])


if __name__ == "__main__":
    main()
