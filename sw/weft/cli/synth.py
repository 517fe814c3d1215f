"""`weft synth`: area, timing and energy of a block on a cell library."""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

__all__ = ["add_parser", "run"]


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Registers the verb."""
    parser = subparsers.add_parser(
        "synth",
        help="area, timing and energy of a block on a cell library",
        description="Maps a block to standard cells, times it and measures its energy under "
        "real operands. "
        "Without --liberty and --pdk: Debian's OSU018, 180 nm.",
    )
    parser.add_argument(
        "--block", default="pe", help="pe, row, array, lane, router, ... (default: pe)"
    )
    parser.add_argument(
        "--liberty", type=Path, nargs="+", metavar="FILE",
        help="Liberty files of one library, plain or .gz, all that belong together",
    )  # fmt: skip
    parser.add_argument("--pdk", type=Path, metavar="DIR", help="folder of libraries by node")
    parser.add_argument("--node", help="only this library of --pdk (comma-separated)")
    parser.add_argument("--preset", default="base", help="preset or TOML file (default: base)")
    parser.add_argument("--cols", type=int, default=4, help="columns of block row (default: 4)")
    parser.add_argument("--target-ps", type=float, help="period that gates are sized for")
    parser.add_argument(
        "--margin", type=float, default=0.25, help="share of the period kept (default: 0.25)"
    )
    parser.add_argument("--recipe", help="mapping recipes to try, comma-separated, or all")
    parser.add_argument(
        "--goal",
        default="balanced",
        help="what to keep of the recipes: balanced (least area x period), fast or small",
    )
    parser.add_argument(
        "--vectors", type=int, help="cycles of stimulus (default: 1024; 512 with --all)"
    )
    parser.add_argument("--no-energy", action="store_true", help="area and timing only")
    parser.add_argument(
        "--build", type=Path, default=Path("build/synth"), help="intermediate files"
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="measure the unit-cost table on every library found and print the ladder of nodes",
    )
    parser.add_argument(
        "--blocks",
        help="only these blocks of --all, on every library; the table's other rows stay (default: "
        "all; the PEs alone on libraries that only the ladder of nodes needs)",
    )
    parser.add_argument(
        "--jobs", type=int, metavar="N",
        help="processes that --all measures on (default: one for each core)",
    )  # fmt: skip
    parser.add_argument(
        "--table",
        type=Path,
        default=Path("build/synth/unit_costs.csv"),
        help="where --all writes the table",
    )
    parser.add_argument(
        "--chip",
        metavar="PRESET",
        help="estimate a whole chip from the table, on --node: a library, n28, n22, n16, n5, n4 or "
        "n3e (default: asap7)",
    )
    parser.add_argument(
        "--floorplan", type=Path, metavar="FILE.svg", help="with --chip: draw it to scale"
    )
    parser.add_argument(
        "--program",
        metavar="MxKxN",
        help="with --chip: power of a matrix product, by its counts in the cycle model",
    )
    parser.add_argument("--format", help="with --chip: what the arrays multiply")
    parser.add_argument(
        "--backtest", action="store_true", help="compare the model with chips that were built"
    )
    parser.add_argument(
        "--utilisation", type=float, default=0.7, help="of the array, for --chip (default: 0.7)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs the verb. Exit code 1 if part of the results is missing."""
    from weft.synth.characterise import DEFAULT_RECIPES, characterise
    from weft.synth.libraries import chosen_libraries
    from weft.synth.mapping import RECIPES
    from weft.synth.text import block_text
    from weft.targets import resolve_config

    if not 0 <= options.margin < 1:
        raise ValueError(f"margin must be from 0 to below 1, not {options.margin}")
    if options.vectors is None:
        options.vectors = 512 if options.all else 1024
    if options.vectors < 64:
        raise ValueError(f"vectors must be at least 64, not {options.vectors}")
    config = resolve_config(options.preset)
    if options.chip:
        return _chip(options)
    if options.backtest:
        return _backtest(options)
    recipes: tuple[str, ...] = DEFAULT_RECIPES
    if options.recipe:
        recipes = tuple(RECIPES) if options.recipe == "all" else tuple(options.recipe.split(","))
    if options.all:
        return _all(options)
    results = []
    for library, target_ps in chosen_libraries(options.liberty, options.pdk, options.node):
        result = characterise(
            options.block, config, library, options.build,
            target_ps=options.target_ps or target_ps, margin=options.margin, recipes=recipes,
            goal=options.goal,
            cols=options.cols, vectors=options.vectors, with_energy=not options.no_energy,
            progress=_progress,
        )  # fmt: skip
        results.append(result)
        if not options.json:
            print(block_text(result))
    if options.json:
        print(json.dumps({"results": [result.as_dict() for result in results]}, indent=1))
    for result in results:
        for problem in result.problems:
            print(f"weft: {result.library.name}: {problem}", file=sys.stderr)
    return 1 if any(result.problems for result in results) else 0


