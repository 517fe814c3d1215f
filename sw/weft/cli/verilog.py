"""`weft verilog`: Verilog, port list, register map and FuseSoC core file of a chip."""

import argparse
import json
import sys
import time
from pathlib import Path

__all__ = ["add_parser", "run"]


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Registers the verb."""
    parser = subparsers.add_parser(
        "verilog", help="generate Verilog, port list, register map and FuseSoC core file"
    )
    parser.add_argument("--preset", default="ecp5", help="preset or TOML file (default: ecp5)")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to write to")
    parser.add_argument("--lint", action="store_true", help="lint the result with Verilator")
    parser.add_argument(
        "--synth", action="store_true", help="map to ECP5 with Yosys and print the resource counts"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs the verb. Exit code 1 if lint finds something."""
    from weft_hw.export import export_chip

    from weft.targets import resolve_config

    config = resolve_config(options.preset)
    start = time.monotonic()
    files = export_chip(config, options.output)
    report: dict[str, object] = {
        "preset": config.name,
        "files": [str(path) for path in files],
        "generate_s": round(time.monotonic() - start, 2),
    }
    verilog, top = files[0], f"weft_{config.name}"
    messages: list[str] = []
    if options.lint:
        from weft.synth.lint import lint

        messages = lint(verilog, top)
        report["lint"] = messages
    if options.synth:
        from weft.synth.ecp5 import ECP5_85F, synthesise_ecp5

        print("weft: Yosys maps the chip to ECP5; this takes a few minutes", file=sys.stderr)
        start = time.monotonic()
        cells = synthesise_ecp5(verilog, top, options.output / "synth_ecp5.log")
        report["cells"] = cells
        report["lfe5u_85f_share"] = {
            name: round(cells.get(name, 0) / have, 3) for name, have in ECP5_85F.items()
        }
        report["synth_s"] = round(time.monotonic() - start, 1)
    if options.json:
        print(json.dumps(report, indent=1))
    else:
        _print(report)
    return 1 if messages else 0


def _print(report: dict[str, object]) -> None:
    for path in report["files"]:  # type: ignore[attr-defined]
        print(path)
    if "lint" in report:
        messages = report["lint"]
        print("lint: clean" if not messages else "\n".join(messages))  # type: ignore[arg-type]
    if "cells" in report:
        cells, share = report["cells"], report["lfe5u_85f_share"]
        print("ECP5 cells (share of an LFE5U-85F):")
        for name, count in cells.items():  # type: ignore[attr-defined]
            part = f"  {100 * share[name]:5.1f} %" if name in share else ""  # type: ignore[index,operator]
            print(f"  {name:<14}{count:>8}{part}")
