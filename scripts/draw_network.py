#!/usr/bin/env python3
"""Draws docs/images/network.svg, the picture of a network in the README. Usage: scripts/draw_network.py [FILE]

The same bytes every time, so that a change of the picture is a change of this file. With --check it only says whether
docs/images/network.svg is what it would draw.
"""

import sys
from pathlib import Path

FILE = Path(__file__).resolve().parent.parent / "docs/images/network.svg"
WIDTH, HEIGHT = 860, 372
COLOURS = ("#3366aa", "#2e8b57", "#b8860b", "#a0408a")  # one a path
INK, QUIET, PAPER = "#222222", "#666666", "#ffffff"


def text(x, y, words, size=13, colour=INK, anchor="middle", weight="normal"):
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" fill="{colour}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{words}</text>'
    )


def box(x, y, width, height, title, lines=(), fill="#eef3fa"):
    parts = [
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="{fill}" stroke="{INK}"/>',
        text(x + width / 2, y + 20, title, 14, weight="bold"),
    ]
    parts += [text(x + width / 2, y + 38 + 16 * i, line, 12, QUIET) for i, line in enumerate(lines)]
    return parts


def line(x1, y1, x2, y2, colour, dashes=""):
    dash = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}" stroke-width="2"{dash}/>'


def relay(x, y, colour):
    return f'<circle cx="{x}" cy="{y}" r="11" fill="{PAPER}" stroke="{colour}" stroke-width="2"/>'


def draw():
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
        "<title>A request goes from a user node over four paths of three relays to a model node</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>',
    ]
    rows, columns = (62, 112, 162, 212), (300, 400, 500)
    user_edge, model_edge, middle = 232, 620, 137
    for row, colour in zip(rows, COLOURS):
        stops = [(user_edge, middle + (row - middle) // 3)] + [(x, row) for x in columns]
        stops.append((model_edge, middle + (row - middle) // 3))
        parts += [line(*a, *b, colour) for a, b in zip(stops, stops[1:])]
        parts += [relay(x, row, colour) for x in columns]
    parts += box(12, 102, 86, 70, "program", ("OpenAI's API",), "#f6f6f6")
    parts.append(line(98, middle, 132, middle, INK))
    parts += box(132, 92, 100, 90, "user node", ("seals, cuts into", "4 cloves"))
    parts += box(620, 92, 110, 90, "model node", ("any 3 cloves give", "the request"))
    parts.append(line(730, middle, 764, middle, INK))
    parts += box(764, 102, 84, 70, "engine", ("llama-server,", "vLLM, ..."), "#f6f6f6")
    parts += [
        text(300, 34, "entry relays", 12, QUIET),
        text(400, 34, "relays", 12, QUIET),
        text(500, 34, "proxies", 12, QUIET),
        text(400, 242, "other users' nodes: each knows its", 12, QUIET),
        text(400, 257, "two neighbours and reads nothing", 12, QUIET),
    ]
    parts += box(250, 288, 300, 68, "verification nodes", ("keep the signed list of nodes;", "challenge model nodes"), "#fbf3e4")
    parts += [
        line(250, 322, 182, 182, QUIET, "4 4"),
        line(400, 288, 400, 263, QUIET, "4 4"),
        line(550, 322, 675, 182, QUIET, "4 4"),
        text(178, 290, "list", 12, QUIET, "end"),
        text(650, 290, "list, challenges", 12, QUIET, "start"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def main():
    arguments = sys.argv[1:]
    if arguments == ["--check"]:
        if FILE.read_text(encoding="utf-8") == draw():
            return 0
        print(f"{FILE}: not what scripts/draw_network.py draws; run it")
        return 1
    Path(arguments[0] if arguments else FILE).write_text(draw(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
