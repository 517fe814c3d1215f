"""Machines: what one chip and its links can do, built from constants; one class for GPUs and Weft.

`gpu("h100_sxm")` reads `gpu.<name>.*` and the fitted curve `eff.<name>.*`; a GPU without fitted
rows takes the H100 curve, rescaled by its own measured best GEMM. `weft.fleet.weft_chip` builds the
other kind. Every field may be an array of Monte Carlo draws.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from weft.fleet.constants import Constants, default_constants
from weft.fleet.errors import FleetError
from weft.fleet.quantity import Num

__all__ = ["GPU_NAMES", "GemmCurve", "Link", "Machine", "VectorCurve", "WeftArray", "gpu"]

GPU_NAMES = (
    "a100_sxm",
    "h100_sxm",
    "h200_sxm",
    "b200_sxm",
    "b300_sxm",
    "gb200",
    "gb300",
    "mi300x",
    "mi325x",
    "mi355x",
)

SIBLINGS = {"gb300": "b300_sxm", "gb200": "b200_sxm"}
"""Same silicon in another package: stands in for measurements the name itself lacks."""

NETWORK_SIBLINGS = {"b300_sxm": "b200_sxm", "gb200": "b200_sxm", "gb300": "b200_sxm"}
"""Same scale-up links (NVLink 5)."""

PRECISION_BYTES = {
    "fp32": 4.0,
    "fp16": 2.0,
    "bf16": 2.0,
    "fp8": 1.0,
    "int8": 1.0,
    "int4": 0.5,
    "fp4": 0.5,
}
"""Bytes of one operand; fp4 without its block scales (1/16 more with MX scales)."""


@dataclass(frozen=True, slots=True)
class Link:
    """A level of the network seen by one chip."""

    bandwidth_bytes_per_s: Num
    """One way, per chip, line rate."""
    latency_s: Num
    """One step of a collective between two chips of this level."""
    chips: int
    """Chips in the largest group joined at this level (0: unbounded)."""
    efficiency: Num
    """Largest share of line rate that a large collective reaches."""
    in_network_gain: Num = 1.0
    """All-reduce speed-up from reduction in the switch (NVLS, SHARP); 1 without."""
    ramp_s: Num = 0.0
    """Extra time of large messages beyond latency and bandwidth."""
    half_size_bytes: Num = 1.0
    """Bytes sent at which half of `ramp_s` is paid."""


@dataclass(frozen=True, slots=True)
class GemmCurve:
    """Efficiency of a GPU's matrix kernels over shape; see `operators.gemm_gpu`."""

    peak_fraction: Num
    k_fill: Num
    k_fill_batched: Num
    memory_fraction: Num
    overhead_s: Num
    small_tile_loss: Num
    tiny_tile_loss: Num
    wave_softness: Num
    sharpness: Num


@dataclass(frozen=True, slots=True)
class VectorCurve:
    """Efficiency of memory-bound kernels: share of memory bandwidth, and cost of a launch."""

    memory_fraction: Num
    softmax_fraction: Num
    """The same for softmax, which reads its rows more than once."""
    overhead_s: Num


@dataclass(frozen=True, slots=True)
class WeftArray:
    """What the closed form of Weft's matmul needs; numbers from `ChipConfig` and the clock."""

    tiles: int
    rows: int
    cols: int
    clock_hz: Num
    scratchpad_bytes: int
    accumulator_bytes: int
    command_cycles: Num
    """Cycles from command to first operand, per matmul command."""
    fill_cycles: int = 0
    """From the last row into an array to its last accumulator write."""
    port_bytes_per_cycle: int = 1
    """Of all memory endpoints, one way."""
    compiled_share: Num = 0.0
    """0: products as the closed form has them; 1: as today's compiler plans them."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One chip with its memory, links, and how well it uses them. Rates in SI units per second."""

    name: str
    kind: str
    """`gpu` or `weft`."""
    peak_flops: Mapping[str, Num]
    """Dense operations per second (2 per multiply-accumulate) by precision; never the sparse peak.
    """
    memory_bytes: Num
    memory_bandwidth_bytes_per_s: Num
    compute_units: int
    gemm: Mapping[str, GemmCurve]
    """By precision; empty for Weft."""
    vector: VectorCurve
    scaleup: Link
    scaleout: Link
    board_power_max_w: Num
    idle_power_w: Num
    array: WeftArray | None = None
    notes: tuple[str, ...] = field(default=())

    def peak(self, precision: str) -> Num:
        """Dense peak of a precision, operations per second."""
        if precision not in self.peak_flops:
            raise FleetError(
                f"{self.name} has no {precision} peak; it has {', '.join(sorted(self.peak_flops))}"
            )
        return self.peak_flops[precision]


def operand_bytes(precision: str) -> float:
    """Bytes of one operand of a precision."""
    if precision not in PRECISION_BYTES:
        raise FleetError(
            f"precision must be one of {', '.join(PRECISION_BYTES)}, not {precision!r}"
        )
    return PRECISION_BYTES[precision]


