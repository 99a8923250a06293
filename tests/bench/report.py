# SPDX-License-Identifier: Apache-2.0
"""What was measured, as a document: tables of medians with ranges, and plots."""

import os
import statistics
from typing import Dict, List, Tuple

import svg

Lines = List[Dict]
Values = Dict[tuple, List[float]]

HEAD = """# Benchmarks

Written by `make bench` on {date}; [tests/bench/README.md](../tests/bench/README.md) says how each figure
is taken.

| | |
| --- | --- |
| standin | {commit} |
| kernel | Linux {kernel}, {cores} cores, {processor} |
| peers | {keepalived}; ucarp {ucarp}; {fping} |
| load average at the begin | {load:.1f} |

All systems run on one virtual machine, in namespaces, in turns: each turn measures each case once. Figures are medians,
with the least and the most of all turns. **Compare the ratios: absolute times are this machine's.**{quick}

Noise: how late a sleeper of 1 ms came while the benches ran, in microseconds.

"""
QUICK = " This was a quick\nrun (`QUICK=1`): few turns, so orders of magnitude."


def figures(lines: Lines, bench: str, figure: str) -> Values:
    """The values of a figure by case, in the order of the cases."""
    found: Values = {}
    for line in lines:
        if line["bench"] == bench and figure in line.get("figures", {}):
            found.setdefault(tuple(line["case"]), []).append(line["figures"][figure])
    return found


def spread(values: List[float]) -> svg.Spread:
    return min(values), statistics.median(values), max(values)


def number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2g}"


def cell(values: List[float]) -> str:
    if not values:
        return "-"
    least, median, most = spread(values)
    return number(median) if least == most else f"{number(median)} ({number(least)}..{number(most)})"


