# SPDX-License-Identifier: Apache-2.0
"""What a person decides: approval, failover, failback, pause."""

import time

from story import GATEWAY, Story, V4, ipmap, main
from wire import Capture, Pinger


class Approval(Story):
    """`takeover manual`: a lost source waits for a person."""

    MANUAL = ipmap(source="takeover manual")

    def awaiting(self, conf: str = MANUAL):
        agent = self.watching(conf)
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "awaiting")
        return agent

    def test_approved(self) -> None:
        """Nothing moves until it is approved; then it does."""
        agent = self.awaiting()
        self.assert_never_held(V4, seconds=0.5)
        code, text = agent.ctl("approve", "web1")
        self.assertEqual(code, 0, text)
        agent.wait_state("web1/eth0", "holding")
        self.assert_held(V4)

    def test_denied(self) -> None:
        """A denied source is left alone until it was seen alive again."""
        agent = self.awaiting()
        code, text = agent.ctl("deny", "web1/eth0")
        self.assertEqual(code, 0, text)
        agent.wait_state("web1/eth0", "lost")
        self.assert_never_held(V4)
        self.source.heal()
        agent.wait_state("web1/eth0", "up")
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "awaiting")

    def test_nobody_decides_and_the_default_is_deny(self) -> None:
        """When the time is over, the file's default answers: here, no."""
        agent = self.awaiting(ipmap(source="takeover manual; approval-timeout 1s; approval-default deny"))
        self.assertIsNotNone(agent.nic("web1/eth0")["approval_left_ns"])
        agent.wait_state("web1/eth0", "lost")
        self.assert_never_held(V4)

    def test_nobody_decides_and_the_default_is_approve(self) -> None:
        """Here, yes."""
        agent = self.awaiting(ipmap(source="takeover manual; approval-timeout 1s; approval-default approve"))
        agent.wait_state("web1/eth0", "holding")

    def test_the_source_comes_back_meanwhile(self) -> None:
        """What waits for approval is over when the source answers again."""
        agent = self.awaiting()
        self.source.heal()
        agent.wait_state("web1/eth0", "up")
        self.assertEqual(agent.ctl("approve", "web1")[0], 1)
        self.assert_never_held(V4, seconds=0.5)

    def test_notify(self) -> None:
        """`takeover notify` says so and does nothing; a person still can."""
        agent = self.watching(ipmap(source="takeover notify"))
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "lost")
        agent.wait_log("web1", "lost")
        self.assert_never_held(V4)
        code, text = agent.ctl("failover", "web1")
        self.assertEqual(code, 0, text)
        self.assert_held(V4)

    def test_a_cause_of_its_own(self) -> None:
        """A lost NIC may wait for a person where a lost host does not."""
        self.source.nic("eth1", "198.51.100.10/24", segment="back")
        self.target.nic("eth1", "198.51.100.20/24", segment="back")
        self.gateway.nic("eth1", "198.51.100.1/24", segment="back")
        agent = self.watching(f"defaults {{ interval 20ms; misses 3 }}\nwitness {GATEWAY}, 198.51.100.1\n"
                              "source web1 {\non nic notify\non host automatic\n"
                              f"nic eth0 {{ {V4}/24 dev eth0 }}\nnic eth1 {{ 198.51.100.10/24 dev eth1 }}\n}}\n")
        agent.wait_state("web1/eth1", "up")
        self.source.nic("eth1").silence()
        agent.wait_state("web1/eth1", "lost")
        self.assert_never_held(V4, "198.51.100.10", seconds=0.5)
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "holding")
        agent.wait_state("web1/eth1", "holding")


class Failover(Story):
    """A takeover by a person's word."""

    def test_a_living_source_is_refused(self) -> None:
        """The refusal names who answers; nothing is claimed."""
        agent = self.watching()
        code, text = agent.ctl("failover", "web1")
        self.assertEqual(code, 1, text)
        self.assertIn(V4, text)
        self.assertIn(self.source_mac(), text)
        self.assert_never_held(V4, seconds=0.5)
        agent.wait_state("web1/eth0", "up")

    def test_by_force(self) -> None:
        """With --force it is claimed all the same, and the log says so."""
        agent = self.watching()
        code, text = agent.ctl("failover", "web1", "--force")
        self.assertEqual(code, 0, text)
        self.assert_held(V4)
        self.assertEqual(agent.nic("web1/eth0")["state"], "holding")

    def test_what_was_never_seen(self) -> None:
        """A dead source that was never seen alive can be taken over by a person."""
        self.source.crash_silently()
        agent = self.agent()
        code, text = agent.ctl("failover", "web1")
        self.assertEqual(code, 0, text)
        self.assert_held(V4)


