"""Builds of compiled chips, kept by content.

A build is the folder ``<name>-<hash>`` with the shared library, the Verilog it came from and
``build.json`` (seconds of each phase and of processor time, options). The hash covers the
Verilog, the harness, all options and Verilator's version, so a build is never stale. It is made
in a ``.partial`` folder under a file lock and renamed when whole: users beside each other share
it, and an interrupted build is made again.
"""

import hashlib
import json
import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from filelock import FileLock, Timeout
from weft_hw.verilog import Verilog

from .bindings import bindings
from .compile import Jobs, Unit
from .errors import BuildError
from .group import group
from .progress import Progress
from .runtime import runtime
from .toolchain import compiler, verilator
from .verilate import control_file, options, verilate
from .wrapper import wrap

__all__ = ["LIBRARY", "build"]

#: File name of the shared library in a build's folder.
LIBRARY = "libweft_chip.so"

_HARNESS = Path(__file__).resolve().parent / "harness"
_COMMON = ("-std=gnu++20", "-fPIC", "-fvisibility=hidden", "-DVL_TIME_CONTEXT", "-DVERILATOR=1")
_FAST = ("-O2",)
#: Construction and reset of the model run once; compiling them quickly matters more.
_SLOW = ("-O0",)
_FAST_PIECE_BYTES, _SLOW_PIECE_BYTES = 600_000, 2_000_000


def build(design: Verilog, name: str, *, root: Path, vcd: bool = False) -> Path:
    """The shared library of ``design``, built if need be.

    Parameters
    ----------
    design : Verilog
        The chip; its top module has the ports of ``hw/README.md``.
    name : str
        What to call it in the folder's name and in progress lines.
    root : Path
        Where builds are kept.
    vcd : bool
        Whether it can write waveforms (a build of its own, and slower).

    Raises
    ------
    ToolchainError
        if Verilator or a compiler is missing.
    BuildError
        if either refuses the generated code.
    ValueError
        if a top-level port is missing or too wide.
    """
    design = wrap(design, both_edges=not vcd)
    header = bindings(design.text, design.top)
    kind = name + ("-vcd" if vcd else "")
    home = root / f"{kind}-{_hash(design, header, vcd=vcd)}"
    if (home / LIBRARY).is_file():
        return home / LIBRARY
    root.mkdir(parents=True, exist_ok=True)
    with _lock(home, f"waiting for another build of {kind}"):
        if not (home / LIBRARY).is_file():
            partial = home.with_name(home.name + ".partial")
            shutil.rmtree(partial, ignore_errors=True)
            shutil.rmtree(home, ignore_errors=True)
            (partial / "obj").mkdir(parents=True)
            try:
                _make(design, header, kind, partial, root, vcd=vcd)
            except BuildError as error:
                raise BuildError(f"{error}\nThe generated files are in {partial}") from error
            partial.rename(home)
    return home / LIBRARY


def _hash(design: Verilog, header: str, *, vcd: bool) -> str:
    digest = hashlib.sha256()
    harness = [path.read_text() for path in sorted(_HARNESS.iterdir())]
    flags = repr((_COMMON, _FAST, _SLOW, options(design.top, vcd=vcd)))
    parts = (design.text, control_file(design), header, *harness, flags, verilator().version)
    for part in parts:
        digest.update(part.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]


@contextmanager
def _lock(path: Path, message: str):
    lock = FileLock(path.with_name(path.name + ".lock"))
    try:
        lock.acquire(timeout=1)
    except Timeout:
        print(message, file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _make(design: Verilog, header: str, kind: str, home: Path, root: Path, *, vcd: bool) -> None:
    """Fills ``home`` with the library; what was only needed on the way is removed."""
    objects, seconds = home / "obj", {}
    common = (
        *_COMMON,
        f"-DVM_TRACE={int(vcd)}",
        f"-DVM_TRACE_VCD={int(vcd)}",
        "-DVM_COVERAGE=0",
        "-DVM_SC=0",
        "-DVM_TIMING=0",
        *verilator().include_options,
    )
    own = (*common, f"-I{_HARNESS}", f"-I{objects}")
    started, cpu_started = monotonic(), _children_cpu_s()
    with Progress(f"building {kind}") as progress, Jobs(compiler()) as jobs:

        def report(done: int, count: int) -> None:
            progress.step = f"compiling, {done} of {count} files"

        progress.step = "Verilator"
        (objects / "chip.h").write_text(header)
        # first, because all else waits for it
        verilated = jobs.call(lambda: verilate(design, objects, vcd=vcd))
        output_header = _HARNESS / "output.h"
        with runtime(jobs, root, common, output_header=output_header, vcd=vcd) as library:
            jobs.finish([verilated])
            seconds["verilator"] = monotonic() - started
            units = _units(verilated.result(), objects, own)
            jobs.finish(jobs.start(units), report)
            seconds["compiler"] = monotonic() - started - seconds["verilator"]
            progress.step = "linking"
            jobs.link([*(unit.target for unit in units), *library()], home / LIBRARY)
    seconds["total"] = monotonic() - started
    seconds["processor"] = _children_cpu_s() - cpu_started
    shutil.move(objects / f"{design.top}.v", home)
    shutil.rmtree(objects)
    description = {
        "design": kind,
        "verilator": verilator().version,
        "options": options(design.top, vcd=vcd),
        "shared_modules": list(design.shared),
        "compiler_fast": _FAST,
        "compiler_slow": _SLOW,
        "files": len(units),
        "seconds": {phase: round(value, 2) for phase, value in seconds.items()},
    }
    (home / "build.json").write_text(json.dumps(description, indent=2) + "\n")


def _children_cpu_s() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _units(sources: list[Path], objects: Path, options: tuple[str, ...]) -> list[Unit]:
    """What to compile: the model in pieces, and the harness. Unoptimised code compiles faster."""
    slow = [source for source in sources if "__Slow" in source.name or "__Syms" in source.name]
    fast = [source for source in sources if source not in slow]
    units = [
        Unit(piece, piece.with_suffix(".o"), (*options, *_SLOW), weight=size / 4)
        for piece, size in group(slow, objects, "slow", _SLOW_PIECE_BYTES).items()
    ]
    units += [
        Unit(piece, piece.with_suffix(".o"), (*options, *_FAST), weight=size)
        for piece, size in group(fast, objects, "fast", _FAST_PIECE_BYTES).items()
    ]
    units += [
        Unit(source, objects / f"harness_{source.stem}.o", (*options, *_FAST))
        for source in sorted(_HARNESS.glob("*.cpp"))
    ]
    return units
