# SPDX-License-Identifier: Apache-2.0
"""A source, or a NIC of it, is lost: the target stands in."""

import time

from story import GATEWAY, GATEWAY6, QUIET_S, Story, V4, V6, ipmap, main
from wire import Pinger


class SilentCrash(Story):
    """The source is gone and no carrier tells."""

    def test_the_client_reaches_the_target(self) -> None:
        """The address is claimed and announced, and the client's pings are answered by the target from then on."""
        agent = self.watching()
        with Pinger(self.client, V4) as pings:
            self.assertTrue(pings.wait_for(self.source_mac(), count=20))
            self.source.crash_silently()
            agent.wait_state("web1/eth0", "holding")
            self.assertTrue(pings.wait_for(self.target_mac(), count=50))
        self.assertEqual(pings.order(), [self.source_mac(), self.target_mac()])
        self.assert_held(V4)
        self.assertEqual(agent.address(V4)["claim"], "held")
        self.assertEqual(agent.address(V4)["held_on"], "eth0")

    def test_by_ipv6(self) -> None:
        """An IPv6 address moves in the same way, without waiting for DAD."""
        agent = self.watching(ipmap(f"{V6}/64 dev eth0"))
        with Pinger(self.client, V6) as pings:
            self.assertTrue(pings.wait_for(self.source_mac(), count=20))
            self.source.crash_silently()
            agent.wait_state("web1/eth0", "holding")
            self.assertTrue(pings.wait_for(self.target_mac(), count=50))
        self.assertEqual(pings.order(), [self.source_mac(), self.target_mac()])
        self.assert_held(V6)

    def test_several_addresses_and_families(self) -> None:
        """All addresses of a NIC go along, also those that are not monitored."""
        extra = ["192.0.2.11", "192.0.2.12", "2001:db8::11"]
        self.source.nic("eth0").address("192.0.2.11/24", "192.0.2.12/24", "2001:db8::11/64")
        agent = self.holding(ipmap(f"{V4}/24 dev eth0\n{V6}/64 dev eth0\n192.0.2.11/24 dev eth0\n"
                                   "2001:db8::11/64 dev eth0\n192.0.2.12/24 dev eth0 { monitor no }"))
        self.assert_held(V4, V6, *extra)
        self.assertFalse(agent.address("192.0.2.12")["monitored"])
        for address in (V4, V6, *extra):
            self.assertTrue(self.client.ping(address, 5), address)
            self.assertEqual(self.client.neighbour(address), self.target_mac())

    def test_by_icmp_alone(self) -> None:
        """Where only ICMP is probed, broadcasts before the claim ask whether the address is free."""
        self.holding(ipmap(source="probe icmp"))
        self.assert_held(V4)

    def test_by_arp_alone(self) -> None:
        """Where only ARP is probed, a source that drops pings is watched all the same."""
        self.source.sysctl("net.ipv4.icmp_echo_ignore_all", 1)
        self.holding(ipmap(source="probe arp"))
        self.assert_held(V4)

    def test_the_cable_of_the_source_is_dead_too(self) -> None:
        """A crash that takes the carrier along ends no differently."""
        agent = self.watching()
        self.source.crash()
        agent.wait_state("web1/eth0", "holding")
        self.assert_held(V4)

    def test_the_own_addresses_of_the_target_stay_first(self) -> None:
        """The target goes on speaking from its own addresses, and its own prefix is not hung on ours."""
        self.holding(ipmap(f"{V4}/24 dev eth0\n{V6}/64 dev eth0"))
        self.assertIn(f"{V4}/32", self.target.nic("eth0").addresses())
        self.assertIn(f"{V6}/128", self.target.nic("eth0").addresses())
        self.target.batch("route add 203.0.113.0/24 dev eth0")
        for destination in ([GATEWAY], ["203.0.113.5"], ["224.0.0.9", "oif", "eth0"]):
            self.assertIn("src 192.0.2.20", self.target.ip("route", "get", *destination))
        self.assertIn("src 2001:db8::20", self.target.ip("route", "get", GATEWAY6))


