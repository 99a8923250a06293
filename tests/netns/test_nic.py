# SPDX-License-Identifier: Apache-2.0
"""A target NIC that goes while it holds what is not its own: removed and made anew, down and up."""

import time

from story import GATEWAY, Story, V4, V6, ipmap, main
from wire import Pinger

CONF = ipmap(f"{V4}/24 dev eth0\n{V6}/64 dev eth0", interval_ms=100, misses=20)
OWN = ("192.0.2.20/24", "2001:db8::20/64")


class MadeAnew(Story):
    """Its addresses went with it. The takeover stands, and goes on as soon as the NIC is back."""

    def remove(self) -> None:
        self.target.batch("link del eth0")

    def make_anew(self, number: int) -> str:
        """The NIC, by the same name, under another number and with another MAC, which is returned."""
        mac, port = f"02:00:00:00:77:{number:02x}", f"again{number}"
        self.lan.switch_batch(f"link add {port} type veth peer name eth0 address {mac} index {5000 + number} "
                              f"netns {self.target.namespace}",
                              f"link set {port} master {self.lan.bridge('lan')} up")
        self.target.batch(*(f"addr add {a} dev eth0{' nodad' if ':' in a else ''}" for a in OWN), "link set eth0 up")
        return mac

    def test_again_and_again(self) -> None:
        """It says so, does nothing meanwhile, and takes over again in less than a verdict would take."""
        agent = self.holding(CONF)
        for number in range(3):
            with Pinger(self.client, V4) as pings:
                self.remove()
                agent.wait_state("web1/eth0", "blocked")
                agent.wait_log(f"{V4} went with eth0")
                agent.wait_log("target NIC eth0 is gone")
                time.sleep(0.3 * number)
                mac = self.make_anew(number)
                back = time.monotonic()
                self.assertTrue(pings.wait_for(mac, count=10), "the client is served again")
                first = next(p.answered_at for p in pings.answers(mac))
            agent.wait_state("web1/eth0", "holding")
            self.assert_held(V4, V6)
            agent.wait_for(lambda r: agent.address(V4, r)["proof"] == "confirmed", what="it is proved")
            # Found lost anew, it would be 20 misses.
            self.assertLess(first - back, 20 * 0.1)
        for wrong in ("cannot", "another program", "Invalid", "refused"):
            self.assertNotIn(wrong, agent.log())
        self.assertEqual(agent.ctl("failback", "web1")[0], 0)
        self.assert_not_held(V4, V6)
        self.assert_held("192.0.2.20", "2001:db8::20")

    def test_at_once(self) -> None:
        """Removed and made in one go, before anybody has read of it."""
        agent = self.holding(CONF)
        agent.freeze()
        self.remove()
        mac = self.make_anew(9)
        agent.thaw()
        with Pinger(self.client, V4) as pings:
            self.assertTrue(pings.wait_for(mac, count=10))
        agent.wait_state("web1/eth0", "holding")
        self.assert_held(V4, V6)

    def test_the_source_is_back_meanwhile(self) -> None:
        """Then nothing is claimed, and the watching goes on through the new NIC, whose frames are heard."""
        agent = self.holding(CONF)
        self.remove()
        agent.wait_state("web1/eth0", "blocked")
        self.source.heal()
        self.make_anew(1)
        agent.wait_state("web1/eth0", "up")
        self.assert_never_held(V4)
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "holding")
        agent.wait_for(lambda r: agent.address(V4, r)["proof"] == "confirmed", what="it is proved")

    def test_down_and_up(self) -> None:
        """The kernel keeps IPv4 addresses on a NIC that is down, and drops those of IPv6: these are put back."""
        agent = self.holding(CONF.replace(f"witness {GATEWAY}", f"witness {GATEWAY}, 2001:db8::1"))
        nic = self.target.nic("eth0")
        nic.down()
        agent.wait_for(lambda r: "carrier" in (agent.nic("web1/eth0", r)["reason"] or ""), what="it says so")
        self.assert_held(V4)
        self.assert_not_held(V6)
        time.sleep(1)
        nic.up()
        nic.address("2001:db8::20/64")
        self.wait_until(lambda: self.client.ping(V6) and self.client.ping(V4), "both are served again")
        agent.wait_state("web1/eth0", "holding")
        self.assertNotIn("another program", agent.log())


if __name__ == "__main__":
    main()
