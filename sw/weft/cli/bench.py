"""`weft bench`: measures the numbers of the README's table."""

import argparse
import dataclasses
import json
import sys
import time

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
    "scalesim": "scalesim",
    "build": "tools",
    "fleet": "fleet",
}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Registers the verb."""
    parser = subparsers.add_parser(
        "bench", help="measure the numbers of the README's table (several minutes)"
    )
    parser.add_argument(
        "--only", action="append", metavar="NAME", help=f"one of {', '.join(CASES)}; repeatable"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs the verb. Exit code 1 if a demand is missed."""
    from importlib import import_module

    names = options.only or list(CASES)
    for name in names:
        if name not in CASES:
            raise ValueError(f"--only must be one of {', '.join(CASES)}, not {name!r}")
    rows = []
    for name in names:
        start = time.monotonic()
        print(f"weft: measuring {name} ...", file=sys.stderr, flush=True)
        for row in getattr(import_module(f"weft.bench.{CASES[name]}"), name)():
            rows.append(row)
            if not options.json:
                print(row.line(), flush=True)
                if row.detail:
                    print(f"    {row.detail}", flush=True)
        print(f"weft: {name} took {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps([dataclasses.asdict(row) for row in rows], indent=1))
    return 1 if any(row.met is False for row in rows) else 0
