"""`weft verilog`: Verilog, port list, register map and FuseSoC core file of a chip."""

import argparse
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from .output import output_folder

__all__ = ["add_parser", "run"]


@dataclass(slots=True)
class _Report:
    """What was written and found. ``lint`` and ``cells`` are None if they were not asked for."""

    preset: str
    files: list[str]
    generate_s: float
    lint: list[str] | None = None
    cells: dict[str, int] | None = None
    lfe5u_85f_share: dict[str, float] = field(default_factory=dict)
    synth_s: float = 0.0

    def as_dict(self) -> dict[str, object]:
        """For JSON: what was asked for."""
        found: dict[str, object] = {
            "preset": self.preset,
            "files": self.files,
            "generate_s": self.generate_s,
        }
        if self.lint is not None:
            found["lint"] = self.lint
        if self.cells is not None:
            found["cells"] = self.cells
            found["lfe5u_85f_share"] = self.lfe5u_85f_share
            found["synth_s"] = self.synth_s
        return found


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Registers the verb."""
    parser = subparsers.add_parser(
        "verilog", help="generate Verilog, port list, register map and FuseSoC core file"
    )
    parser.add_argument("--preset", default="ecp5", help="preset or TOML file (default: ecp5)")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to write to")
    parser.add_argument(
        "--wrapper",
        choices=["zynq"],
        help="put a wrapper around it: zynq has AXI ports with the names that Vivado knows",
    )
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
    files = export_chip(config, output_folder(options.output), wrapper=options.wrapper)
    report = _Report(
        preset=config.name,
        files=[str(path) for path in files],
        generate_s=round(time.monotonic() - start, 2),
    )
    verilog, top = files[0], files[0].stem
    if options.lint:
        from weft.synth.lint import lint

        report.lint = lint(verilog, top)
    if options.synth:
        from weft.synth.ecp5 import ECP5_85F, synthesise_ecp5

        print("weft: Yosys maps the chip to ECP5; this takes a few minutes", file=sys.stderr)
        start = time.monotonic()
        cells = synthesise_ecp5(verilog, top, options.output / "synth_ecp5.log")
        report.cells = cells
        report.lfe5u_85f_share = {
            name: round(cells.get(name, 0) / have, 3) for name, have in ECP5_85F.items()
        }
        report.synth_s = round(time.monotonic() - start, 1)
    if options.json:
        print(json.dumps(report.as_dict(), indent=1))
    else:
        _print(report)
    return 1 if report.lint else 0


def _print(report: _Report) -> None:
    for path in report.files:
        print(path)
    if report.lint is not None:
        print("\n".join(report.lint) or "lint: clean")
    if report.cells is not None:
        share = report.lfe5u_85f_share
        print("ECP5 cells (share of an LFE5U-85F):")
        for name, count in report.cells.items():
            part = f"  {100 * share[name]:5.1f} %" if name in share else ""
            print(f"  {name:<14}{count:>8}{part}")
