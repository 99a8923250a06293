# SPDX-License-Identifier: Apache-2.0
"""What goes over a wire: a capture of it, hosts that exist only there and answer as they please, a client's pings."""

import errno
import heapq
import os
import select
import socket
import struct
import threading
import time
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

import frames
from frames import Frame
from lan import Host, Lan, Nic, inside

ETH_P_ALL = 3
PACKET_OUTGOING = 4
SO_TIMESTAMPNS = 35
# A frame to send, and how long to wait with it.
Answer = Tuple[float, bytes]


def packet_socket(namespace: str, interface: str) -> socket.socket:
    def make() -> socket.socket:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        sock.bind((interface, ETH_P_ALL))
        sock.setblocking(False)
        return sock
    return inside(namespace, make)


def receive(sock: socket.socket) -> Optional[Tuple[float, bool, bytes]]:
    """(when, by time.monotonic(); whether it was sent from here; the frame); None where nothing is queued."""
    try:
        raw, ancillary, _, address = sock.recvmsg(2048, 64)
    except OSError as error:
        # A NIC that was taken down says so once; when it is up again, its frames come as before.
        if error.errno in (errno.EAGAIN, errno.ENETDOWN):
            return None
        raise
    seconds, nanoseconds = struct.unpack("qq", ancillary[0][2][:16])
    # The kernel stamps with the wall clock.
    at = seconds + nanoseconds / 1e9 - (time.time() - time.monotonic())
    return at, address[2] == PACKET_OUTGOING, raw