def table(head: List[str], rows: List[List[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]) + "\n"


def by_case(lines: Lines, bench: str, heads: Dict[str, str], first: List[str]) -> str:
    """A row for each case: its words, then these figures."""
    columns = [figures(lines, bench, figure) for figure in heads]
    cases = dict.fromkeys(case for column in columns for case in column)
    return table([*first, *heads.values()], [[*map(str, case[:len(first)]), *(cell(c.get(case, [])) for c in columns)]
                                             for case in cases])


def ratio(ours: List[float], theirs: List[float]) -> str:
    return f"{statistics.median(ours) / statistics.median(theirs):.2f}" if ours and theirs else "-"


def failover(lines: Lines, plots: Dict[str, str]) -> str:
    answers = figures(lines, "failover", "first_answer_ms")
    text = ("\n## From the fault to the first answer\n\nFrom the moment at which the switch was told to drop"
            " the owner's"
            " frames, or to take its cable down, to the first ARP\nreply of the new owner; a client asks twice each"
            " millisecond. ms.\n\n")
    text += by_case(lines, "failover", {"first_answer_ms": "first answer", "client_gap_ms": "client without answer",
                                        "packet_after_announcement_ms": "announcement to first packet"},
                    ["system", "cause"])
    peer = answers.get(("keepalived 10 ms", "silent crash"), [])
    text += "\nRatios of medians to keepalived at 10 ms, silent crash: " + ", ".join(
        f"{label} {ratio(answers.get((label, 'silent crash'), []), peer)}"
        for label in dict.fromkeys(case[0] for case in answers) if label.startswith("standin")) + ".\n"
    for cause in dict.fromkeys(case[1] for case in answers):
        name = f"failover-{cause.replace(' ', '-')}.svg"
        plots[name] = svg.bars(f"First answer after a {cause}, ms", {case[0]: spread(v) for case, v in answers.items()
                                                                    if case[1] == cause}, "ms")
        text += f"\n![{cause}](benchmarks/{name})\n"
    return text


def claim(lines: Lines, plots: Dict[str, str]) -> str:
    text = ("\n## By number of addresses\n\nAll addresses of a host that crashed silently, at 10 ms; one of them is"
            " probed and asked for. `ip -batch` and `libmnl`\nput as many on a NIC and do nothing else. ms.\n\n")
    text += by_case(lines, "claim", {"first_answer_ms": "first answer", "first_announcement_ms": "first announcement",
                                     "last_announcement_ms": "last announcement",
                                     "announcements_ms": "from first to last", "all_ms": "all added"},
                    ["system", "addresses"])
    curves: Dict[str, Dict[float, svg.Spread]] = {}
    for figure, words in (("first_answer_ms", "first answer"), ("last_announcement_ms", "last told"),
                          ("all_ms", "added")):
        for (name, n), values in figures(lines, "claim", figure).items():
            curves.setdefault(f"{name}: {words}", {})[n] = spread(values)
    if curves:
        plots["claim.svg"] = svg.curves("A takeover of N addresses", curves, "addresses", "ms")
        text += "\n![by number of addresses](benchmarks/claim.svg)\n"
    return text


def cost(lines: Lines, plots: Dict[str, str]) -> str:
    text = ("\n## What watching costs\n\nProcessor time of the prober for a packet that it sent, and its memory. 1,000"
            " addresses each 100 ms, 5,000 each 500 ms,\nall of one host that answers. The floor sends pings and"
            " throws the answers away by as few system calls as there can be:\nwhat the network takes, the answer"
            " of the other host with it, is charged to whoever sends.\n\n")
    text += by_case(lines, "cost", {"cpu_us_a_packet": "us a packet", "packets_a_second": "packets a second",
                                    "cpu_percent": "% of a core", "rss_kb": "resident kB"}, ["prober", "addresses"])
    packets = figures(lines, "cost", "cpu_us_a_packet")
    text += "\nRatios of medians to fping: " + ", ".join(
        f"{name} at {n} {ratio(values, packets.get(('fping', n), []))}"
        for (name, n), values in packets.items() if name != "fping") + ".\n"
    if packets:
        plots["cost.svg"] = svg.bars("Processor time a packet, us", {f"{name} {n}": spread(values) for (name, n), values
                                                                     in packets.items()}, "us")
        text += "\n![cost of a packet](benchmarks/cost.svg)\n"
    return text


def idle(lines: Lines) -> str:
    return ("\n## The watcher of one address\n\nThe host that waits for the other to fail; fping asks one address"
            " at the"
            " same pace. All processes of each program.\n\n"
            + by_case(lines, "idle", {"cpu_s_a_minute": "CPU s a minute", "rss_kb": "resident kB, all",
                                      "main_rss_kb": "resident kB, daemon"}, ["system", "interval, ms"]))


def false(lines: Lines) -> str:
    return ("\n## False takeovers\n\nNobody fails. 8 busy loops, I/O and memory stress, 500 addresses that come and go "
            "in"
            " another namespace, and SIGSTOP of\nthe watcher for up to 5 s every few seconds: the same moments for"
            " each. Takeovers in a run.\n\n"
            + by_case(lines, "false", {"false_takeovers": "false takeovers", "pings_misled": "pings misled",
                                       "stops": "SIGSTOPs", "seconds": "seconds a run"}, ["system", "interval, ms"]))


def failback(lines: Lines) -> str:
    return ("\n## A planned way back\n\nOf standin: the source is there again, gets its address, and `failback` is"
            " commanded; of keepalived: the master starts\nagain and takes its place. Longest time without an answer to"
            " the client, ms, and how often it was answered by another\nhost than before.\n\n"
            + by_case(lines, "failback", {"client_gap_ms": "client without answer", "owners": "changes of owner"},
                      ["system"]))


def scale(lines: Lines, plots: Dict[str, str]) -> str:
    columns = {"round_ns": "ns a probe, healthy", "worst_turn_us": "longest step, us",
               "storm_ms": "program's time in the storm, ms", "claimed_after_ms": "last claimed after, ms (virtual)",
               "memory_kb": "agent's memory, kB"}
    text = ("\n## Simulated scale\n\nIn the simulator: so many sources over 100 target NICs, each 1 s x 3, then half of"
            " them die at once. Times are what the\nprogram itself ran, without the model; those marked virtual are the"
            " model's clock.\n\n")
    text += by_case(lines, "scale", columns, ["sources"])
    curves = {words: {case[0]: spread(values) for case, values in figures(lines, "scale", figure).items()}
              for figure, words in (("round_ns", "ns a probe"), ("worst_turn_us", "longest step, us"))}
    if all(curves.values()):
        plots["scale.svg"] = svg.curves("Cost against size, simulated", curves, "sources", "")
        text += "\n![cost against size](benchmarks/scale.svg)\n"
    return text


def make(lines: Lines) -> Tuple[str, Dict[str, str]]:
    """The document and its plots by file name; only what was measured is in it."""
    machine = next(line for line in lines if line["bench"] == "machine")
    plots: Dict[str, str] = {}
    text = HEAD.format(**{**machine, "quick": QUICK if machine["quick"] else ""})
    text += table(["bench", "median", "99 %", "99.9 %", "most"],
                  [[line["of"], *(str(line[f"{q}_us"]) for q in ("p50", "p99", "p999", "max"))]
                   for line in lines if line["bench"] == "noise"])
    there = {line["bench"] for line in lines}
    for name, part in (("failover", lambda: failover(lines, plots)), ("claim", lambda: claim(lines, plots)),
                       ("failback", lambda: failback(lines)), ("false", lambda: false(lines)),
                       ("cost", lambda: cost(lines, plots)), ("idle", lambda: idle(lines)),
                       ("scale", lambda: scale(lines, plots))):
        text += part() if name in there else ""
    errors = [line for line in lines if "error" in line]
    if errors:
        text += "\n## What could not be measured\n\n" + "".join(
            f"- {line['bench']} {' '.join(map(str, line['case']))}: {line['error']}\n" for line in errors)
    return text, plots


def write(folder: str, text: str, plots: Dict[str, str]) -> None:
    os.makedirs(os.path.join(folder, "benchmarks"), exist_ok=True)
    with open(os.path.join(folder, "benchmarks.md"), "w", encoding="utf-8") as file:
        file.write(text)
    for name, plot in plots.items():
        with open(os.path.join(folder, "benchmarks", name), "w", encoding="utf-8") as file:
            file.write(plot)
