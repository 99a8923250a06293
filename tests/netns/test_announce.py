# SPDX-License-Identifier: Apache-2.0
"""The LAN is told of a takeover, and the target knows whether it was heard."""

import time

from story import GATEWAY, Story, V4, V6, ipmap, main
from wire import Capture, Pinger


class Announcements(Story):
    """What goes over the wire after a claim."""

    def test_both_forms_of_arp_again_and_again(self) -> None:
        """Requests and replies that receivers take for gratuitous, repeated past the second for which Linux locks."""
        agent = self.watching()
        with Capture(self.client.nic("eth0"), lambda frame: frame.src == V4) as seen:
            self.source.crash_silently()
            agent.wait_state("web1/eth0", "holding")
            time.sleep(1.5)
        for kind in ("arp-announcement", "arp-gratuitous"):
            copies = seen.of(kind, mac=self.target_mac())
            self.assertGreaterEqual(len(copies), 3, kind)
            self.assertGreater(copies[-1].at - copies[0].at, 1, kind)
            self.assertTrue(all(s.frame.eth_src == self.target_mac() for s in copies))
        self.assertGreaterEqual(agent.address(V4)["announced"], 3)

    def test_neighbour_advertisements(self) -> None:
        """IPv6 neighbours are told by unsolicited advertisements to all nodes."""
        agent = self.watching(ipmap(f"{V6}/64 dev eth0"))
        with Capture(self.client.nic("eth0"), lambda frame: frame.src == V6) as seen:
            self.source.crash_silently()
            agent.wait_state("web1/eth0", "holding")
            time.sleep(0.5)
        told = seen.of("na-unsolicited")
        self.assertGreaterEqual(len(told), 2)
        self.assertEqual({s.frame.eth_dst for s in told}, {"33:33:00:00:00:01"})
        self.assertEqual({s.frame.dst for s in told}, {"ff02::1"})

    def test_nothing_is_announced_before_it_is_verified(self) -> None:
        """While the source lives and while it is doubted, nobody hears that its address has moved."""
        agent = self.watching()
        with Capture(self.client.nic("eth0"), lambda frame: frame.src == V4) as seen:
            self.gateway.crash_silently()
            self.source.crash_silently()
            agent.wait_state("web1/eth0", "blocked")
            time.sleep(0.5)
        self.assertEqual(seen.of("arp-announcement", "arp-gratuitous"), [])


class Proof(Story):
    """A takeover is done when a neighbour was seen to send to us."""

    def proof(self, conf: str = "", wanted: str = "confirmed"):
        agent = self.holding(conf)
        agent.wait_for(lambda r: agent.address(V4, r)["proof"] == wanted, what=f"it is {wanted}")
        return agent

    def test_confirmed_by_the_gateway(self) -> None:
        """The gateway answers to the claimed address, and status says who and when."""
        address = self.proof().address(V4)
        self.assertEqual(address["proof_by"], GATEWAY)
        self.assertGreater(address["proof_after_ns"], 0)
        self.assertEqual(self.gateway.neighbour(V4), self.target_mac())

    def test_unconfirmed_when_nobody_is_there(self) -> None:
        """Alone on a LAN the target holds the address, and says that nobody was seen to know it."""
        self.gateway.crash_silently()
        self.client.crash_silently()
        agent = self.proof(ipmap(top="witness none"), wanted="unconfirmed")
        time.sleep(1)
        self.assertEqual(agent.address(V4)["proof"], "unconfirmed")
        self.assert_held(V4)

    def test_reached_is_less_than_confirmed(self) -> None:
        """A gateway that answers ARP but sends no packet to the claimed address has been reached, no more."""
        agent = self.watching(ipmap(source="probe arp"))
        self.gateway.sysctl("net.ipv4.icmp_echo_ignore_all", 1)
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "holding")
        agent.wait_for(lambda r: agent.address(V4, r)["proof"] == "reached", what="it is reached")

    def test_a_gateway_with_a_fixed_entry(self) -> None:
        """A neighbour that goes on sending to the source's MAC confirms nothing, however often it is told."""
        agent = self.watching()
        self.gateway.batch(f"neigh replace {V4} lladdr {self.source_mac()} dev eth0 nud permanent")
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "holding")
        time.sleep(1.5)
        self.assertIn(agent.address(V4)["proof"], ("reached", "unconfirmed"))

    def test_a_gateway_that_drops_gratuitous_arp(self) -> None:
        """It does not believe announcements; being asked from the claimed address tells it all the same."""
        for interface in ("all", "eth0"):
            self.gateway.sysctl(f"net.ipv4.conf.{interface}.drop_gratuitous_arp", 1)
        with Pinger(self.gateway, V4) as pings:
            self.assertTrue(pings.wait_for(self.source_mac(), count=10))
            agent = self.proof()
            self.assertTrue(pings.wait_for(self.target_mac(), count=20))
        self.assertEqual(agent.address(V4)["proof_by"], GATEWAY)


if __name__ == "__main__":
    main()
