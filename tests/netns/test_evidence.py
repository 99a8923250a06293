# SPDX-License-Identifier: Apache-2.0
"""What counts as proof of life, and what does not."""

import frames
from story import Story, V4, V6, ipmap, main
from wire import Responder, answering


class Replies(Story):
    """The source is gone, and somebody on the wire goes on talking."""

    def test_replies_with_wrong_tokens(self) -> None:
        """Echo replies in the source's name that carry something else than was asked keep nobody alive."""
        agent = self.watching()
        forger = answering(V4, self.source_mac(), kinds=("echo-request",), spoil=True)
        with Responder(self.target.nic("eth0"), forger) as responder:
            self.source.crash_silently()
            agent.wait_state("web1/eth0", "holding")
        self.assertGreater(responder.sent, 0)

    def test_replies_with_wrong_tokens_by_ipv6(self) -> None:
        """Nor do they by IPv6."""
        agent = self.watching(ipmap(f"{V6}/64 dev eth0"))
        forger = answering(V6, self.source_mac(), kinds=("echo-request",), spoil=True)
        with Responder(self.target.nic("eth0"), forger) as responder:
            self.source.crash_silently()
            agent.wait_state("web1/eth0", "holding")
        self.assertGreater(responder.sent, 0)

    def test_an_old_reply_again_and_again(self) -> None:
        """A reply that counted once does not count twice."""
        agent = self.watching(ipmap(source="probe icmp"))
        recorded = []

        def replay(frame):
            if frame.kind == "echo-request" and frame.dst == V4:
                recorded.append(frame)
                return [(0, frames.answer(recorded[0], self.source_mac()))]
            return []
        with Responder(self.target.nic("eth0"), replay) as responder:
            self.wait_until(lambda: len(recorded) >= 3, "some rounds are recorded")
            self.source.crash_silently()
            agent.wait_state("web1/eth0", "holding")
        self.assertGreater(responder.sent, 3)

    def test_late_replies(self) -> None:
        """Replies that come an interval and a half late show a slow host, not a dead one."""
        agent = self.watching(ipmap(interval_ms=100))
        with Responder(self.target.nic("eth0"), answering(V4, self.source_mac(), delay=0.15)) as responder:
            self.source.crash_silently()
            self.assert_never_held(V4, seconds=3)
            self.assertGreater(responder.sent, 10)
            self.assertIn(agent.nic("web1/eth0")["state"], ("up", "late"))
        agent.wait_state("web1/eth0", "holding")

    def test_doubled_replies_of_a_living_source(self) -> None:
        """A network that doubles frames changes nothing, in life and in death."""
        agent = self.watching()
        with Responder(self.target.nic("eth0"), answering(V4, self.source_mac(), copies=2)):
            self.assert_never_held(V4, seconds=0.5)
            self.assertEqual(agent.nic("web1/eth0")["state"], "up")
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "holding")

    def test_the_mac_of_the_source_is_learned(self) -> None:
        """Status names the MAC, the newest answer and what it came by."""
        agent = self.watching()
        address = agent.wait_for(lambda r: agent.address(V4, r)["answered"] > 5, what="some answers")
        address = agent.address(V4)
        self.assertEqual(address["mac"], self.source_mac())
        self.assertIn(address["last_answer_probe"], ("arp", "icmp"))
        self.assertGreater(address["rtt_avg_ns"], 0)


if __name__ == "__main__":
    main()
