"""The command line: one program, verbs as sub-commands.

Each verb is a module with ``add_parser`` and ``run``. A mistake in the input is one line on stderr
and exit code 2; a device that fails or hangs prints its report and exits 1. ``WEFT_DEBUG=1`` shows
tracebacks instead.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

__all__ = ["VERBS", "main"]

#: Verb -> module of this package. Listed in the order of ``weft --help``.
VERBS = {
    "demo": "demo",
    "gemm": "gemm",
    "bench": "bench",
    "verilog": "verilog",
    "fpga": "fpga",
    "synth": "synth",
    "layout": "layout",
    "disasm": "disasm",
    "fleet": "fleet",
    "validate": "validate",
    "sweep": "sweep",
    "gpu-bench": "gpu_bench",
    "doctor": "doctor",
}


def parser_for(verb: str | None) -> argparse.ArgumentParser:
    """The parser, with all verbs, or with only the one asked for (which loads only its module)."""
    parser = argparse.ArgumentParser(
        prog="weft", description="An open AI accelerator: run it, generate it, price it."
    )
    subparsers = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, module in VERBS.items():
        if verb in (None, name):
            import_module(f".{module}", __name__).add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb. Returns the exit code: 0 done, 1 the device failed, 2 bad input."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    verb = arguments[0] if arguments and arguments[0] in VERBS else None
    try:
        options = parser_for(verb).parse_args(arguments)
        return int(options.run(options))
    except KeyboardInterrupt:
        print("weft: interrupted; what was built is kept and used next time", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    except (ValueError, TypeError, OSError, MemoryError, ImportError) as error:
        # a package that a verb asks for by itself has no module's name; others are mistakes of ours
        if os.environ.get("WEFT_DEBUG") or getattr(error, "name", None) is not None:
            raise
        print(f"weft: {_one_line(error)}", file=sys.stderr)
        return 2
    except RuntimeError as error:
        if os.environ.get("WEFT_DEBUG"):
            raise
        print(f"weft: {error}", file=sys.stderr)
        return 1


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}; give another path, or mend this one"
    return " ".join(str(error).split()) or type(error).__name__
