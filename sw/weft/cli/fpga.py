"""`weft fpga`: synthesis, place and route, timing and bitstream for a board; or the board,
simulated."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weft_hw.config import ChipConfig

    from weft.fpga import FpgaRun

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Registers the verb."""
    parser = subparsers.add_parser(
        "fpga", help="build a bitstream for an FPGA board, with its utilisation and timing"
    )
    parser.add_argument("--preset", default="ecp5", help="preset or TOML file (default: ecp5)")
    parser.add_argument("--board", default="ulx3s", help="board (default: ulx3s)")
    parser.add_argument("-o", "--output", type=Path, help="folder (default: build/fpga/NAME)")
    parser.add_argument(
        "--memory-kib", type=int, default=128, help="on-chip device memory (default: 128)"
    )
    parser.add_argument(
        "--clock-mhz",
        type=float,
        # what preset ecp5 meets on a ULX3S
        default=56.25,
        help="the chip's clock, by the PLL (default: 56.25)",
    )
    parser.add_argument(
        "--baud", type=int, default=1_000_000, help="serial line (default: 1000000)"
    )
    parser.add_argument(
        "--block", help="place and route a block by itself, for its clock; no bitstream (array)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the placement (default: 1)")
    parser.add_argument(
        "--simulate",
        action="store_true",
        help="build no bitstream: run the same top on this computer behind a pseudo-terminal",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs the verb. Exit code 1 if the clock is not met."""
    from weft_hw.boards.table import board

    from weft.targets import resolve_config

    config, chosen = resolve_config(options.preset), board(options.board)
    if options.simulate:
        return _simulate(config, options)
    from weft.fpga import build_bitstream, time_block

    def tell(step: str) -> None:
        print(f"weft: {step}" + _PATIENCE.get(step, ""), file=sys.stderr, flush=True)

    clock_hz = round(options.clock_mhz * 1e6)
    name = f"{config.name}_{options.block or chosen.name}"
    folder = options.output or Path("build") / "fpga" / name
    if options.block:
        result = time_block(
            config,
            chosen,
            folder,
            block=options.block,
            clock_hz=clock_hz,
            seed=options.seed,
            on_step=tell,
        )
    else:
        result = build_bitstream(
            config,
            chosen,
            folder,
            memory_kib=options.memory_kib,
            clock_hz=clock_hz,
            baud=options.baud,
            seed=options.seed,
            on_step=tell,
        )
    if options.json:
        print(json.dumps(asdict(result) | {"meets_timing": result.meets_timing}, default=str))
    else:
        _print(result, chosen.name)
    return 0 if result.meets_timing else 1


_PATIENCE = {
    "blocks": ": registers go into DSP blocks, blocks get their places",
    "Yosys": " maps the design; a few minutes",
    "nextpnr": " places and routes it; many minutes",
}


def _print(result: FpgaRun, board: str) -> None:
    timing = result.timing
    print(f"{'cell':<14}{'used':>8}{'have':>8}")
    for name, used in timing.used.items():
        have = timing.available[name]
        print(f"{name:<14}{used:>8}{have:>8}{100 * used / have:>7.1f} %")
    verdict = "met" if result.meets_timing else "NOT met"
    print(f"clock {result.clock_mhz:g} MHz {verdict}: {timing.fmax_mhz:.1f} MHz reached")
    if timing.critical is not None:
        path = timing.critical
        print(
            f"critical path: {path.logic_ns:.2f} ns logic in {path.steps} steps, "
            f"{path.routing_ns:.2f} ns routing\n  from {path.source}\n  to   {path.sink}"
        )
    if result.bitstream is not None:
        print(f"bitstream: {result.bitstream} (openFPGALoader -b {board} {result.bitstream})")
        if not result.meets_timing:
            print(f"do not load it; build with --clock-mhz {result.reachable_mhz:g} (or less)")
    print(f"netlists, reports and logs: {result.folder}")


def _simulate(config: ChipConfig, options: argparse.Namespace) -> int:
    from weft.serial.simulated_board import SimulatedBoard

    with SimulatedBoard(config, memory_kib=options.memory_kib) as board:
        print(f'Device("serial:{board.path}") opens it; Ctrl-C ends it', flush=True)
        while True:
            time.sleep(3600)
