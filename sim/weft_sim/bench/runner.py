"""``run_bench``: from a component to a finished cocotb run, in one call from a pytest function.

A build lives in ``build/sim/<name>-<hash of Verilog and flags>`` and is made once, under a lock,
however many tests and processes want it. The part of Verilator's runtime that is the same for all
designs is compiled once and shared.
"""

import hashlib
import json
import os
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from amaranth.lib import wiring
from cocotb_tools.check_results import get_results
from filelock import FileLock
from weft_hw.verilog import to_verilog

from . import progress
from .clocking import ENVIRONMENT
from .verilator import FLAGS, MAKE_FLAGS, TIMESCALE, LeanVerilator, control_file, fingerprint

__all__ = ["BenchRun", "build_root", "run_bench"]


@dataclass(frozen=True, slots=True)
class BenchRun:
    """What ran. ``directory`` holds the build."""

    name: str
    directory: Path
    seed: int
    tests: int
    build_s: float
    run_s: float


def build_root() -> Path:
    """Where builds go: ``WEFT_BUILD``, or ``build`` of the checkout, or ``build`` here if this is
    no checkout.
    """
    if "WEFT_BUILD" in os.environ:
        return Path(os.environ["WEFT_BUILD"]).resolve()
    checkout = Path(__file__).resolve().parents[3]
    return (checkout if (checkout / "pyproject.toml").exists() else Path.cwd()) / "build"


def run_bench(
    component: wiring.Component,
    name: str,
    test_module: str | ModuleType,
    *,
    parameters: dict[str, Any] | None = None,
    seed: int | None = None,
    testcase: str | list[str] | None = None,
    waves: bool = False,
) -> BenchRun:
    """Builds ``component`` as the Verilog module ``name`` and runs the cocotb tests of
    ``test_module`` on it.

    Parameters
    ----------
    component : wiring.Component
        freshly made, not yet elaborated; must have a clock
    name : str
        name of the top module, of the build directory and in the progress line
    test_module : str or module
        where the coroutines are; usually ``__name__``
    parameters : dict
        anything JSON can hold; the coroutines read it as ``Bench.parameters``
    seed : int
        of all randomness; by default ``WEFT_SEED`` or, without it, a new one each run, printed
    testcase : str or list of str
        runs only these coroutines
    waves : bool
        writes ``dump.vcd`` in the run's directory (also by ``WEFT_WAVES=1``)

    Raises
    ------
    AssertionError
        if a test failed, none ran, or the simulator stopped; names the tests and how to repeat the
        run.
    RuntimeError
        if the build failed, with the end of its log.
    """
    module = test_module.__name__ if isinstance(test_module, ModuleType) else test_module
    waves = waves or os.environ.get("WEFT_WAVES") == "1"
    if seed is None:
        seed = int(os.environ.get("WEFT_SEED") or secrets.randbelow(2**31))
    ports = _ports(component)
    started = time.monotonic()
    progress.show(f"{name}: Verilog")
    directory = _build(component, name, waves)
    built = time.monotonic()
    run_directory = directory / f"run-{os.getpid()}-{secrets.token_hex(4)}"
    run_directory.mkdir()
    description = run_directory / "bench.json"
    description.write_text(json.dumps({"parameters": parameters or {}, "ports": ports}))
    results = run_directory / "results.xml"
    progress.show(f"{name}: running {module}, seed {seed}")
    print(f"{directory.name}: seed {seed} (repeat with WEFT_SEED={seed})", flush=True)
    stopped = None
    try:
        LeanVerilator().test(
            test_module=module,
            hdl_toplevel_lang="verilog",
            hdl_toplevel=name,
            build_dir=directory,
            test_dir=run_directory,
            results_xml=str(results),
            testcase=testcase,
            seed=seed,
            waves=waves,
            extra_env={ENVIRONMENT: str(description)},
        )
    except (SystemExit, RuntimeError) as error:
        stopped = error
    ended = time.monotonic()
    tests, failed = get_results(results) if results.exists() else (0, 0)
    if stopped is not None or failed or not tests:
        progress.show(f"{name}: FAILED, seed {seed}")
        what = f"{failed} of {tests} failed" if tests else "no test ran to its end"
        raise AssertionError(
            f"all tests of {module} on {name} must pass, but {what}; the log is above, repeat with "
            f"WEFT_SEED={seed}, add WEFT_WAVES=1 for a waveform in {run_directory}"
        ) from None
    if not waves:
        shutil.rmtree(run_directory)
    progress.show(
        f"{name}: {tests} passed, build {built - started:.1f} s, run {ended - built:.1f} s"
    )
    return BenchRun(name, directory, seed, tests, built - started, ended - built)


def _ports(component: wiring.Component) -> dict[str, dict[str, Any]]:
    """Top-level ports as the Verilog has them: name, direction, width. Constants are no ports."""
    ports = {}
    for path, member, value in component.signature.flatten(component):
        width = len(value.as_value() if hasattr(value, "as_value") else value)
        is_constant = type(value).__name__ == "Const"
        if width and not is_constant:
            direction = "out" if member.flow is wiring.Out else "in"
            ports["__".join(map(str, path))] = {"direction": direction, "width": width}
    return ports


def _build(component: wiring.Component, name: str, waves: bool) -> Path:
    verilog = to_verilog(component, name)
    control = control_file(verilog)
    key = "\n".join([verilog.text, control, *FLAGS, *MAKE_FLAGS, str(waves), fingerprint()])
    digest = hashlib.sha256(key.encode()).hexdigest()[:12]
    root = build_root() / "sim"
    directory = root / f"{name}-{digest}"
    directory.mkdir(parents=True, exist_ok=True)
    done = directory / "built"
    with FileLock(f"{directory}.lock"):
        if done.exists():
            return directory
        progress.show(f"{name}: compiling {directory.name}")
        source, vlt, log = (directory / f"{name}{end}" for end in (".v", ".vlt", ".log"))
        source.write_text(verilog.text)
        vlt.write_text(control)
        runner = LeanVerilator(runtime=root / f"runtime-{fingerprint()}-{int(waves)}")
        try:
            runner.build(
                sources=[vlt, source],
                hdl_toplevel=name,
                build_dir=directory,
                build_args=list(FLAGS),
                always=True,
                waves=waves,
                timescale=TIMESCALE,
                log_file=log,
            )
        except (SystemExit, RuntimeError, OSError) as error:
            tail = "\n".join(log.read_text().splitlines()[-30:]) if log.exists() else str(error)
            raise RuntimeError(
                f"the Verilog of {name} must compile, but Verilator or the C++ compiler stopped; "
                f"the end of {log}:\n{tail}"
            ) from error
        runner.keep_runtime()
        done.touch()
    return directory
