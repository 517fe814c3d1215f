"""`weft fleet`: the fleet answer (first modelled estimate) and the audit of its constants."""

import argparse
import csv
import datetime
import json
import sys
import warnings

from weft.fleet.audit import check_constants
from weft.fleet.constants import COLUMNS, OldPriceWarning, default_constants
from weft.fleet.errors import FleetError
from weft.fleet.first_answer import first_answer, render

__all__ = ["add_parser", "run"]


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "fleet", help="tokens per joule of a Weft chip against an H100, with bands and sources"
    )
    parser.add_argument("--chip", default="fleet", help="preset of the chip (default: fleet)")
    parser.add_argument("--model", default="llama3-8b", help="model shape (default: llama3-8b)")
    parser.add_argument("--batch", type=int, default=64, help="sequences decoded together")
    parser.add_argument("--context", type=int, default=2048, help="tokens per sequence")
    parser.add_argument("--draws", type=int, default=2000, help="Monte Carlo draws of the bands")
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


def run(args: argparse.Namespace) -> int:
    """Run the verb; 0 on success, 2 on bad input (one line on stderr)."""
    try:
        if args.audit:
            _audit(args.json)
            return 0
        answer = first_answer(
            shape=args.model,
            chip=args.chip,
            decode_batch=args.batch,
            context=args.context,
            draws=args.draws,
            seed=args.seed,
        )
    except (FleetError, ValueError) as error:
        print(f"weft fleet: {error}", file=sys.stderr)
        return 2
    print(answer.to_json() if args.json else render(answer))
    return 0
