"""`weft validate`: errors of the models against published or measured figures."""

import argparse
import json
import sys
from pathlib import Path

from weft.fleet.errors import FleetError
from weft.fleet.validate import as_dict, collect, render

__all__ = ["add_parser", "run"]


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "validate", help="errors of the fleet model against published and measured figures"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object with all rows")
    parser.add_argument("--rows", action="store_true", help="print every row")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="judge by other rows: CSV files with the names and columns of data/tables",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the verb; 0 on success (targets met or not), 2 on bad input."""
    try:
        tables = collect(folder=args.data)
    except (FleetError, ValueError, KeyError) as error:
        print(f"weft validate: {error}", file=sys.stderr)
        return 2
    if args.json:
        print(json.dumps(as_dict(tables), indent=1))
    else:
        print(render(tables, rows=args.rows))
    return 0
