# SPDX-License-Identifier: Apache-2.0
"""
Somebody on the LAN who asks, again and again, who has an address, and notes at every switch port who says that he does.
He knows nothing of agents: what counts is what the wire carries.
"""

import heapq
import select
import time
from typing import Dict, List, NamedTuple, Optional, Set, Tuple

import frames
from lan import Host
from wire import Worker, packet_socket, receive

# A host that was asked so often for so long, and said nothing, does not have the address. Its kernel answers by itself,
# so only a machine that stands still makes it slower. Where the questions did not reach it, that says nothing.
DENIED_S, DENIED_ASKS, GAP_S = 0.5, 5, 0.3

# Frames that say that their sender has the address that they come from.
SPEAKS = ("arp-reply", "arp-request", "arp-announcement", "arp-gratuitous", "na", "echo-reply")


class Silence(NamedTuple):
    """Questions that a host got and has not answered."""
    since: float
    latest: float
    asks: int


class Claim(NamedTuple):
    """A host began to speak for an address."""
    host: str
    address: str
    after: float  # the last time that it was asked in vain
    at: float     # when it was first heard


class Answer(NamedTuple):
    """Somebody answered: the observer's question, or a ping of the client."""
    at: float
    address: str
    mac: str


class Observer(Worker):
    """
    Asks from a host of its own by broadcast ARP and by neighbour solicitations, and listens at each of the other hosts'
    switch ports, before the switch loses or forwards anything.
    """

    def __init__(self, asker: Host, hosts: List[Host], client: Host, addresses: List[str], *, interval_s: float = 0.05):
        super().__init__(asker.lan)
        self.nic, self.client, self.interval_s = asker.nic("eth0"), client, interval_s
        self.addresses = set(addresses)
        self.asks = [self.ask(address) for address in addresses]
        self.own = packet_socket(asker.lan.switch, self.nic.port)
        self.send = packet_socket(asker.namespace, "eth0")
        switch = asker.lan.switch
        self.ports = {packet_socket(switch, h.nic("eth0").port): h for h in [*hosts, client]}
        self.macs = {h.nic("eth0").mac: h.name for h in hosts}
        self.names = {h.name for h in hosts}
        self.speaking: Dict[Tuple[str, str], bool] = {}
        self.silences: Dict[Tuple[str, str], Silence] = {}
        self.denied: Dict[Tuple[str, str], float] = {}
        self.claims: List[Claim] = []
        self.answers: List[Answer] = []   # to the observer's own questions, at his own port
        self.served: List[Answer] = []    # the client's pings, at the client's port
        self.pinged: List[Tuple[float, str]] = []
        self.asked: List[float] = []
        self.thread.start()

    def ask(self, address: str) -> bytes:
        if ":" not in address:
            own = self.nic.addresses()[0].split("/")[0]
            return frames.arp_request(self.nic.mac, own, address)
        own = next(a.split("/")[0] for a in self.nic.addresses() if ":" in a)
        return frames.solicitation(self.nic.mac, own, address)

    def work(self) -> None:
        due, sockets = time.monotonic(), [self.own, *self.ports]
        while True:
            readable, _, _ = select.select([*sockets, self.stop_fd], [], [], max(0, due - time.monotonic()))
            if self.stop_fd in readable:
                break
            self.read([s for s in readable if s in sockets])
            if time.monotonic() >= due:
                self.put_questions()
                due = max(due + self.interval_s, time.monotonic())
        for sock in [self.send, *sockets]:
            sock.close()

    def put_questions(self) -> None:
        self.asked.append(time.monotonic())
        for ask in self.asks:
            self.send.send(ask)
        # What the asker's own NIC receives is of no interest here: it is read at the switch.
        while receive(self.send) is not None:
            pass

    def read(self, readable: list) -> None:
        """In the order of the kernel's stamps, over all ports."""
        heap = []
        for sock in readable:
            while (got := receive(sock)) is not None:
                heapq.heappush(heap, (got[0], len(heap), sock, got[1], got[2]))
        while heap:
            at, _, sock, to_host, raw = heapq.heappop(heap)
            frame = frames.parse(raw)
            if frame and (frame.src in self.addresses or frame.dst in self.addresses):
                self.take(at, sock, to_host, frame)

    def take(self, at: float, sock, to_host: bool, frame: frames.Frame) -> None:
        if sock is self.own:
            if to_host and frame.kind in ("arp-reply", "na") and frame.src in self.addresses:
                self.answers.append(Answer(at, frame.src, frame.mac))
            return
        host = self.ports[sock]
        if host is self.client:
            if frame.kind == "echo-reply" and to_host:
                self.served.append(Answer(at, frame.src, frame.eth_src))
            elif frame.kind == "echo-request" and not to_host:
                self.pinged.append((at, frame.dst))
        elif to_host:
            if frame.kind in ("arp-request", "ns") and frame.eth_src == self.nic.mac:
                self.was_asked(at, host.name, frame.dst)
        elif self.speaks(frame, host):
            self.spoke(at, host.name, frame.src)

    @staticmethod
    def speaks(frame: frames.Frame, host: Host) -> bool:
        """Whether the host says that an address is its own, and not that it is another's."""
        return frame.mac == host.nic("eth0").mac and frame.kind in SPEAKS

    def was_asked(self, at: float, host: str, address: str) -> None:
        key = (host, address)
        silence = self.silences.get(key)
        if not silence or at - silence.latest > GAP_S:
            silence = Silence(at, at, 0)
        self.silences[key] = silence = Silence(silence.since, at, silence.asks + 1)
        if at - silence.since > DENIED_S and silence.asks >= DENIED_ASKS:
            self.speaking[key] = False
            self.denied[key] = silence.since
            self.silences[key] = Silence(at, at, 1)

    def spoke(self, at: float, host: str, address: str) -> None:
        key = (host, address)
        self.silences.pop(key, None)
        if not self.speaking.get(key) and host in self.names:
            self.claims.append(Claim(host, address, self.denied.get(key, 0), at))
        self.speaking[key] = True

    def forget(self, before: float) -> None:
        """Drops what is older, but for claims."""
        for name in ("answers", "served", "pinged"):
            setattr(self, name, [x for x in getattr(self, name) if x[0] >= before])

    def holders(self, address: str, since: float, until: float) -> Set[str]:
        """The MACs that answered the observer in this time."""
        return {a.mac for a in list(self.answers) if a.address == address and since <= a.at < until}

    def served_by(self, address: str, since: float, until: float) -> Tuple[Set[str], float]:
        """The MACs that answered the client's pings, and which part of the pings sent was answered."""
        macs = [a.mac for a in list(self.served) if a.address == address and since <= a.at < until]
        sent = sum(dst == address and since <= at < until for at, dst in list(self.pinged))
        return set(macs), len(macs) / sent if sent else 0.0

    def claims_of(self, hosts: Tuple[str, ...]) -> int:
        return sum(claim.host in hosts for claim in self.claims)

    @staticmethod
    def clock(at: float) -> str:
        """A time.monotonic() as the time of day, as the agents' logs have it."""
        wall = at + time.time() - time.monotonic()
        return time.strftime("%H:%M:%S", time.localtime(wall)) + f".{int(wall % 1 * 1000):03d}"

    def name(self, mac: Optional[str]) -> str:
        return self.macs.get(mac or "", mac or "nobody")
