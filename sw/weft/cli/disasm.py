"""``weft disasm``: a command listing, or the reference page of instruction set and registers."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from weft_hw.isa import COMMAND_BYTES

from ..commands import as_array, unpack
from ..disasm import command_text, listing, reference_page
from ..targets import resolve_config

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb to a command line."""
    parser = subparsers.add_parser(
        "disasm",
        help="list commands (64 bytes each) as text",
        description="Lists commands as text, or prints what they and the registers mean.",
    )
    parser.add_argument("file", nargs="?", help="file of commands; - is standard input")
    parser.add_argument(
        "--reference",
        action="store_true",
        help="print the reference page of instruction set and registers (Markdown) instead",
    )
    parser.add_argument(
        "--preset", default="base", help="configuration of the reference page (default: base)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints the listing or the page; 0.

    Raises
    ------
    ValueError
        if there is no file, or it does not hold whole commands.
    """
    if args.reference:
        page = reference_page(resolve_config(args.preset))
        print(json.dumps({"reference": page}) if args.json else page, end="")
        return 0
    if args.file is None:
        raise ValueError("file must be given (or --reference for the instruction set)")
    try:
        content = sys.stdin.buffer.read() if args.file == "-" else Path(args.file).read_bytes()
    except OSError as error:
        raise ValueError(f"{args.file}: cannot be read: {error.strerror}") from None
    if not content:
        raise ValueError(f"{args.file}: must hold commands of {COMMAND_BYTES} bytes each, not none")
    if len(content) % COMMAND_BYTES:
        raise ValueError(
            f"{args.file}: must hold whole commands of {COMMAND_BYTES} bytes, not {len(content)} "
            "bytes; give a file of packed commands, as the ring has them"
        )
    rows = as_array(content)
    if args.json:
        commands = []
        for number, row in enumerate(rows):
            command = unpack(row)
            name = getattr(command.opcode, "name", None)
            commands.append(
                {"index": number, "opcode": name, "text": command_text(command), **command.fields}
            )
        print(json.dumps({"commands": commands}))
    else:
        print(listing(rows))
    return 0
