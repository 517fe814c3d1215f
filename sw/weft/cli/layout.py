"""`weft layout`: places, routes and checks a block on a real cell library, measures its wires."""

import argparse
import json
import sys
from pathlib import Path

__all__ = ["add_parser", "run"]


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Registers the verb."""
    parser = subparsers.add_parser(
        "layout",
        help="place and route a block, check it, measure its wires",
        description="Maps a block to OSU018 (180 nm), places and routes it, checks design rules "
        "and connections, and compares the capacitance of its wires with the estimate.",
    )
    parser.add_argument("--block", default="pe", help="pe, router, lane, ... (default: pe)")
    parser.add_argument("--preset", default="nano", help="preset or TOML file (default: nano)")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("build/layout"),
        help="folder (default: build/layout); each block gets its own",
    )  # fmt: skip
    parser.add_argument(
        "--utilisation", type=float, default=0.8, help="cells' share of the core (default: 0.8)"
    )
    parser.add_argument(
        "--layers", type=int, default=4, help="metal layers to route on (default: 4)"
    )
    parser.add_argument(
        "--vectors", type=int, default=0,
        help="cycles of stimulus for the energy in wires, e.g. 512 (default: 0, none)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs the verb. Exit code 1 if a net is open, a rule is broken or the netlists differ."""
    from weft.layout.flow import lay_out
    from weft.layout.text import as_dict, layout_text
    from weft.targets import resolve_config

    config = resolve_config(options.preset)
    layout = lay_out(
        options.block,
        config,
        options.output / f"{options.block}_{config.name}",
        utilisation=options.utilisation,
        layers=options.layers,
        vectors=options.vectors,
        progress=lambda text: print(f"weft: {text}", file=sys.stderr),
    )
    print(json.dumps(as_dict(layout), indent=1) if options.json else layout_text(layout))
    for problem in layout.problems:
        print(f"weft: {layout.block}: {problem}", file=sys.stderr)
    return 1 if layout.problems else 0