def _chip(options: argparse.Namespace) -> int:
    from weft.synth.chip_estimate import estimate_chip
    from weft.synth.floorplan import floorplan_svg
    from weft.synth.program_power import matmul_activity
    from weft.synth.text import chip_text
    from weft.synth.unit_costs import default_table
    from weft.targets import resolve_config

    config = resolve_config(options.chip)
    activity = None
    if options.program:
        activity = matmul_activity(config, options.program, options.format or "int8")
    estimate = estimate_chip(
        config, default_table(), options.node or "asap7", options.utilisation, options.format,
        activity,
    )  # fmt: skip
    if options.floorplan:
        mesh = config.mesh
        svg = floorplan_svg(estimate, mesh.cols, mesh.rows, mesh.memory_endpoints)
        options.floorplan.parent.mkdir(parents=True, exist_ok=True)
        options.floorplan.write_text(svg)
    if options.json:
        totals = {
            "area_mm2": asdict(estimate.area_mm2),
            "power_w": asdict(estimate.power_w),
            "peak_tops": estimate.peak_tops,
        }
        print(json.dumps({**asdict(estimate), **totals}, indent=1))
    else:
        print(chip_text(estimate))
        if options.floorplan:
            print(f"floorplan written to {options.floorplan}")
    return 0


def _backtest(options: argparse.Namespace) -> int:
    from weft.synth.backtest import backtests
    from weft.synth.text import backtest_text
    from weft.synth.unit_costs import default_table

    tests = backtests(default_table())
    if options.json:
        print(json.dumps([{**asdict(test), "error": test.error} for test in tests], indent=1))
    else:
        print(backtest_text(tests))
    return 0


def _all(options: argparse.Namespace) -> int:
    from weft.synth.collect import JOBS, collect
    from weft.synth.ladder import compare
    from weft.synth.nodes import find_nodes
    from weft.synth.text import ladder_text
    from weft.synth.unit_costs import UnitCost, read_table, write_table
    from weft.synth.unit_rows import merged_rows, whole_table

    known = [job.block for job in JOBS]
    blocks = options.blocks.split(",") if options.blocks else None
    for block in blocks or ():
        if block not in known:
            raise ValueError(f"blocks must be among {', '.join(known)}, not {block!r}")
    if options.jobs is not None and options.jobs < 1:
        raise ValueError(f"jobs must be at least 1, not {options.jobs}")
    nodes = find_nodes(options.pdk)
    if options.node:
        nodes = [node for node in nodes if node.name in options.node.split(",")]
    if not nodes:
        raise ValueError("no library found: give --pdk DIR, or apt-get install qflow-tech-osu018")

    before = read_table(options.table) if blocks and options.table.is_file() else {}

    def keep(rows: list[UnitCost]) -> None:
        rows = merged_rows(before, rows)
        write_table(whole_table(rows, options.pdk, before), options.table)

    problems = collect(
        nodes, options.pdk, options.build, blocks=blocks, vectors=options.vectors,
        progress=_progress, keep=keep, report=_report,
        processes=len(os.sched_getaffinity(0)) if options.jobs is None else options.jobs,
    )  # fmt: skip
    table = read_table(options.table) if options.table.is_file() else {}
    ladder = compare(table)
    if options.json:
        report = {
            "table": str(options.table),
            "rows": [asdict(row) for row in table.values()],
            "ladder": [{**asdict(item), "disagreement": item.disagreement} for item in ladder],
            "problems": problems,
        }
        print(json.dumps(report, indent=1))
    else:
        for row in table.values():
            print(
                f"{row.key:<52}{row.value:>12.4g} {row.unit:<8} "
                f"({row.low:.4g} to {row.high:.4g}) {row.kind}"
            )
        print(ladder_text(ladder))
        print(f"table written to {options.table}" + (", incomplete" if problems else ""))
    for problem in problems:
        print(f"weft: {problem}", file=sys.stderr)
    return 1 if problems else 0


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def _report(text: str) -> None:
    clear = "\r\033[K" if sys.stderr.isatty() else ""
    print(f"{clear}{text}", file=sys.stderr, flush=True)
