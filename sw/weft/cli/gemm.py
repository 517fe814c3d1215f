"""`weft gemm`: one matrix product on the device, checked bit for bit and measured."""

import argparse
import json
import sys
from typing import Any

__all__ = ["add_parser", "run"]

_MIB = 1 << 20
#: Device memory that a product is given.
_SMALLEST_MIB, _LARGEST_MIB = 64, 4096


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Registers the verb."""
    parser = subparsers.add_parser(
        "gemm",
        help="run one matmul, check it, report cycles and utilisation",
        description="Multiplies random M x K by K x N operands on the device, compares the sums "
        "with numpy bit for bit, and reports cycles from the doorbell to the last write's "
        "response.",
    )
    parser.add_argument("m", type=int, metavar="M", help="rows of the left operand, 1 to 65535")
    parser.add_argument("k", type=int, metavar="K", help="inner size, 1 to 65535")
    parser.add_argument("n", type=int, metavar="N", help="columns of the right operand, 1 to 65535")
    parser.add_argument(
        "--dtype",
        default="int8",
        help="operand format: int8, int4, bf16, fp8e4m3, fp8e5m2 or mxfp8, where the preset has it "
        "(default: int8)",
    )
    parser.add_argument("--preset", default="base", help="preset or TOML file (default: base)")
    parser.add_argument(
        "--target", default="model", help="model (cycle model) or rtl (compiled RTL); default model"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the operands")
    parser.add_argument("--tiles", type=int, help="use only the first TILES tiles")
    parser.add_argument(
        "--resident", action="store_true", help="load the operands into the scratchpads first"
    )
    parser.add_argument(
        "--scratchpad-kib", type=int, help="override the preset's scratchpad (to hold residents)"
    )
    parser.add_argument(
        "--latency", type=int, default=100, help="memory latency in cycles (default: 100)"
    )
    parser.add_argument(
        "--bytes-per-cycle", type=int, help="memory bytes per cycle and port (default: port width)"
    )
    parser.add_argument(
        "--stall", type=float, default=0.0, help="probability that a memory port stalls in a cycle"
    )
    parser.add_argument("--explain", action="store_true", help="print the plan to stderr")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs the verb. Exit code 1 if the result is not bit-exact."""
    from weft_sim.dram import Dram

    from weft.gemm import gemm_report
    from weft.targets import resolve_config

    config = resolve_config(options.preset)
    if options.scratchpad_kib is not None:
        config = config.replace_tile(scratchpad_kib=options.scratchpad_kib)
    dram = Dram(
        size_bytes=_memory_bytes(options.m, options.k, options.n),
        latency_cycles=options.latency,
        bytes_per_cycle=options.bytes_per_cycle,
        stall_probability=options.stall,
    )
    report = gemm_report(
        options.m,
        options.k,
        options.n,
        options.dtype,
        config,
        options.target,
        options.seed,
        dram,
        tiles=options.tiles,
        resident=options.resident,
        explain=options.explain,
        progress=True,
    )
    if options.json:
        print(json.dumps(report))
    else:
        verdict = "bit-exact" if report["bit_exact"] else "WRONG"
        print(
            f"{options.m}x{options.k}x{options.n} {report['dtype']} on {report['preset']} "
            f"({report['target']}): {verdict}\n"
            f"  {report['cycles']:,} cycles, utilisation {report['utilisation']:.2%}, "
            f"{report['ceiling_fraction']:.2%} of the shape's ceiling ({report['ceiling']:.2%})\n"
            f"  {report['bytes_read']:,} bytes read, {report['bytes_written']:,} written, "
            f"{report['commands']:,} commands\n"
            f"{_model_line(report)}"
            f"  {report['wall_s']:.2f} s, {report['sim_cycles_per_second']:,.0f} cycles/s"
        )
    if not report["bit_exact"]:
        print("weft: the device's result differs from numpy", file=sys.stderr)
        return 1
    return 0


def _memory_bytes(m: int, k: int, n: int) -> int:
    """Device memory that holds the operands (at most 2 bytes each), sums and partial sums.

    Raises
    ------
    ValueError
        if that is more than a simulated memory should be.
    """
    needed = 2 * (m * k + k * n) + 8 * m * n + _MIB
    if needed > _LARGEST_MIB * _MIB:
        raise ValueError(
            f"M, K and N must be of a product that fits {_LARGEST_MIB:,} MiB of device memory, not "
            f"{needed // _MIB:,} MiB ({m} x {k} x {n}); make one of them smaller"
        )
    return max(_SMALLEST_MIB * _MIB, -(-needed // _MIB) * _MIB)


def _model_line(report: dict[str, Any]) -> str:
    """How far the cycle model is from a target that is not it."""
    if report["model_error"] is None:
        return ""
    return (
        f"  the cycle model says {report['model_cycles']:,} cycles ({report['model_error']:+.2%})\n"
    )
