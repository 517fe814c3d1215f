"""`weft bench`: measures the numbers of the README's table."""

import argparse
import dataclasses
import json
import sys
import time
from typing import Any

__all__ = ["add_parser", "run"]

#: Benchmark -> module of ``weft.bench`` that has it, in the order of the table.
CASES = {
    "utilisation": "hardware",
    "resident": "hardware",
    "ceiling": "hardware",
    "scaling": "hardware",
    "command": "hardware",
    "memory": "hardware",
    "bandwidth": "transfers",
    "shapes": "shapes",
    "model": "model",
    "speed": "speed",
    "scalesim": "scalesim",
    "build": "tools",
    "fleet": "fleet",
}
#: Option -> the benchmark that takes it.
_TAKEN_BY = {"points": "model", "seed": "model", "presets": "model", "whole": "speed"}
_FLAGS = {"presets": "preset"}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Registers the verb."""
    parser = subparsers.add_parser(
        "bench", help="measure the numbers of the README's table (about an hour; --only for one)"
    )
    parser.add_argument(
        "--only", action="append", metavar="NAME", help=f"one of {', '.join(CASES)}; repeatable"
    )
    parser.add_argument(
        "--points",
        type=int,
        help="case model: random points (default: 1000, half a second each; Ctrl-C keeps them)",
    )
    parser.add_argument(
        "--seed", type=int, help="case model: seed of the first point (default: another each run)"
    )
    parser.add_argument(
        "--preset",
        action="append",
        dest="presets",
        metavar="PRESET",
        help="case model: draw points from this preset or TOML file, or quad8 (quad with int8 "
        "alone); repeatable (default: nano, micro, quad8, base)",
    )
    parser.add_argument(
        "--whole",
        action="store_true",
        default=None,
        help="case speed: the RTL runs the whole product (minutes) instead of a part",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    parser.set_defaults(run=run)


def _arguments(options: argparse.Namespace, names: list[str]) -> dict[str, dict[str, Any]]:
    """What each benchmark is given."""
    given: dict[str, dict[str, Any]] = {name: {} for name in names}
    for option, case in _TAKEN_BY.items():
        value = getattr(options, option)
        if value is None:
            continue
        if case not in given:
            flag = _FLAGS.get(option, option)
            raise ValueError(f"--{flag} is for the case {case}; add --only {case}, or leave it out")
        given[case][option] = value
    return given


def run(options: argparse.Namespace) -> int:
    """Runs the verb. Exit code 1 if a demand is missed."""
    from importlib import import_module

    names = options.only or list(CASES)
    for name in names:
        if name not in CASES:
            raise ValueError(f"--only must be one of {', '.join(CASES)}, not {name!r}")
    given = _arguments(options, names)
    rows = []
    for name in names:
        start = time.monotonic()
        print(f"weft: measuring {name} ...", file=sys.stderr, flush=True)
        case = getattr(import_module(f"weft.bench.{CASES[name]}"), name)
        for row in case(**given[name]):
            rows.append(row)
            if not options.json:
                print(row.line(), flush=True)
                if row.detail:
                    print(f"    {row.detail}", flush=True)
        print(f"weft: {name} took {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps([dataclasses.asdict(row) for row in rows], indent=1))
    return 1 if any(row.met is False for row in rows) else 0
