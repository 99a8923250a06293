# SPDX-License-Identifier: Apache-2.0
"""
What `make demo` runs: a LAN in network namespaces, a host that crashes, the agent that stands in for it, and the way
back. Every number was measured while you looked on: by the client, on its wire, and by the agent.
"""

import datetime
import os
import re
import subprocess
import sys
import time
from typing import List, Optional

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "netns"))

from agent import STANDINCTL, STANDIND, Agent, AgentError
from lan import Host, Lan, LanError
from wire import Capture, Pinger

ADDRESS, GATEWAY, WATCHED = "192.0.2.10", "192.0.2.1", "web1/eth0"
IPMAP = f"""\
# Which addresses are protected, and which NIC here receives them.
defaults {{ interval 10ms; misses 3 }}

witness {GATEWAY}                      # who tells us that it is not we who are cut off

source web1 {{
    nic eth0 {{ {ADDRESS}/24 dev eth0 }}
}}
"""

COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
# A line of the agent's log on a file: 08:40:46.366144 notice  web1/eth0: up
LOG_LINE = re.compile(r"(\d\d):(\d\d):(\d\d\.\d+) \S+ +(.*)")


def paint(code: str, text: str) -> str:
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def say(text: str = "") -> None:
    print(text, flush=True)


def title(text: str) -> None:
    say("\n" + paint("1", text))


def indented(text: str) -> str:
    return "\n".join(("    " + line).rstrip() for line in text.rstrip("\n").splitlines())


def first(times: List[float], since: float) -> Optional[float]:
    return next((at for at in times if at >= since), None)


class Demo:
    """The stage, and the three acts on it."""

    def __init__(self, lan: Lan):
        self.lan = lan
        self.source, self.target = lan.host("web1"), lan.host("spare")
        self.client, self.gateway = lan.host("client"), lan.host("gateway")
        self.source.nic("eth0", f"{ADDRESS}/24")
        self.target.nic("eth0", "192.0.2.20/24")
        self.client.nic("eth0", "192.0.2.50/24")
        self.gateway.nic("eth0", f"{GATEWAY}/24")
        self.macs = {self.source.nic("eth0").mac: "web1", self.target.nic("eth0").mac: "spare"}
        self.told = Capture(self.client.nic("eth0"), lambda f: f.kind in ("arp-announcement", "arp-gratuitous"))
        self.agent = Agent(self.target, IPMAP)
        self.pings = Pinger(self.client, ADDRESS)

    def run(self) -> None:
        self.introduce()
        self.crash()
        self.come_back()

    def introduce(self) -> None:
        title("A LAN of four hosts")
        say(f"    web1     {ADDRESS}    the source: nothing of standin is installed on it\n"
            "    spare    192.0.2.20    the target: standind runs here\n"
            f"    gateway  {GATEWAY}     the witness\n"
            "    client   192.0.2.50    pings web1's address each 10 ms")
        title("The ipmap file on spare")
        say(indented(IPMAP))
        self.agent.wait_state(WATCHED, "up")
        self.expect(self.source)
        title("web1 is healthy")
        time.sleep(2)
        self.show_client("every ping is answered by")

    def crash(self) -> None:
        title("web1 crashes: its switch port falls silent, no cable loses its carrier")
        began = time.monotonic()
        self.source.crash_silently()
        self.agent.wait_state(WATCHED, "holding")
        self.expect(self.target, count=50)
        report = self.agent.wait_for(lambda r: self.agent.address(ADDRESS, r)["proof"] != "unconfirmed",
                                     what="somebody confirms the takeover")
        time.sleep(1)
        address = self.agent.address(ADDRESS, report)
        claimed = self.said("web1/eth0: holding", began)
        proved = claimed + address["proof_after_ns"] / 1e9 if claimed and address["proof_after_ns"] else None
        self.show_client("now the pings are answered by", began)
        self.timeline(began, [
            ("last answer from web1", self.last_answer(self.source, self.first_answer(self.target, began))),
            ("verdict: lost", self.said("verdict lost", began)),
            ("claimed", claimed),
            ("announced", self.announced(self.target, began)),
            (f"{address['proof']} by {address['proof_by']}", proved),
            ("first answer from spare", self.first_answer(self.target, began))])
        title("standinctl status")
        say(indented(self.agent.ctl("status")[1]))

    def come_back(self) -> None:
        title("web1 is repaired, and an operator says: standinctl failback web1")
        self.source.heal()
        self.agent.wait_for(lambda r: self.agent.address(ADDRESS, r)["source_answers"], what="web1 is seen again")
        time.sleep(0.5)
        began = time.monotonic()
        code, text = self.agent.ctl("failback", "web1")
        say(indented(text))
        if code != 0:
            raise AgentError("failback was refused")
        self.expect(self.source, count=50)
        self.agent.wait_state(WATCHED, "up")
        time.sleep(1)
        self.show_client("the pings are answered again by", began)
        self.timeline(began, [
            ("released", self.said("web1/eth0: disarmed", began)),
            ("web1's MAC announced", self.announced(self.source, began)),
            ("last answer from spare", self.last_answer(self.target)),
            ("first answer from web1 after it", self.first_answer(self.source, self.last_answer(self.target))),
            ("watched again", self.said("web1/eth0: up", began))])

    def expect(self, host: Host, count: int = 1) -> None:
        if not self.pings.wait_for(host.nic("eth0").mac, count=count):
            raise AgentError(f"the client's pings are not answered by {host.name}")

    def said(self, text: str, since: float) -> Optional[float]:
        """When the agent said this, by the stamp in its log."""
        midnight = datetime.datetime.combine(datetime.date.today(), datetime.time()).timestamp()
        for hour, minute, second, line in LOG_LINE.findall(self.agent.log()):
            at = midnight + int(hour) * 3600 + int(minute) * 60 + float(second) - (time.time() - time.monotonic())
            # The stamps are whole microseconds.
            if text in line and at >= since - 1e-6:
                return at
        return None

    def first_answer(self, host: Host, since: float) -> Optional[float]:
        return first([p.answered_at for p in self.pings.answers(host.nic("eth0").mac)], since)

    def last_answer(self, host: Host, before: Optional[float] = None) -> float:
        times = [p.answered_at for p in self.pings.answers(host.nic("eth0").mac)]
        return max(at for at in times if before is None or at < before)

    def announced(self, host: Host, since: float) -> Optional[float]:
        return first([s.at for s in self.told.of(src=ADDRESS, mac=host.nic("eth0").mac)], since)

    def show_client(self, text: str, since: float = 0) -> None:
        """Who answers now; how many pings were lost since then, those of the last moment not counted."""
        newest = self.pings.answers()[-1]
        until = time.monotonic() - 0.3
        sent = [p for p in self.pings.pings() if since <= p.sent_at < until]
        lost = sum(p.by is None for p in sent)
        name = paint("32" if self.macs[newest.by] == "web1" else "33", self.macs[newest.by])
        say(f"    client: {text} {name} ({newest.by}); lost {lost} of {len(sent)} pings")

    def timeline(self, began: float, events: List[tuple]) -> None:
        """One line: what happened when, in ms from the start of the act."""
        known = sorted((at, name) for name, at in events if at is not None)
        steps = [f"{name} {paint('36', f'{(at - began) * 1000:+.1f}')}" for at, name in known]
        say("    ms: " + " | ".join(steps))
        for name, at in events:
            if at is None:
                say(f"    ({name}: not seen)")


