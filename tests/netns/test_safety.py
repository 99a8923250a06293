# SPDX-License-Identifier: Apache-2.0
"""What must never happen: an address is taken from a host that lives, or because this host is slow or cut off."""

import time

from agent import held_on
from story import GATEWAY, QUIET_S, Story, V4, ipmap, main
from wire import Capture, Responder, answering

STRANGER = "02:00:00:00:99:99"


class CutOff(Story):
    """It is the target that has lost the LAN, not the LAN that has lost the source."""

    def lose_carrier(self, lagging: bool) -> None:
        self.target.nic("eth9", "203.0.113.20/24", lagging=lagging)
        self.source.nic("eth9", "203.0.113.10/24")
        agent = self.watching(ipmap("203.0.113.10/24 dev eth9", top="witness none"))
        self.target.nic("eth9").unplug()
        self.assert_never_held("203.0.113.10")
        report = agent.wait_for(lambda r: not r["targets"][0]["carrier"], what="the lost carrier is shown")
        self.assertNotIn(agent.nic("web1/eth0", report)["state"], ("lost", "verifying", "claiming", "holding"))
        self.target.nic("eth9").plug()
        agent.wait_state("web1/eth0", "up")
        self.assert_never_held("203.0.113.10", seconds=0.5)

    def test_our_own_cable_is_pulled(self) -> None:
        """Without carrier the target is unfit, and the source is not lost."""
        self.lose_carrier(lagging=False)

    def test_our_own_cable_is_pulled_and_the_kernel_tells_late(self) -> None:
        """The same where the kernel's link events come after the misses."""
        self.lose_carrier(lagging=True)

    def test_the_switch_is_slower_than_the_cable(self) -> None:
        """The cable is plugged in again, but the switch port forwards only a while later: that is no lost source."""
        agent = self.watching(ipmap(top="witness none"))
        nic = self.target.nic("eth0")
        nic.unplug()
        agent.wait_for(lambda r: not r["targets"][0]["carrier"], what="the lost carrier is shown")
        nic.drop_outgoing()
        nic.drop_incoming()
        nic.plug()
        self.assert_never_held(V4)
        nic.heal()
        agent.wait_state("web1/eth0", "up")
        self.assert_never_held(V4, seconds=0.5)

    def test_our_own_nic_is_taken_down(self) -> None:
        """An administrator who takes the target NIC down takes over nothing."""
        agent = self.watching(ipmap(top="witness none"))
        self.target.nic("eth0").down()
        self.assert_never_held(V4)
        self.target.nic("eth0").up()
        agent.wait_state("web1/eth0", "up")

    def test_our_switch_port_is_dead(self) -> None:
        """With carrier but without a LAN behind it, no witness answers: nothing is claimed, nor after the healing."""
        agent = self.watching()
        self.target.nic("eth0").silence()
        agent.wait_state("web1/eth0", "blocked")
        self.assertIn("witness", agent.nic("web1/eth0")["reason"])
        self.assert_never_held(V4)
        self.target.nic("eth0").heal()
        agent.wait_state("web1/eth0", "up")
        self.assert_never_held(V4)

    def test_we_hear_nothing(self) -> None:
        """A cable that carries only one way is a reason to stay still."""
        agent = self.watching()
        self.target.nic("eth0").drop_incoming()
        agent.wait_state("web1/eth0", "blocked")
        self.assert_never_held(V4)

    def test_nobody_hears_us(self) -> None:
        """Nor does the other way."""
        agent = self.watching()
        self.target.nic("eth0").drop_outgoing()
        agent.wait_state("web1/eth0", "blocked")
        self.assert_never_held(V4)

    def test_a_bad_cable(self) -> None:
        """A third of all frames lost is no host lost."""
        agent = self.watching(ipmap(misses=8))
        self.source.nic("eth0").drop_outgoing(33)
        self.assert_never_held(V4, seconds=3)
        self.assertGreater(agent.address(V4)["missed"], 0, "some rounds were lost altogether")


