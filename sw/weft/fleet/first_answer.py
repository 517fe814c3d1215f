"""The first answer: Llama-3-8B tokens per joule of one `fleet` preset chip against one H100.

A first modelled estimate: chip and memory only, 8-bit weights and cache on both sides, both through
the same operators. Weft energy is counts x published energy per operation; H100 energy is its
modelled time x published phase power. Bands are P5-P95 over joint draws of every constant used.
"""

import json
from dataclasses import asdict, dataclass

import numpy as np

from weft.fleet.bands import Band
from weft.fleet.constants import Constants, default_constants
from weft.fleet.energy import weft_energy
from weft.fleet.errors import FleetError
from weft.fleet.machines import Machine, gpu
from weft.fleet.models import model
from weft.fleet.quantity import Num
from weft.fleet.weft_chip import weft_chip
from weft.fleet.workload import inference_pass

__all__ = ["FirstAnswer", "PhaseAnswer", "first_answer", "render"]

LABEL = "first modelled estimate"
CAVEAT = (
    "modelled, not measured: chip and memory only (no host, fabric, cooling); Weft's products as "
    "this repository's compiler plans them, the band reaching to the closed form of its array; "
    "unit costs of own synthesis before layout"
)


@dataclass(frozen=True, slots=True)
class PhaseAnswer:
    """One phase on both chips."""

    phase: str
    batch: int
    context: int
    weft_tokens_per_s: Band
    weft_power_w: Band
    weft_tokens_per_joule: Band
    weft_bound: str
    gpu_tokens_per_s: Band
    gpu_power_w: Band
    gpu_tokens_per_joule: Band
    gpu_bound: str
    ratio: Band
    """Weft tokens per joule over the GPU's."""
    weft_energy_shares: dict[str, float]


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """Both phases, with the constants that were used."""

    label: str
    caveat: str
    model: str
    gpu: str
    chip: str
    precision: str
    draws: int
    seed: int
    phases: tuple[PhaseAnswer, ...]
    notes: tuple[str, ...]
    constants_used: tuple[str, ...]

    def to_json(self) -> str:
        """One JSON object."""
        return json.dumps(asdict(self), indent=2)


def _bound(parts: tuple[Num, Num]) -> str:
    return "compute" if float(np.median(parts[0])) > float(np.median(parts[1])) else "memory"


def _phase(
    phase: str, batch: int, context: int, chip: Machine, other: Machine, c: Constants, shape: str
) -> PhaseAnswer:
    llm = model(shape)
    ours = inference_pass(chip, llm, phase=phase, batch=batch, context=context, precision="int8")
    theirs = inference_pass(other, llm, phase=phase, batch=batch, context=context, precision="int8")
    energy = weft_energy(chip, ours.total, "int8", c)
    gpu_power = c[f"power.{other.name}.{phase}_w"]
    our_rate, their_rate = ours.tokens / ours.time_s, theirs.tokens / theirs.time_s
    our_tpj, their_tpj = ours.tokens / energy.total_j, their_rate / gpu_power
    whole = np.median(energy.total_j)
    return PhaseAnswer(
        phase=phase,
        batch=batch,
        context=context,
        weft_tokens_per_s=Band.of(our_rate),
        weft_power_w=Band.of(energy.total_j / ours.time_s),
        weft_tokens_per_joule=Band.of(our_tpj),
        weft_bound=_bound((ours.total.compute_s, ours.total.memory_s)),
        gpu_tokens_per_s=Band.of(their_rate),
        gpu_power_w=Band.of(np.broadcast_to(gpu_power, np.shape(their_tpj))),
        gpu_tokens_per_joule=Band.of(their_tpj),
        gpu_bound=_bound((theirs.total.compute_s, theirs.total.memory_s)),
        ratio=Band.of(our_tpj / their_tpj),
        weft_energy_shares={
            part: float(np.median(getattr(energy, f"{part}_j")) / whole)
            for part in ("logic", "scratchpad", "mesh", "dram", "static")
        },
    )


def first_answer(
    *,
    shape: str = "llama3-8b",
    chip: str = "fleet",
    decode_batch: int = 64,
    context: int = 2048,
    draws: int = 2000,
    seed: int = 1,
    constants: Constants | None = None,
) -> FirstAnswer:
    """Tokens per joule of one chip against one H100, decode and prefill, with bands."""
    if decode_batch < 1 or context < 1:
        raise FleetError(
            f"decode_batch and context must be at least 1, not {decode_batch} and {context}"
        )
    base = constants if constants is not None else default_constants()
    sampled = base.sample(draws, seed)
    weft = weft_chip(chip, sampled)
    other = gpu("h100_sxm", sampled)
    phases = (
        _phase("decode", decode_batch, context, weft, other, sampled, shape),
        _phase("prefill", 1, context, weft, other, sampled, shape),
    )
    return FirstAnswer(
        label=LABEL,
        caveat=CAVEAT,
        model=shape,
        gpu=other.name,
        chip=weft.name,
        precision="int8 weights, activations and cache",
        draws=draws,
        seed=seed,
        phases=phases,
        notes=weft.notes,
        constants_used=tuple(sorted(sampled.used)),
    )


def render(answer: FirstAnswer) -> str:
    """The answer as text, one screen."""

    def band(b: Band, digits: int = 1) -> str:
        return f"{b.p50:,.{digits}f} [{b.p5:,.{digits}f} .. {b.p95:,.{digits}f}]"

    lines = [
        f"{answer.label}: {answer.model}, {answer.precision}",
        f"one {answer.chip} chip against one {answer.gpu}; "
        f"P50 [P5 .. P95] over {answer.draws} draws",
        "",
    ]
    for p in answer.phases:
        verdict = "undecided: the band holds 1"
        if p.ratio.p95 < 1.0:
            verdict = f"{answer.chip} loses"
        elif p.ratio.p5 > 1.0:
            verdict = f"{answer.chip} wins"
        shares = ", ".join(f"{k} {v:.0%}" for k, v in p.weft_energy_shares.items())
        lines += [
            f"{p.phase}: batch {p.batch}, context {p.context}",
            f"  tokens per joule   {answer.chip:12} {band(p.weft_tokens_per_joule, 2)}",
            f"                     {answer.gpu:12} {band(p.gpu_tokens_per_joule, 2)}",
            f"                     {'ratio':12} {band(p.ratio, 2)}  ({verdict})",
            f"  tokens per second  {answer.chip:12} {band(p.weft_tokens_per_s, 0)}"
            f"  ({p.weft_bound}-bound)",
            f"                     {answer.gpu:12} {band(p.gpu_tokens_per_s, 0)}"
            f"  ({p.gpu_bound}-bound)",
            f"  chip power, W      {answer.chip:12} {band(p.weft_power_w, 0)}  ({shares})",
            f"                     {answer.gpu:12} {band(p.gpu_power_w, 0)}",
            "",
        ]
    lines += [f"note: {n}" for n in answer.notes]
    lines.append(f"{answer.caveat}")
    lines.append(f"{len(answer.constants_used)} constants used; `weft fleet --audit` prints them")
    return "\n".join(lines)
