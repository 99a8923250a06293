# SPDX-License-Identifier: Apache-2.0
"""The systems of the benches: those of tests/peers at other paces, with many addresses, and what costs they have."""

import functools
import time
from typing import Callable, List, NamedTuple, Sequence

from meter import Lan

from contenders import ADDRESS, Contender, Keepalived, StandinSource, Ucarp

FIRST_EXTRA = 0xC6120001  # 198.18.0.1


def extra_addresses(count: int) -> List[str]:
    numbers = range(FIRST_EXTRA, FIRST_EXTRA + count)
    return [".".join(str(n >> shift & 255) for shift in (24, 16, 8, 0)) for n in numbers]


class One(StandinSource):
    """A source on which nothing is installed, and one target."""

    name = "standin"
    failback = "manual"

    def __init__(self, lan: Lan, interval_ms: float = 100, extra: Sequence[str] = ()):
        super().__init__(lan, interval_ms, extra)
        self.members = {"one": lan.host("one")}

    def start(self) -> None:
        source = self.lan.host("web1")
        source.nic("eth0", f"{ADDRESS}/24")
        if self.extra:
            source.batch("route add local 198.18.0.0/15 dev lo")
        super().start()

    @property
    def agent(self):
        return self.agents["one"]


class System(NamedTuple):
    """One line of a table: a program at a pace."""
    name: str
    interval_ms: float
    make: Callable[..., Contender]

    @property
    def label(self) -> str:
        return f"{self.name} {self.interval_ms:g} ms" + (" x 3" if self.name == "standin" else "")

    def on(self, lan: Lan, extra: Sequence[str] = ()) -> Contender:
        return self.make(lan, interval_ms=self.interval_ms, extra=extra)

    @property
    def old(self) -> str:
        """The host that has the addresses first."""
        return "web1" if self.name == "standin" else "one"

    @property
    def new(self) -> str:
        return "one" if self.name == "standin" else "two"


KINDS = {"standin": One, "keepalived": Keepalived, "ucarp": Ucarp}


@functools.lru_cache(maxsize=None)
def system(name: str, interval_ms: float) -> System:
    return System(name, interval_ms, KINDS[name])


def start(pair: Contender, old: str) -> None:
    """Starts it, and waits until `old` has the addresses, all of them."""
    pair.start()
    end = time.monotonic() + 30
    while pair.holders() != [old]:
        if time.monotonic() > end:
            raise RuntimeError(f"{old} has not got the addresses\n{pair.story()}")
        time.sleep(0.1)
    while old != "web1" and len(pair.lan.host(old).nic("eth0").addresses()) < len(pair.extra) + 3:
        if time.monotonic() > end:
            raise RuntimeError(f"{old} has not got all addresses")
        time.sleep(0.2)


__all__ = ["ADDRESS", "Contender", "System", "extra_addresses", "start", "system"]