class Witness(Story):
    """A third party says whether it is we who are cut off."""

    def test_the_witness_is_gone_too(self) -> None:
        """With the source and the witness silent nothing is claimed; once the witness is back, it is."""
        agent = self.watching()
        self.gateway.crash_silently()
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "blocked")
        self.assertIn("witness", agent.nic("web1/eth0")["reason"])
        self.assert_never_held(V4)
        self.gateway.heal()
        agent.wait_state("web1/eth0", "holding")

    def test_one_of_two_witnesses_is_enough(self) -> None:
        """Any witness that answers will do."""
        agent = self.watching(ipmap(top=f"witness {GATEWAY}, 192.0.2.50"))
        self.gateway.crash_silently()
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "holding")

    def test_witness_none(self) -> None:
        """Two hosts on one cable may say that there is nobody to ask."""
        agent = self.watching(ipmap(top="witness none"))
        self.gateway.crash_silently()
        self.client.crash_silently()
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "holding")

    def test_the_default_gateway_is_the_witness_of_itself(self) -> None:
        """Where none is configured, the default gateway is asked."""
        self.target.route(GATEWAY)
        agent = self.watching(ipmap(top=""))
        self.gateway.crash_silently()
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "blocked")
        self.assert_never_held(V4, seconds=0.5)
        self.gateway.heal()
        agent.wait_state("web1/eth0", "holding")

    def test_a_known_neighbour_is_a_witness(self) -> None:
        """Without a gateway, any neighbour that was learned on the NIC serves."""
        self.assertTrue(self.target.ping("192.0.2.50"))
        agent = self.watching(ipmap(top=""))
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "holding")

    def test_nobody_to_ask(self) -> None:
        """Where there is no witness at all, a person decides; the source is never its own witness."""
        agent = self.watching(ipmap(top=""))
        self.source.crash_silently()
        nic = agent.wait_state("web1/eth0", "awaiting")
        self.assertIn("witness", nic["reason"])
        self.assert_never_held(V4)
        asked = time.monotonic()
        self.assertEqual(agent.ctl("approve", "web1")[0], 0)
        self.assertLess(time.monotonic() - asked, 15, "the answer does not wait for a proof that cannot come")
        agent.wait_state("web1/eth0", "holding")


class Slow(Story):
    """It is the agent that was stopped, not the source that was silent."""

    def test_frozen_for_three_seconds(self) -> None:
        """An agent that was paused far longer than the misses take judges nothing by that time."""
        agent = self.watching()
        agent.freeze()
        time.sleep(3)
        agent.thaw()
        self.assert_never_held(V4)
        agent.wait_state("web1/eth0", "up")
        self.assertGreater(agent.status()["agent"]["stalls"], 0)

    def test_frozen_while_the_source_crashes(self) -> None:
        """The takeover comes, and rests on rounds that were missed after the thaw."""
        agent = self.watching()
        agent.freeze()
        self.source.crash_silently()
        time.sleep(1)
        with Capture(self.target.nic("eth0"), lambda frame: V4 in (frame.src, frame.dst)) as seen:
            agent.thaw()
            agent.wait_state("web1/eth0", "holding")
            self.wait_until(lambda: seen.of("arp-announcement", src=V4), "the announcement is on the wire")
        claimed_at = seen.of("arp-announcement", src=V4)[0].at
        rounds = [s for s in seen.of("arp-request") if s.frame.dst == V4 and s.at < claimed_at]
        self.assertGreaterEqual(len(rounds), 3)

    def test_frozen_again_and_again(self) -> None:
        """Short pauses in a row, each about as long as the misses take, add up to nothing."""
        agent = self.watching()
        for _ in range(15):
            agent.freeze()
            time.sleep(0.07)
            agent.thaw()
            time.sleep(0.03)
            self.assert_not_held(V4)
        self.assert_never_held(V4, seconds=0.5)


class InUse(Story):
    """Somebody answers for the address."""

    def test_another_mac_answers(self) -> None:
        """The source is silent to pings but another host answers ARP for its address: refused, by name."""
        agent = self.watching(ipmap(source="probe icmp"))
        with Responder(self.target.nic("eth0"), answering(V4, STRANGER, kinds=("arp-request", "arp-probe"))):
            self.source.crash_silently()
            nic = agent.wait_state("web1/eth0", "blocked")
            self.assertIn(V4, nic["reason"])
            self.assertIn(STRANGER, nic["reason"])
            self.assert_never_held(V4)
        agent.wait_state("web1/eth0", "holding")

    def test_a_source_that_only_drops_pings(self) -> None:
        """A firewall is switched on at the source: it still answers ARP, and keeps its address."""
        agent = self.watching(ipmap(source="probe icmp"))
        self.source.sysctl("net.ipv4.icmp_echo_ignore_all", 1)
        nic = agent.wait_state("web1/eth0", "blocked")
        self.assertIn(self.source_mac(), nic["reason"])
        self.assert_never_held(V4)

    def test_never_seen_alive(self) -> None:
        """What was never seen alive is not taken over."""
        self.source.crash_silently()
        agent = self.agent()
        self.assert_never_held(V4)
        self.assertEqual(agent.nic("web1/eth0")["state"], "unseen")
        self.source.heal()
        agent.wait_state("web1/eth0", "up")
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "holding")

    def test_claim_unseen(self) -> None:
        """Unless the file says so."""
        self.source.crash_silently()
        agent = self.agent(ipmap(source="claim-unseen yes"))
        agent.wait_state("web1/eth0", "holding")
        self.assert_held(V4)


