"""Refits the fitted constants on the fit rows, and cross-validates.

`python -m weft.fleet.validate.fit` prints refitted beside frozen values; `--folds 5` holds out every
fifth given row in turn instead and prints the errors on the rows held out: the honest estimate of
how the model does on rows nobody showed it. Constants stay close to a prior (their frozen value with
their own range), so few rows cannot drag many constants.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from weft.fleet.constants import Constants, default_constants
from weft.fleet.validate import collectives, gemm, training
from weft.fleet.validate.table import Case

__all__ = ["GROUPS", "FitGroup", "cross_validate", "fit_group", "main"]

SIGMA = 0.02
"""Relative error that weighs as much as one range of a constant."""


@dataclass(frozen=True, slots=True)
class FitGroup:
    """Constants fitted together, and the tables whose rows they are fitted on."""

    name: str
    keys: tuple[str, ...]
    tables: tuple[str, ...]


GROUPS = (
    FitGroup(
        "gemm",
        (
            "eff.any.gemm_k_fill",
            "eff.any.gemm_small_tile_loss",
            "eff.any.gemm_tiny_tile_loss",
            "eff.any.gemm_wave_softness",
            "eff.a100_sxm.gemm_peak_fraction",
            "eff.a100_sxm.gemm_memory_fraction",
            "harness.llmcompass.a100_sxm.gemm_us",
            "eff.h100_sxm.gemm_peak_fraction",
            "eff.h100_sxm.gemm_memory_fraction",
            "eff.h100_sxm.kernel_overhead_us",
        ),
        ("gemm_a100", "gemm_h100"),
    ),
    FitGroup(
        "all_reduce_h200",
        (
            "net.h200_sxm.scaleup_latency_us",
            "net.h200_sxm.scaleup_ramp_us",
            "net.h200_sxm.scaleup_half_size_mb",
            "net.h200_sxm.scaleup_in_network_gain",
        ),
        ("all_reduce_h200_sxm",),
    ),
    FitGroup(
        "all_reduce_b200",
        (
            "net.b200_sxm.scaleup_latency_us",
            "net.b200_sxm.scaleup_ramp_us",
            "net.b200_sxm.scaleup_half_size_mb",
            "net.b200_sxm.scaleup_in_network_gain",
        ),
        ("all_reduce_b200_sxm",),
    ),
    FitGroup(
        "training",
        ("train.any.framework_slowdown", "train.any.straggler_per_doubling"),
        ("korthikanti", "megatron_sc21"),
    ),
)


def _cases(c: Constants, names: Sequence[str]) -> list[Case]:
    found: list[Case] = []
    for module in (gemm, collectives, training):
        for table, cases in module.cases_by_table(c):
            if table in names:
                found += cases
    return found


def _errors(cases: Sequence[Case], c: Constants) -> np.ndarray:
    return np.array([np.log(float(case.predict(c)) / case.measured) for case in cases])


def fit_group(
    group: FitGroup, cases: Sequence[Case], c: Constants, *, evaluations: int = 1500
) -> dict[str, float]:
    """Best values of a group's constants on `cases`, held near their frozen values."""
    from scipy.optimize import minimize

    records = [c.quantity(k) for k in group.keys]

    def values(u: np.ndarray) -> dict[str, float]:
        # one unit of u is half of the constant's own 90 % range
        return {q.key: float(q.draw(1.6448536 * x)) for q, x in zip(records, u, strict=True)}

    def loss(u: np.ndarray) -> float:
        e = _errors(cases, c.replace(values(np.clip(u, -3, 3)))) / SIGMA
        return float(np.sum(np.sqrt(1.0 + e * e) - 1.0) + 0.5 * np.sum(u * u))

    start = np.zeros(len(records))
    best = minimize(
        loss, start, method="Powell", options={"maxfev": evaluations, "xtol": 1e-2, "ftol": 1e-4}
    )
    return values(np.clip(best.x, -3, 3))


def cross_validate(c: Constants, group: FitGroup, folds: int) -> dict[str, np.ndarray]:
    """Signed log errors of every row when its fold was held out, by table."""
    cases = _cases(c, group.tables)
    fold = np.arange(len(cases)) % folds
    errors = np.zeros(len(cases))
    for k in range(folds):
        train = [x for x, f in zip(cases, fold, strict=True) if f != k]
        test = [x for x, f in zip(cases, fold, strict=True) if f == k]
        errors[fold == k] = _errors(test, c.replace(fit_group(group, train, c)))
    by_table: dict[str, np.ndarray] = {}
    start = 0
    for name in group.tables:
        count = len(_cases(c, (name,)))
        by_table[name] = errors[start : start + count]
        start += count
    return by_table


def main(argv: Sequence[str] | None = None) -> int:
    """Print refitted constants, or cross-validated errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folds", type=int, default=0)
    args = parser.parse_args(argv)
    c = default_constants()
    for group in GROUPS:
        if args.folds:
            for table, e in cross_validate(c, group, args.folds).items():
                a = np.abs(np.expm1(e))
                low, high = np.percentile(np.exp(-e), (5, 95))
                print(
                    f"{table:22} held out: mean {a.mean():.1%} max {a.max():.1%}  "
                    f"measured/modelled P5 {low:.3f} P95 {high:.3f}"
                )
            continue
        chosen = [x for x in _cases(c, group.tables) if x.role == "fit"]
        fitted = fit_group(group, chosen, c)
        for key, value in fitted.items():
            print(f"{key:45} frozen {c[key]:<10.5g} refitted {value:.5g}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
