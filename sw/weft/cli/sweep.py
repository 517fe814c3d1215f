"""`weft sweep`: a design space, priced on all local cores or on a running cluster."""

import argparse
import json
import sys
from pathlib import Path

from weft.fleet.sweep import SweepResult, cluster_engine, local_engine, read_study, run_sweep

from .output import output_folder

__all__ = ["add_parser", "run"]


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "sweep", help="price every design of a study and find its Pareto front"
    )
    parser.add_argument("study", type=Path, help="study.toml: a scenario and the knobs to turn")
    parser.add_argument(
        "-o", "--output", type=Path, help="folder of results (default: build/sweep/STUDY)"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, help="processes (default: every core)")
    where.add_argument("--cluster", metavar="ADDRESS", help="a Dask scheduler, tcp://host:8786")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def render(result: SweepResult, folder: Path) -> str:
    """The front as text."""
    lines = [
        f"{result.designs} designs, {result.priced} priced now in {result.seconds:.1f} s on "
        f"{result.workers} workers, {result.infeasible} infeasible; results in {folder}",
        f"Pareto front, {len(result.front)} designs (tokens per joule, USD per token, tokens/s):",
        f"  {'tokens/J':>9} {'USD/M':>8} {'tokens/s':>10} {'mm2':>5}  design",
    ]
    lines += [
        f"  {row.tokens_per_joule:9.3f} {row.usd_per_million_tokens:8.3f} "
        f"{row.tokens_per_s:10.4g} {row.die_mm2:5.0f}  {row.design}"
        for row in result.front.itertuples()
    ]
    reasons = result.frame[result.frame["error"] != ""].groupby("error").size()
    lines += [f"  infeasible ({count}): {reason}" for reason, count in reasons.items()]
    return "\n".join(lines)


def run(args: argparse.Namespace) -> int:
    """Run the verb; 0 on success, 2 on bad input, 130 when interrupted (results are kept)."""
    try:
        study = read_study(args.study)
        folder = output_folder(args.output or Path("build") / "sweep" / study.name)
        engine = cluster_engine(args.cluster) if args.cluster else local_engine(args.workers)
        from rich.console import Console
        from rich.progress import Progress

        screen = Console(stderr=True)
        with Progress(console=screen, transient=True) as bar:
            task = bar.add_task(study.name)
            result = run_sweep(
                study,
                folder,
                engine,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
    except ValueError as error:
        print(f"weft sweep: {error}", file=sys.stderr)
        return 2
    if args.json:
        front = json.loads(result.front.to_json(orient="records"))
        summary = {
            "designs": result.designs,
            "priced": result.priced,
            "infeasible": result.infeasible,
            "seconds": result.seconds,
            "workers": result.workers,
            "results": str(folder),
            "front": front,
        }
        print(json.dumps(summary, indent=1))
    else:
        print(render(result, folder))
    return 0