class Nics(Story):
    """Each NIC of a source fails by itself."""

    TWO = (f"defaults {{ interval 20ms; misses 3 }}\nwitness {GATEWAY}, 198.51.100.1\nsource web1 {{\n"
           f"nic eth0 {{ {V4}/24 dev eth0 }}\nnic eth1 {{ 198.51.100.10/24 dev eth1 }}\n}}\n")

    def two_nics(self) -> None:
        self.source.nic("eth1", "198.51.100.10/24", segment="back")
        self.target.nic("eth1", "198.51.100.20/24", segment="back")
        self.gateway.nic("eth1", "198.51.100.1/24", segment="back")

    def test_one_of_two(self) -> None:
        """When one NIC of the source is lost, only its addresses move; the other's client notices nothing."""
        self.two_nics()
        agent = self.watching(self.TWO)
        agent.wait_state("web1/eth1", "up")
        with Pinger(self.client, V4) as pings:
            self.source.nic("eth1").silence()
            agent.wait_state("web1/eth1", "holding")
            self.assert_held("198.51.100.10")
            self.assert_never_held(V4)
        self.assertEqual(pings.order(), [self.source_mac()])
        self.assertEqual(agent.nic("web1/eth0")["state"], "up")

    def test_both(self) -> None:
        """When the whole source is lost, the addresses of both NICs move, each to its own target NIC."""
        self.two_nics()
        agent = self.watching(self.TWO)
        agent.wait_state("web1/eth1", "up")
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "holding")
        agent.wait_state("web1/eth1", "holding")
        self.assertIn(f"{V4}/32", self.target.nic("eth0").addresses())
        self.assertIn("198.51.100.10/32", self.target.nic("eth1").addresses())

    def test_trigger_all(self) -> None:
        """By default a NIC is lost only when all its monitored addresses are."""
        self.source.nic("eth0").address("192.0.2.11/24")
        agent = self.watching(ipmap(f"{V4}/24 dev eth0\n192.0.2.11/24 dev eth0"))
        agent.wait_for(lambda r: agent.address("192.0.2.11", r)["life"] == "up", what="192.0.2.11 is up")
        self.source.nic("eth0").remove_address("192.0.2.11/24")
        agent.wait_for(lambda r: agent.address("192.0.2.11", r)["life"] == "lost", what="192.0.2.11 is lost")
        self.assert_never_held(V4, "192.0.2.11")

    def test_trigger_any(self) -> None:
        """With `trigger any` one lost address is enough; an address that still answers is not taken all the same."""
        self.source.nic("eth0").address("192.0.2.11/24")
        agent = self.watching(ipmap(f"trigger any\n{V4}/24 dev eth0\n192.0.2.11/24 dev eth0"))
        agent.wait_for(lambda r: agent.address("192.0.2.11", r)["life"] == "up", what="192.0.2.11 is up")
        self.source.nic("eth0").remove_address("192.0.2.11/24")
        agent.wait_for(lambda r: agent.address("192.0.2.11", r)["life"] == "lost", what="192.0.2.11 is lost")
        self.assert_never_held(V4)
        self.assertNotEqual(agent.nic("web1/eth0")["state"], "up")

    def second_nic(self) -> None:
        """A second NIC of the target on the same LAN, set up as the agent asks for it."""
        for key, value in (("arp_ignore", 1), ("arp_announce", 2), ("ignore_routes_with_linkdown", 1)):
            self.target.sysctl(f"net.ipv4.conf.all.{key}", value)
        self.target.nic("eth1", "192.0.2.21/24")

    def test_the_fallback_nic(self) -> None:
        """Where the first target NIC has no carrier, the address goes to the NIC after `or`."""
        self.second_nic()
        agent = self.watching(ipmap(f"{V4}/24 dev eth0 or eth1"))
        self.target.nic("eth0").unplug()
        agent.wait_for(lambda r: not r["targets"][0]["carrier"], what="eth0 is seen without carrier")
        agent.wait_state("web1/eth0", "up")
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "holding")
        self.assertIn(f"{V4}/32", self.target.nic("eth1").addresses())
        self.assertEqual(agent.address(V4)["held_on"], "eth1")
        with Pinger(self.client, V4) as pings:
            self.assertTrue(pings.wait_for(self.target.nic("eth1").mac, count=20))

    def test_a_held_address_moves_to_the_fallback_nic(self) -> None:
        """When the NIC that holds an address loses its carrier, the address moves on."""
        self.second_nic()
        agent = self.holding(ipmap(f"{V4}/24 dev eth0 or eth1"))
        self.target.nic("eth0").unplug()
        agent.wait_for(lambda r: agent.address(V4, r)["held_on"] == "eth1", what="held on eth1")
        self.assertIn(f"{V4}/32", self.target.nic("eth1").addresses())
        self.assertNotIn(f"{V4}/32", self.target.nic("eth0").addresses())
        with Pinger(self.client, V4) as pings:
            self.assertTrue(pings.wait_for(self.target.nic("eth1").mac, count=20))

    def test_back_on_the_first_nic(self) -> None:
        """The first NIC is back for a while: so is the address, and hardly a ping is lost by it."""
        self.second_nic()
        agent = self.holding(ipmap(f"{V4}/24 dev eth0 or eth1"))
        self.target.nic("eth0").unplug()
        agent.wait_for(lambda r: agent.address(V4, r)["held_on"] == "eth1", what="held on eth1")
        with Pinger(self.client, V4) as pings:
            self.assertTrue(pings.wait_for(self.target.nic("eth1").mac, count=20))
            self.target.nic("eth0").plug()
            time.sleep(1)
            plugged = time.monotonic()
            agent.wait_for(lambda r: agent.address(V4, r)["held_on"] == "eth0", what="held on eth0", timeout_s=40)
            time.sleep(1)
        self.assertLess(len(pings.lost(since=plugged)), 5)
        self.assertEqual(self.client.neighbour(V4), self.target_mac())
        self.assertNotIn(f"{V4}/32", self.target.nic("eth1").addresses())


