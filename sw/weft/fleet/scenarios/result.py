"""What a scenario answers: bands of every headline number, for both chips, with provenance."""

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from weft.fleet.bands import Band, median
from weft.fleet.constants import Constants
from weft.fleet.quantity import Num
from weft.fleet.scenarios.side import Answer, Side

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from weft.fleet.compare import Comparison
    from weft.fleet.scenarios.facts import FactCheck

__all__ = ["HEADLINES", "AnswerBands", "ScenarioResult", "SideBands", "headlines", "side_bands"]

HEADLINES = (
    "tflops_per_chip",
    "mfu",
    "step_s",
    "tokens_per_s",
    "tokens_per_joule",
    "usd_per_million_tokens",
)
"""Scalar keys of an answer; `power_w` (chip, node, site) comes beside them."""

UNITS = {
    "tflops_per_chip": "TFLOP/s, model operations per chip",
    "mfu": "fraction of dense peak",
    "step_s": "s",
    "tokens_per_s": "1/s, delivered, all chips",
    "tokens_per_joule": "1/J at the site's meter",
    "usd_per_million_tokens": "USD per million delivered tokens",
    "power_w": "W",
}


def headlines(answer: Answer) -> dict[str, Num]:
    """The headline numbers of an answer as draws."""
    work = answer.work
    return {
        "tflops_per_chip": work.tflops_per_chip,
        "mfu": work.mfu,
        "step_s": work.step_s,
        "tokens_per_s": work.tokens_per_s,
        "tokens_per_joule": answer.tokens_per_joule,
        "usd_per_million_tokens": answer.usd_per_million_tokens,
    }


@dataclass(frozen=True, slots=True)
class AnswerBands:
    """One workload on one chip. Money in USD, power in W; parts are medians."""

    kind: str
    chips: int
    precision: str
    tflops_per_chip: Band
    mfu: Band
    step_s: Band
    tokens_per_s: Band
    power_w: dict[str, Band]
    """`chip`, `node`, `site`."""
    tokens_per_joule: Band
    usd_per_million_tokens: Band
    waterfall: dict[str, float]
    power_parts_w: dict[str, float]
    capex_parts_usd: dict[str, float]
    yearly_parts_usd: dict[str, float]
    carbon_kg: dict[str, float]
    details: dict[str, Band | str | int]

    @classmethod
    def of(cls, answer: Answer) -> "AnswerBands":
        work = answer.work
        bands = {name: Band.of(draws) for name, draws in headlines(answer).items()}
        return cls(
            kind=work.kind,
            chips=work.chips,
            precision=work.precision,
            power_w={
                "chip": Band.of(work.chip_w),
                "node": Band.of(answer.node_w),
                "site": Band.of(answer.site.site_w),
            },
            waterfall={name: median(part) for name, part in work.waterfall},
            power_parts_w={name: median(part) for name, part in answer.site.parts().items()},
            capex_parts_usd={k: median(v) for k, v in answer.bill.capex_parts.items()},
            yearly_parts_usd={k: median(v) for k, v in answer.bill.yearly_parts.items()},
            carbon_kg={k: median(v) for k, v in answer.bill.carbon.items()},
            details={
                k: v if isinstance(v, str | int) else Band.of(v) for k, v in work.details.items()
            },
            **bands,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, bands as `{p5, p50, p95}`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class SideBands:
    """One chip's side of a scenario."""

    chip: str
    count: int
    notes: tuple[str, ...]
    site_w: Band
    connected_w: Band
    capex_usd: Band
    usd_per_year: Band
    answers: dict[str, AnswerBands]


def side_bands(side: Side) -> SideBands:
    """Bands of a side."""
    return SideBands(
        chip=side.machine.name,
        count=side.spec.count,
        notes=side.machine.notes,
        site_w=Band.of(side.site_w),
        connected_w=Band.of(side.peak_site_w),
        capex_usd=Band.of(side.capex_usd),
        usd_per_year=Band.of(side.usd_per_year),
        answers={kind: AnswerBands.of(answer) for kind, answer in side.answers.items()},
    )


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """The answer of a scenario. Every number is modelled unless its source says otherwise."""

    name: str
    title: str
    about: str
    model: str
    label: str
    draws: int
    seed: int
    built: SideBands
    rival: SideBands | None
    refused: str
    """Why there is no rival, where the file asked for none and the default cannot do the work."""
    comparison: "Comparison | None"
    """None where only one chip was asked for."""
    facts: "tuple[FactCheck, ...]"
    """Checks against public facts."""
    provenance: tuple[dict[str, object], ...]

    @property
    def answers(self) -> dict[str, AnswerBands]:
        """Workloads of the chip as built."""
        return self.built.answers

    @property
    def main(self) -> AnswerBands:
        """Training where the scenario trains, else serving."""
        return next(iter(self.built.answers.values()))

    def to_dict(self) -> dict[str, Any]:
        """The main workload's keys at the top level, then everything else."""
        whole = asdict(self)
        main = self.main.to_dict()
        top = {key: main[key] for key in (*HEADLINES, "power_w")}
        return {**top, "units": UNITS, **whole}

    def to_json(self) -> str:
        """One JSON object; every headline key has p5, p50 and p95."""
        return json.dumps(_finite(self.to_dict()), indent=1, default=_plain, allow_nan=False)

    def records(self) -> list[dict[str, Any]]:
        """One flat record per chip, workload and headline number."""
        rows = []
        for role, side in (("built", self.built), ("rival", self.rival)):
            if side is None:
                continue
            for kind, answer in side.answers.items():
                bands = {name: getattr(answer, name) for name in HEADLINES}
                bands |= {f"{k}_power_w": band for k, band in answer.power_w.items()}
                rows += [
                    {
                        "scenario": self.name,
                        "role": role,
                        "chip": side.chip,
                        "work": kind,
                        "quantity": name,
                        "p5": band.p5,
                        "p50": band.p50,
                        "p95": band.p95,
                    }
                    for name, band in bands.items()
                ]
        return rows

    def table(self) -> "pd.DataFrame":
        """The records as a pandas table."""
        import pandas as pd

        return pd.DataFrame(self.records())

    def arrow(self) -> "pa.Table":
        """The records as an Arrow table."""
        import pyarrow as pa

        return pa.Table.from_pylist(self.records())


def _finite(value: Any) -> Any:
    """The same structure with infinities (a queue without end) as null: JSON has none."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def provenance(constants: Constants, keys: frozenset[str]) -> tuple[dict[str, object], ...]:
    """The record of every constant behind a result."""
    return tuple(constants.audit(sorted(keys)))
