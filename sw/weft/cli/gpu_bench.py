"""`weft gpu-bench`: measure an NVIDIA GPU and write a data file with its provenance."""

import argparse
import importlib
import shlex
import sys
import time
from pathlib import Path
from types import ModuleType

from weft.gpu_bench import PRESETS, BenchResult, GpuBenchError, NvmlMeter, TorchBackend, run_bench

from .output import output_file

__all__ = ["add_parser", "run"]


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "gpu-bench", help="measure a GPU: GEMM, attention, memory, idle power, joules per token"
    )
    parser.add_argument("--device", type=int, default=0, help="index of the board (default: 0)")
    parser.add_argument("--preset", choices=sorted(PRESETS), default="full", help="sizes to sweep")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("gpu_bench.csv"), help="data file (.csv or .json)"
    )
    parser.add_argument("--json", action="store_true", help="print the rows as one JSON object")
    parser.set_defaults(run=run)


def _module(name: str, package: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise GpuBenchError(
            f"weft gpu-bench needs {package}; install it with: pip install 'weft[gpu]'"
        ) from None


def render(result: BenchResult) -> str:
    """The rows as text."""
    versions = ", ".join(f"{k} {v}" for k, v in result.versions.items())
    lines = [
        f"{result.device}, driver {result.driver}, {versions}",
        f"idle {result.idle_w:.1f} W, limit {result.power_limit_w:.0f} W; measured {result.date}",
        "",
        f"{'work':32} {'type':5} {'shape':28} {'us':>10} {'TFLOPS':>7} {'GB/s':>6} {'W':>5}"
        f" {'J/token':>8}",
    ]
    for r in result.rows:
        per_token = f"{r.joules_per_token:8.4f}" if r.joules_per_token else " " * 8
        lines.append(
            f"{r.name:32} {r.dtype:5} {r.shape:28} {r.time_us:10.1f} {r.tflops:7.1f} "
            f"{r.gb_per_s:6.0f} {r.watts:5.0f} {per_token}"
        )
    lines += [f"not measured: {text}" for text in result.failed]
    return "\n".join(lines)


def run(args: argparse.Namespace) -> int:
    """Run the verb; 0 on success, 2 without a GPU or with bad input (one line on stderr)."""
    try:
        if args.output.suffix not in (".csv", ".json"):
            raise GpuBenchError(f"--output must end in .csv or .json, not {args.output.name!r}")
        output_file(args.output)
        backend = TorchBackend(_module("torch", "PyTorch"), args.device)
        meter = NvmlMeter(_module("pynvml", "NVIDIA's NVML bindings (nvidia-ml-py)"), args.device)
        from rich.console import Console
        from rich.progress import track

        screen = Console(stderr=True)
        result = run_bench(
            PRESETS[args.preset],
            backend,
            meter,
            command=shlex.join(["weft", "gpu-bench", "--preset", args.preset]),
            sleep=time.sleep,
            watch=lambda works: track(works, "measuring", console=screen, transient=True),
        )
        meter.close()
        result.write(args.output)
    except ValueError as error:
        print(f"weft gpu-bench: {error}", file=sys.stderr)
        return 2
    if args.json:
        import json

        print(json.dumps({"idle_w": result.idle_w, "rows": result.records()}))
    else:
        print(render(result))
        print(f"\nwritten to {args.output}")
    return 0
