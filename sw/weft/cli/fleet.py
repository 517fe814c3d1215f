"""`weft fleet`: the first answer, scenarios, comparisons, and the audit of the constants."""

import argparse
import csv
import datetime
import json
import sys
import warnings
from pathlib import Path

from weft.fleet.audit import check_constants
from weft.fleet.constants import COLUMNS, OldPriceWarning, default_constants
from weft.fleet.errors import FleetError
from weft.fleet.first_answer import first_answer, render

from .output import output_file

__all__ = ["add_parser", "run"]

EXAMPLES = """
  weft fleet                        one Weft chip against one H100, Llama-3-8B
  weft fleet memphis                a fleet of the news, as built and with Weft chips
  weft fleet my.toml --json         your own training or serving case, in one file
  weft fleet my.toml --html o.html  the same as an interactive page that works offline
  weft fleet compare a.toml b.toml  two scenarios of the same model, side by side
  weft fleet compare h100_sxm weft  two chips serving Llama-3-70B
  weft fleet facts                  every public fact beside the model's band
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "fleet",
        help="performance, power, cost and carbon of fleets of chips, with bands and sources",
        epilog="examples:" + EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "scenario",
        nargs="*",
        help="name or .toml file of a scenario; or: compare A B; or: facts; or nothing",
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a self-contained page")
    parser.add_argument(
        "--sweep", type=Path, metavar="DIR", help="results of `weft sweep` to put on the page"
    )
    parser.add_argument("--chip", default="fleet", help="preset of the chip (default: fleet)")
    parser.add_argument("--model", default="llama3-8b", help="model shape (default: llama3-8b)")
    parser.add_argument("--batch", type=int, default=64, help="sequences decoded together")
    parser.add_argument("--context", type=int, default=2048, help="tokens per sequence")
    parser.add_argument(
        "--draws", type=int, help="Monte Carlo draws (default: 10,000; first answer 2,000)"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the draws")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--audit", action="store_true", help="print every constant with range, source and date"
    )
    parser.set_defaults(run=run)


def _audit(as_json: bool) -> None:
    constants = default_constants()
    check_constants(constants.quantity(key) for key in constants)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", OldPriceWarning)
        constants.warn_old_prices(datetime.date.today().isoformat())
    for warning in caught:
        print(f"warning: {warning.message}", file=sys.stderr)
    records = constants.audit()
    if as_json:
        print(json.dumps(records, indent=1))
        return
    writer = csv.DictWriter(sys.stdout, fieldnames=COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)


def _facts(draws: int, seed: int, as_json: bool) -> None:
    from dataclasses import asdict

    from weft.fleet.scenarios.facts import check_facts
    from weft.fleet.scenarios.text import render_facts

    checks = check_facts("", default_constants().sample(draws, seed))
    if as_json:
        print(json.dumps([asdict(check) for check in checks], indent=1))
    else:
        print("\n".join(render_facts(checks)))


def _scenario(args: argparse.Namespace, draws: int) -> None:
    from weft.fleet.compare import pair
    from weft.fleet.scenarios import Scenario
    from weft.fleet.scenarios.text import render as render_scenario

    words = args.scenario
    if args.html:
        output_file(args.html)
    if words[0] == "compare":
        if len(words) != 3:
            raise FleetError(f"compare takes two scenarios or chips, not {len(words) - 1}")
        scenario = pair(words[1], words[2])
    elif len(words) > 1:
        raise FleetError(f"one scenario at a time, not {len(words)}; use compare A B for two")
    else:
        scenario = Scenario.load(words[0])
    result = scenario.run(draws=draws, seed=args.seed)
    if args.html:
        from weft.fleet.report import write_report

        write_report(result, args.html, sweep=args.sweep)
    if args.json:
        print(result.to_json())
    elif args.html:
        print(f"written to {args.html}")
    else:
        print(render_scenario(result))


def run(args: argparse.Namespace) -> int:
    """Run the verb; 0 on success, 2 on bad input (one line on stderr)."""
    try:
        if args.draws is not None and args.draws < 1:
            raise FleetError(f"--draws must be at least 1, not {args.draws}")
        if args.seed < 0:
            raise FleetError(f"--seed must be at least 0, not {args.seed}")
        if args.audit:
            _audit(args.json)
            return 0
        if args.scenario == ["facts"]:
            _facts(args.draws or 10_000, args.seed, args.json)
            return 0
        if args.scenario:
            _scenario(args, args.draws or 10_000)
            return 0
        if args.html:
            raise FleetError("--html needs a scenario: weft fleet SCENARIO --html FILE")
        answer = first_answer(
            shape=args.model,
            chip=args.chip,
            decode_batch=args.batch,
            context=args.context,
            draws=args.draws or 2000,
            seed=args.seed,
        )
    except ValueError as error:
        print(f"weft fleet: {error}", file=sys.stderr)
        return 2
    print(answer.to_json() if args.json else render(answer))
    return 0