class Worker:
    """A thread that is there between `with` and the end of it, or until the LAN is closed."""

    def __init__(self, lan: Lan):
        self.stop_fd = os.eventfd(0, os.EFD_CLOEXEC)
        self.thread = threading.Thread(target=self.work, daemon=True)
        lan.closers.append(self.stop)

    def work(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        if self.stop_fd >= 0:
            os.eventfd_write(self.stop_fd, 1)
            self.thread.join()
            os.close(self.stop_fd)
            self.stop_fd = -1

    def wait_readable(self, sock: socket.socket, timeout_s: Optional[float]) -> bool:
        """Waits for a frame. False once the worker is to stop."""
        readable, _, _ = select.select([sock, self.stop_fd], [], [], timeout_s)
        return self.stop_fd not in readable

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Seen(NamedTuple):
    """A captured frame."""
    at: float       # time.monotonic()
    outgoing: bool  # sent by the host whose NIC it is
    frame: Frame


class Capture(Worker):
    """Every frame that passes a NIC, both ways, from now on."""

    def __init__(self, nic: Nic, keep: Callable[[Frame], bool] = lambda frame: True):
        super().__init__(nic.host.lan)
        self.socket = packet_socket(nic.host.namespace, nic.name)
        self.keep = keep
        self.seen: List[Seen] = []
        self.thread.start()

    def work(self) -> None:
        with self.socket:
            while self.wait_readable(self.socket, None):
                self.drain()
            self.drain()

    def drain(self) -> None:
        while (got := receive(self.socket)) is not None:
            frame = frames.parse(got[2])
            if frame and self.keep(frame):
                self.seen.append(Seen(got[0], got[1], frame))

    def of(self, *kinds: str, src: Optional[str] = None, mac: Optional[str] = None) -> List[Seen]:
        """Those of these kinds (all where none is named), of this speaker, with this MAC in the payload."""
        return [s for s in list(self.seen) if (not kinds or s.frame.kind in kinds)
                and src in (None, s.frame.src) and mac in (None, s.frame.mac)]


class Responder(Worker):
    """
    Somebody on the wire between a NIC and its switch port, who sees all that the NIC sends and may put in frames that
    seem to come from the LAN. `behave` gets each frame and says what to send, and how much later.
    """

    def __init__(self, nic: Nic, behave: Callable[[Frame], List[Answer]]):
        super().__init__(nic.host.lan)
        self.socket = packet_socket(nic.host.lan.switch, nic.port)
        self.behave = behave
        self.sent = 0
        self.thread.start()

    def work(self) -> None:
        queue: List[Answer] = []
        with self.socket:
            while self.wait_readable(self.socket, max(0, queue[0][0] - time.monotonic()) if queue else None):
                while (got := receive(self.socket)) is not None:
                    frame = None if got[1] else frames.parse(got[2])
                    for delay, answer in self.behave(frame) if frame else []:
                        heapq.heappush(queue, (got[0] + delay, answer))
                while queue and queue[0][0] <= time.monotonic():
                    self.socket.send(heapq.heappop(queue)[1])
                    self.sent += 1


def answering(address: str, mac: str, *, delay: float = 0, copies: int = 1, kinds: Tuple[str, ...] = (),
              spoil: bool = False) -> Callable[[Frame], List[Answer]]:
    """
    Behaves like a host with this address and MAC: answers ARP, ND and echo requests (or only the `kinds` named), so
    much later, so many times; `spoil`: echo replies with a changed payload.
    """
    def behave(frame: Frame) -> List[Answer]:
        if frame.dst != address or (kinds and frame.kind not in kinds):
            return []
        body = frame.body[:4] + bytes(b ^ 0x5A for b in frame.body[4:]) if spoil else None
        reply = frames.answer(frame, mac, body)
        return [(delay, reply)] * copies if reply else []
    return behave


class Ping(NamedTuple):
    """One ping of a client."""
    sent_at: float
    answered_at: Optional[float]
    by: Optional[str]  # the MAC that the answer came from


class Pinger(Worker):
    """A client that pings an address steadily and notes who answers. It finds its way by its own ARP table."""

    def __init__(self, host: Host, address: str, interval_s: float = 0.01, nic: str = "eth0"):
        super().__init__(host.lan)
        self.address = address
        self.interval_s = interval_s
        self.identifier = int.from_bytes(os.urandom(2), "big")
        self.capture = Capture(host.nic(nic), self.is_answer)
        version6 = ":" in address
        self.raw = host.socket(socket.AF_INET6 if version6 else socket.AF_INET, socket.SOCK_RAW,
                               socket.IPPROTO_ICMPV6 if version6 else socket.IPPROTO_ICMP)
        self.raw.setblocking(False)
        self.type = 128 if version6 else 8
        self.sent: List[float] = []
        self.thread.start()

    def is_answer(self, frame: Frame) -> bool:
        return frame.kind == "echo-reply" and frame.body[:2] == struct.pack("!H", self.identifier)

    def work(self) -> None:
        with self.raw:
            while self.wait_readable(self.raw, self.send_when_due()):
                self.forget_replies()

    def send_when_due(self) -> float:
        """Sends a ping where one is due; how long until the next."""
        now = time.monotonic()
        due = self.sent[0] + len(self.sent) * self.interval_s if self.sent else now
        if now < due:
            return due - now
        body = struct.pack("!HHI", self.identifier, len(self.sent) & 0xFFFF, len(self.sent))
        message = struct.pack("!BBH", self.type, 0, 0) + body
        message = message[:2] + struct.pack("!H", frames.checksum(message)) + message[4:]
        self.sent.append(now)
        try:
            self.raw.sendto(message, (self.address, 0))
        except OSError:
            pass  # no neighbour: sent in vain, and so counted as lost
        return 0

    def forget_replies(self) -> None:
        """The capture reads the answers; this socket's queue only has to stay empty."""
        try:
            while True:
                self.raw.recv(2048)
        except OSError:
            pass

    def stop(self) -> None:
        """Ends once the last answers had time to come."""
        if self.stop_fd >= 0:
            super().stop()
            time.sleep(0.2)
            self.capture.stop()

    def pings(self) -> List[Ping]:
        answers: Dict[int, Seen] = {}
        for seen in list(self.capture.seen):
            answers.setdefault(struct.unpack_from("!I", seen.frame.body, 4)[0], seen)
        return [Ping(at, answers[n].at, answers[n].frame.eth_src) if n in answers else Ping(at, None, None)
                for n, at in enumerate(list(self.sent))]

    def answers(self, by: Optional[str] = None) -> List[Ping]:
        return [p for p in self.pings() if p.by is not None and by in (None, p.by)]

    def lost(self, since: float = 0) -> List[Ping]:
        """Unanswered ones; complete once stopped."""
        return [p for p in self.pings() if p.by is None and p.sent_at >= since]

    def order(self) -> List[str]:
        """Who answered, in order, each once in a row."""
        order: List[str] = []
        for ping in self.answers():
            if not order or order[-1] != ping.by:
                order.append(ping.by)
        return order

    def wait_for(self, by: str, timeout_s: float = 15, count: int = 1) -> bool:
        """Waits until so many more pings were answered by this MAC."""
        end, before = time.monotonic() + timeout_s, len(self.answers(by))
        while time.monotonic() < end:
            if len(self.answers(by)) >= before + count:
                return True
            time.sleep(0.01)
        return False