def how_to_enter(demo: Demo) -> None:
    prefix = demo.lan.prefix
    port = f"bridge -n {demo.lan.switch} link set dev {demo.source.nic('eth0').port} state"
    title("The LAN stays up (DEMO_KEEP)")
    say(f"    ask the agent     {STANDINCTL} --control {demo.agent.control} status\n"
        f"    enter a host      ip netns exec {prefix}spare bash      (or web1, client, gateway)\n"
        f"    ping as client    ip netns exec {prefix}client ping -i 0.1 {ADDRESS}\n"
        f"    crash web1        {port} 0\n"
        f"    repair web1       {port} 3\n"
        f"    the agent's log   {demo.agent.log_path}\n"
        f"    remove all        kill {demo.agent.process.pid}; for n in {' '.join(demo.lan.namespaces)}; "
        f"do ip netns del $n; done; rm -r {demo.lan.directory}")


def main() -> int:
    for program in (STANDIND, STANDINCTL):
        if not os.access(program, os.X_OK):
            print(f"demo: {program} is not there: run `make` first", file=sys.stderr)
            return 1
    demo = None
    try:
        with Lan(kept=bool(os.environ.get("DEMO_KEEP"))) as lan:
            demo = Demo(lan)
            try:
                demo.run()
            except AgentError as error:
                print(f"demo: {error}\n{demo.agent.story()}", file=sys.stderr)
                return 1
            finally:
                if lan.kept:
                    how_to_enter(demo)
            if not lan.kept:
                demo.agent.stop()
    except (LanError, AgentError, subprocess.SubprocessError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    if not demo.lan.kept:
        say("\nThe LAN is gone; nothing is left behind.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