class OurOwn(Story):
    """The address of the source is on this host, and not by a claim: the kernel answers our own pings."""

    def test_somebody_puts_it_on_this_host(self) -> None:
        """A dead source does not look alive for that; once the address is gone, its loss is seen."""
        agent = self.watching()
        self.target.nic("eth0").address(f"{V4}/24")
        agent.wait_log(V4, "by other means", "cannot be watched")
        answered = agent.address(V4)["answered"]
        self.source.crash_silently()
        time.sleep(QUIET_S)
        self.assertEqual(agent.address(V4)["answered"], answered)
        self.assertIn("in use", agent.address(V4)["cannot_probe"])
        self.assertIsNone(agent.address(V4)["held_on"])
        self.target.nic("eth0").remove_address(f"{V4}/24")
        agent.wait_state("web1/eth0", "holding")

    def test_somebody_makes_a_claim_his_own(self) -> None:
        """A held address that is written over is neither held any more nor put back."""
        agent = self.holding()
        self.target.batch(f"addr replace {V4}/32 dev eth0 valid_lft forever preferred_lft forever")
        agent.wait_log(V4, "by other means", "cannot be watched")
        self.assertEqual(agent.wait_state("web1/eth0", "blocked")["state"], "blocked")
        time.sleep(QUIET_S)
        self.assertEqual(agent.nic("web1/eth0")["state"], "blocked")
        self.assert_held(V4)
        self.target.nic("eth0").remove_address(f"{V4}/32")
        agent.wait_state("web1/eth0", "holding")


class TwoTargets(Story):
    """Two targets with the same ipmap."""

    def test_exactly_one_stands_in(self) -> None:
        """Both see the crash in the same instant; one claims, the other sees it and keeps away."""
        rival = self.lan.host("rival")
        rival.nic("eth0", "192.0.2.30/24")
        agents = [self.agent(), self.agent(host=rival)]
        for agent in agents:
            agent.wait_state("web1/eth0", "up")
        self.source.crash_silently()
        self.wait_until(lambda: self.holders(rival) > 0, "one of them holds it")
        end = time.monotonic() + QUIET_S
        while time.monotonic() < end:
            self.assertEqual(self.holders(rival), 1)
            time.sleep(0.02)

    def test_one_that_started_while_the_other_stood_in(self) -> None:
        """It takes the other's MAC for the source's at first, but not for longer than that lasts."""
        rival = self.lan.host("rival")
        rival.nic("eth0", "192.0.2.30/24", "2001:db8::30/64")
        first = self.holding(ipmap(f"{V4}/24 dev eth0"))
        second = self.agent(ipmap(interval_ms=200, misses=2), host=rival)
        second.wait_for(lambda r: second.address(V4, r)["mac"] == self.target_mac(), what="it takes it for the source")
        self.source.heal()
        first.wait_log("the source is back")
        self.assertEqual(first.ctl("failback", "web1")[0], 0)
        before = second.address(V4)["rounds"]
        report = second.wait_for(lambda r: second.address(V4, r)["mac"] == self.source_mac(), what="it learns better")
        self.assertLess(second.address(V4, report)["rounds"] - before, 10, "it waited for no miss")
        first.kill()
        self.source.crash_silently()
        second.wait_state("web1/eth0", "holding")
        self.source.heal()
        second.wait_log("the source is back", self.source_mac())

    def holders(self, rival) -> int:
        return sum(f"{V4}/32" in held_on(host) for host in (self.target, rival))


if __name__ == "__main__":
    main()