class Many(Story):
    """One spare host for many sources."""

    COUNT = 200

    def test_two_hundred_sources_at_once(self) -> None:
        """All of a rack is lost at the same moment; all of it is taken over, and the one host left alive is not."""
        addresses = [f"198.18.{n // 250}.{n % 250 + 1}" for n in range(self.COUNT)]
        rack = self.lan.host("rack")
        rack.nic("eth0", *(f"{a}/16" for a in addresses))
        self.target.nic("eth0").address("198.18.255.2/16")
        self.client.nic("eth0").address("198.18.255.3/16")
        sources = "".join(f"source s{n} {{ nic eth0 {{ {a}/16 dev eth0 }} }}\n" for n, a in enumerate(addresses))
        agent = self.agent(ipmap(top=f"witness {GATEWAY}\n{sources}", interval_ms=100))
        agent.wait_for(lambda r: all(s["state"] == "up" for s in r["sources"]), what="all are up", timeout_s=30)
        time.sleep(QUIET_S)
        self.assertTrue(all(s["state"] == "up" for s in agent.status()["sources"]), "a healthy rack stays untouched")
        rack.crash_silently()
        agent.wait_for(lambda r: sum(s["state"] == "holding" for s in r["sources"]) == self.COUNT,
                       what="all are held", timeout_s=30)
        self.assert_held(*addresses)
        self.assert_not_held(V4)
        for address in addresses[::40]:
            self.assertTrue(self.client.ping(address, 5), address)
        self.assertEqual(agent.ctl("failback", "s7")[0], 0)
        self.assert_not_held(addresses[7])
        self.assert_held(*addresses[:7], *addresses[8:])


if __name__ == "__main__":
    main()