def _best_gemm(c: Constants, name: str, kind: str) -> Num:
    """Best measured GEMM of a GPU as a share of peak; the missing format from the H100's ratio."""
    key = "gpu.{}.gemm_best_{}_efficiency"
    other = "bf16" if kind == "fp8" else "fp8"
    if key.format(name, kind) in c:
        return c[key.format(name, kind)]
    ratio = c[key.format("h100_sxm", kind)] / c[key.format("h100_sxm", other)]
    if key.format(name, other) in c:
        return c[key.format(name, other)] * ratio
    if f"eff.{name}.gemm_peak_fraction" in c:
        return c[f"eff.{name}.gemm_peak_fraction"] * (ratio if kind == "fp8" else 1.0)
    if name in SIBLINGS:
        return _best_gemm(c, SIBLINGS[name], kind)
    raise FleetError(f"{name} has neither fitted GEMM rows nor a measured best GEMM")


def _curves(name: str, c: Constants, peaks: Mapping[str, Num]) -> dict[str, GemmCurve]:
    """The GEMM curve of every precision of a GPU (see the module docstring for the fallback)."""
    own = f"eff.{name}.gemm_peak_fraction" in c
    base = name if own else "h100_sxm"
    fraction = c[f"eff.{base}.gemm_peak_fraction"]
    curves = {}
    for precision in peaks:
        kind = "fp8" if precision in ("fp8", "int8", "fp4") else "bf16"
        scale = _best_gemm(c, name, kind) / _best_gemm(c, base, "bf16")
        curves[precision] = GemmCurve(
            peak_fraction=fraction * scale,
            k_fill=c["eff.any.gemm_k_fill"],
            k_fill_batched=c["eff.any.gemm_k_fill_batched"],
            memory_fraction=c[f"eff.{base}.gemm_memory_fraction"],
            overhead_s=c[f"eff.{base}.kernel_overhead_us"] * 1e-6,
            small_tile_loss=c["eff.any.gemm_small_tile_loss"],
            tiny_tile_loss=c["eff.any.gemm_tiny_tile_loss"],
            wave_softness=c["eff.any.gemm_wave_softness"],
            sharpness=c["eff.any.gemm_sharpness"],
        )
    return curves


def gpu(name: str, constants: Constants | None = None) -> Machine:
    """A GPU by name (`GPU_NAMES`); numbers from `constants` (default: the frozen set)."""
    c = constants if constants is not None else default_constants()
    if name not in GPU_NAMES:
        raise FleetError(f"there is no GPU {name!r}; there are {', '.join(GPU_NAMES)}")
    g = f"gpu.{name}."
    peaks = {}
    for precision, key in (
        ("fp32", "peak_fp32_tflops"),
        ("bf16", "peak_bf16_tflops"),
        ("fp8", "peak_fp8_tflops"),
        ("int8", "peak_int8_tops"),
        ("fp4", "peak_fp4_tflops"),
    ):
        if g + key in c:
            peaks[precision] = c[g + key] * 1e12
    peaks["fp16"] = peaks["bf16"]
    vec = name if f"eff.{name}.vector_memory_fraction" in c else "h100_sxm"
    net = NETWORK_SIBLINGS.get(name, name)
    net = net if f"net.{net}.scaleup_efficiency" in c else "h200_sxm"
    return Machine(
        name=name,
        kind="gpu",
        peak_flops=peaks,
        memory_bytes=c[g + "hbm_gb"] * 1e9,
        memory_bandwidth_bytes_per_s=c[g + "hbm_bandwidth_tb_per_s"] * 1e12,
        compute_units=int(c.number(g + "compute_units")),
        gemm=_curves(name, c, peaks),
        vector=VectorCurve(
            memory_fraction=c[f"eff.{vec}.vector_memory_fraction"],
            softmax_fraction=c[f"eff.{vec}.softmax_memory_fraction"],
            overhead_s=c[f"eff.{vec}.kernel_overhead_us"] * 1e-6,
        ),
        scaleup=Link(
            bandwidth_bytes_per_s=c[g + "scaleup_gb_per_s"] * 1e9,
            latency_s=c[f"net.{net}.scaleup_latency_us"] * 1e-6,
            chips=int(c.number(g + "scaleup_chips")),
            efficiency=c[f"net.{net}.scaleup_efficiency"],
            in_network_gain=c[f"net.{net}.scaleup_in_network_gain"],
            ramp_s=c[f"net.{net}.scaleup_ramp_us"] * 1e-6,
            half_size_bytes=c[f"net.{net}.scaleup_half_size_mb"] * 1e6,
        ),
        scaleout=Link(
            bandwidth_bytes_per_s=c[g + "scaleout_gb_per_s"] * 1e9,
            latency_s=c["net.any.scaleout_latency_us"] * 1e-6,
            chips=0,
            efficiency=c["net.any.scaleout_efficiency"],
        ),
        board_power_max_w=c[g + "board_power_max_w"],
        idle_power_w=c[g + "idle_power_w"],
    )
