# SPDX-License-Identifier: Apache-2.0
"""Plots as SVG, by hand: bars and curves on a logarithmic axis, each with its range."""

import html
import math
from typing import Dict, List, Sequence, Tuple

WIDTH, ROW, LEFT, RIGHT, TOP = 760, 26, 210, 130, 44
COLOURS = ("seagreen", "orangered", "royalblue", "mediumpurple", "grey", "goldenrod", "teal")
STYLE = "font-family='sans-serif' font-size='12' fill='black'"

Spread = Tuple[float, float, float]  # least, median, most


def text(x: float, y: float, words: str, anchor: str = "start", more: str = "") -> str:
    return f"<text x='{x:.0f}' y='{y:.0f}' text-anchor='{anchor}' {STYLE} {more}>{html.escape(words)}</text>"


def frame(height: float, title: str, body: List[str]) -> str:
    return "\n".join([f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height:.0f}'>",
                      f"<rect width='{WIDTH}' height='{height:.0f}' fill='white'/>",
                      text(10, 20, title, more="font-weight='bold'"), *body, "</svg>", ""])


def decades(low: float, high: float) -> Tuple[int, int]:
    return math.floor(math.log10(max(low, 1e-9))), max(math.ceil(math.log10(max(high, 1e-9))),
                                                       math.floor(math.log10(max(low, 1e-9))) + 1)


def colours(names: Sequence[str]) -> Dict[str, str]:
    """One for each first word."""
    words = list(dict.fromkeys(name.split()[0] for name in names))
    return {word: COLOURS[i % len(COLOURS)] for i, word in enumerate(words)}


def bars(title: str, rows: Dict[str, Spread], unit: str) -> str:
    """A bar to each median, with a line from least to most."""
    low, high = decades(min(r[0] for r in rows.values()), max(r[2] for r in rows.values()))
    scale = (WIDTH - LEFT - RIGHT) / (high - low)
    bottom = TOP + ROW * len(rows)

    def x(value: float) -> float:
        return LEFT + (math.log10(max(value, 10.0 ** low)) - low) * scale
    body = []
    for exponent in range(low, high + 1):
        at = LEFT + (exponent - low) * scale
        body += [f"<line x1='{at:.0f}' x2='{at:.0f}' y1='{TOP - 6}' y2='{bottom}' stroke='lightgrey'/>",
                 text(at, bottom + 16, f"{10.0 ** exponent:g}", "middle")]
    chosen = colours(list(rows))
    for number, (name, (least, median, most)) in enumerate(rows.items()):
        y = TOP + ROW * number
        body += [text(LEFT - 8, y + 14, name, "end"),
                 f"<rect x='{LEFT}' y='{y + 2}' width='{x(median) - LEFT:.1f}' height='{ROW - 10}' "
                 f"fill='{chosen[name.split()[0]]}'/>",
                 f"<line x1='{x(least):.1f}' x2='{x(most):.1f}' y1='{y + 10}' y2='{y + 10}' stroke='black'/>",
                 text(x(most) + 6, y + 14, f"{median:.3g} {unit}")]
    return frame(bottom + 28, title, body)


def curves(title: str, lines: Dict[str, Dict[float, Spread]], across: str, up: str) -> str:
    """A curve each, both axes logarithmic."""
    spreads = [s for line in lines.values() for s in line.values()]
    xs = [x for line in lines.values() for x in line]
    x_low, x_high = decades(min(xs), max(xs))
    y_low, y_high = decades(min(s[0] for s in spreads), max(s[2] for s in spreads))
    height, bottom, right = 360, 310, WIDTH - RIGHT - 30

    def place(value: float, spread: float) -> Tuple[float, float]:
        return (60 + (math.log10(value) - x_low) / (x_high - x_low) * (right - 60),
                bottom - (math.log10(max(spread, 10.0 ** y_low)) - y_low) / (y_high - y_low) * (bottom - TOP))
    body = [text((60 + right) / 2, height - 8, across, "middle"), text(10, TOP - 6, up)]
    for exponent in range(x_low, x_high + 1):
        at, _ = place(10.0 ** exponent, 1)
        body += [f"<line x1='{at:.0f}' x2='{at:.0f}' y1='{TOP}' y2='{bottom}' stroke='lightgrey'/>",
                 text(at, bottom + 18, f"{10 ** exponent:g}", "middle")]
    for exponent in range(y_low, y_high + 1):
        _, at = place(10.0 ** x_low, 10.0 ** exponent)
        body += [f"<line x1='60' x2='{right}' y1='{at:.0f}' y2='{at:.0f}' stroke='lightgrey'/>",
                 text(54, at + 4, f"{10.0 ** exponent:g}", "end")]
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = [place(value, spread[1]) for value, spread in sorted(line.items())]
        body.append(f"<polyline fill='none' stroke='{colour}' stroke-width='2' points='"
                    + " ".join(f"{x:.1f},{y:.1f}" for x, y in points) + "'/>")
        for value, (least, _, most) in line.items():
            (x, below), (_, above) = place(value, least), place(value, most)
            body.append(f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{below:.1f}' y2='{above:.1f}' stroke='{colour}'/>")
        body.append(text(right + 10, TOP + 18 * (number + 1), name, more=f"style='fill:{colour}'"))
    return frame(height, title, body)