class Failback(Story):
    """The target gives the addresses back."""

    def test_the_source_is_there_again(self) -> None:
        """The source's MAC is announced, its client gets back to it, and the watching goes on."""
        agent = self.holding()
        with Pinger(self.client, V4) as pings:
            self.assertTrue(pings.wait_for(self.target_mac(), count=10))
            self.source.heal()
            agent.wait_for(lambda r: agent.address(V4, r)["source_answers"], what="the source is seen beside us")
            with Capture(self.client.nic("eth0")) as seen:
                code, text = agent.ctl("failback", "web1")
                self.assertEqual(code, 0, text)
                self.assert_not_held(V4)
                self.assertTrue(pings.wait_for(self.source_mac(), count=50))
        self.assertEqual(pings.order()[-1], self.source_mac())
        told = [s for s in seen.of("arp-announcement", "arp-gratuitous", src=V4, mac=self.source_mac())
                if s.frame.eth_src == self.target_mac()]
        self.assertTrue(told, "the target announced the source")
        agent.wait_state("web1/eth0", "up")
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "holding")

    def test_nothing_of_the_target_itself_goes(self) -> None:
        """The target's own addresses are the same before and after."""
        before = self.target.ip("-o", "addr", "show", "dev", "eth0", "scope", "global")
        agent = self.holding(ipmap(f"{V4}/24 dev eth0\n2001:db8::10/64 dev eth0"))
        self.assertEqual(agent.ctl("failback", "web1/eth0")[0], 0)
        self.assertEqual(self.target.ip("-o", "addr", "show", "dev", "eth0", "scope", "global"), before)

    def test_the_source_is_still_away(self) -> None:
        """Given back to nobody: watching is disarmed, and armed again once the source was seen."""
        agent = self.holding()
        code, text = agent.ctl("failback", "web1")
        self.assertEqual(code, 0, text)
        agent.wait_state("web1/eth0", "disarmed")
        self.assert_never_held(V4)
        self.source.heal()
        agent.wait_state("web1/eth0", "up")
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "holding")

    def test_the_source_is_not_announced_where_the_file_says_so(self) -> None:
        """`announce-source no` is for switch ports with ARP inspection."""
        agent = self.holding(ipmap(source="announce-source no"))
        self.source.heal()
        agent.wait_for(lambda r: agent.address(V4, r)["source_answers"], what="the source is seen beside us")
        with Capture(self.client.nic("eth0")) as seen:
            self.assertEqual(agent.ctl("failback", "web1")[0], 0)
            time.sleep(0.5)
        self.assertEqual(seen.of("arp-announcement", "arp-gratuitous", src=V4, mac=self.source_mac()), [])

    def test_of_what_is_not_held(self) -> None:
        """There is nothing to give back."""
        agent = self.watching()
        code, text = agent.ctl("failback", "web1")
        self.assertEqual(code, 1, text)
        self.assertEqual(agent.nic("web1/eth0")["state"], "up")


class Pause(Story):
    """Maintenance of the source."""

    def test_paused_and_resumed(self) -> None:
        """While paused nothing is taken over; after the resume it is, on fresh evidence."""
        agent = self.watching()
        self.assertEqual(agent.ctl("pause", "web1")[0], 0)
        self.source.crash_silently()
        self.assert_never_held(V4)
        self.assertTrue(agent.status()["sources"][0]["paused"])
        self.assertEqual(agent.ctl("resume", "web1")[0], 0)
        agent.wait_state("web1/eth0", "holding")

    def test_all_sources(self) -> None:
        """Without a name, it is for all of them."""
        agent = self.watching()
        self.assertEqual(agent.ctl("pause")[0], 0)
        self.source.crash_silently()
        self.assert_never_held(V4, seconds=0.5)
        self.assertEqual(agent.ctl("resume")[0], 0)
        agent.wait_state("web1/eth0", "holding")


class Exits(Story):
    """Exit statuses are what scripts live by."""

    def test_statuses(self) -> None:
        """0 done, 1 refused, 2 usage, 3 nobody there, 4 not all healthy."""
        agent = self.watching()
        self.assertEqual(agent.ctl("status")[0], 0)
        self.assertEqual(agent.ctl("version")[0], 0)
        self.assertEqual(agent.ctl("show")[0], 0)
        code, text = agent.ctl("failback", "nobody")
        self.assertEqual(code, 1)
        self.assertIn("nobody", text)
        self.assertEqual(agent.ctl("frobnicate")[0], 2)
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "holding")
        code, text = agent.ctl("status")
        self.assertEqual(code, 4)
        for word in ("web1", "eth0", V4, "holding"):
            self.assertIn(word, text)
        agent.stop()
        self.assertEqual(agent.ctl("status")[0], 3)


if __name__ == "__main__":
    main()
