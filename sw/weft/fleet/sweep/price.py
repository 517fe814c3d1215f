"""One design of a study: its numbers as a flat record, or why it cannot be."""

from dataclasses import replace
from typing import Any

import numpy as np

from weft.fleet.bands import Band
from weft.fleet.errors import FleetError
from weft.fleet.scenarios.bill import die_area_mm2
from weft.fleet.scenarios.scenario import Scenario
from weft.fleet.scenarios.specs import ScenarioSpec

__all__ = ["METRICS", "design_key", "price_design"]

METRICS = ("tokens_per_s", "tokens_per_joule", "usd_per_million_tokens", "tflops_per_chip")
"""Numbers of the scenario's main workload; each has a column, and two with its P5 and P95."""


def design_key(knobs: dict[str, Any]) -> str:
    """The design in words; unique within a study."""
    return ", ".join(f"{name}={value}" for name, value in sorted(knobs.items()))


def price_design(
    spec: ScenarioSpec, knobs: dict[str, Any], draws: int, seed: int
) -> dict[str, Any]:
    """Price the rival of a scenario with `knobs` in place of its own design.

    Returns one record: the knobs, medians and bands, site power, capital, die area, and `error`
    (empty, or the reason the design is infeasible: then the numbers are NaN).
    """
    record: dict[str, Any] = {"design": design_key(knobs), "error": ""}
    record |= {f"knob.{name}": value for name, value in knobs.items()}
    names = [*METRICS, *(f"{m}.{p}" for m in METRICS for p in ("p5", "p95"))]
    names += ["site_w", "capex_usd", "usd_per_year", "die_mm2", "ratio_tokens_per_joule"]
    scenario = Scenario(spec)
    try:
        sampled = scenario.constants().sample(draws, seed)
        chip = replace(spec.rival, **knobs)
        side = scenario.rival(sampled, chip)
        built = scenario.built(sampled, check_limit=False)
        die = die_area_mm2(chip, sampled)
    except (FleetError, ValueError) as error:
        return record | dict.fromkeys(names, float("nan")) | {"error": " ".join(str(error).split())}
    answer = side.main
    values = {
        "tokens_per_s": answer.work.tokens_per_s,
        "tokens_per_joule": answer.tokens_per_joule,
        "usd_per_million_tokens": answer.usd_per_million_tokens,
        "tflops_per_chip": answer.work.tflops_per_chip,
    }
    for name, drawn in values.items():
        band = Band.of(drawn)
        record |= {name: band.p50, f"{name}.p5": band.p5, f"{name}.p95": band.p95}
    theirs = built.answers[answer.work.kind].tokens_per_joule
    return record | {
        "site_w": float(np.median(side.site_w)),
        "capex_usd": float(np.median(side.capex_usd)),
        "usd_per_year": float(np.median(side.usd_per_year)),
        "die_mm2": float(np.median(die)),
        "ratio_tokens_per_joule": float(np.median(answer.tokens_per_joule / theirs)),
    }
