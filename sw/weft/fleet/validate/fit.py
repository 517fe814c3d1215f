"""Refits the fitted constants on the fit rows, and cross-validates.

`python -m weft.fleet.validate.fit` prints refitted beside frozen values; `--folds 5` holds out
every fifth given row in turn instead and prints the errors on the rows held out: the honest
estimate of how the model does on rows nobody showed it. Every constant has a prior (centre and
width, below), so that few rows cannot drag many constants; the frozen values are what this fit
prints.
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
    priors: dict[str, tuple[float, float]]
    """Constant -> centre and width (one standard deviation) of its prior."""
    tables: tuple[str, ...]
    power: float = 1.0
    """Exponent of large errors in the loss: 1 forgives outliers, 4 minds the worst row."""


GROUPS = (
    FitGroup(
        "gemm",
        {
            "eff.any.gemm_k_fill": (48.0, 20.0),
            "eff.any.gemm_small_tile_loss": (0.02, 0.01),
            "eff.any.gemm_tiny_tile_loss": (0.15, 0.05),
            "eff.any.gemm_wave_softness": (0.55, 0.15),
            "eff.a100_sxm.gemm_peak_fraction": (0.92, 0.02),
            "eff.a100_sxm.gemm_memory_fraction": (0.93, 0.03),
            "harness.llmcompass.a100_sxm.gemm_us": (28.5, 3.0),
            "eff.h100_sxm.gemm_peak_fraction": (0.72, 0.03),
            "eff.h100_sxm.gemm_memory_fraction": (0.92, 0.03),
            "eff.h100_sxm.kernel_overhead_us": (5.0, 1.0),
        },
        ("gemm_a100", "gemm_h100"),
    ),
    FitGroup(
        "all_reduce_h200",
        {
            "net.h200_sxm.scaleup_latency_us": (39.0, 5.0),
            "net.h200_sxm.scaleup_ramp_us": (70.0, 25.0),
            "net.h200_sxm.scaleup_half_size_mb": (25.0, 12.0),
            "net.h200_sxm.scaleup_in_network_gain": (1.30, 0.06),
        },
        ("all_reduce_h200_sxm",),
        2.0,
    ),
    FitGroup(
        "all_reduce_b200",
        {
            "net.b200_sxm.scaleup_latency_us": (46.0, 5.0),
            "net.b200_sxm.scaleup_ramp_us": (70.0, 25.0),
            "net.b200_sxm.scaleup_half_size_mb": (20.0, 10.0),
            "net.b200_sxm.scaleup_in_network_gain": (1.22, 0.10),
        },
        ("all_reduce_b200_sxm",),
        3.0,
    ),
    FitGroup(
        "training",
        {
            "train.any.framework_slowdown": (0.11, 0.04),
            "train.any.straggler_per_doubling": (0.006, 0.004),
        },
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
    """Best values of a group's constants on `cases`, given their priors."""
    from scipy.optimize import minimize

    centres = np.array([x for x, _ in group.priors.values()])
    widths = np.array([w for _, w in group.priors.values()])

    def values(u: np.ndarray) -> dict[str, float]:
        numbers = np.maximum(centres + np.clip(u, -3, 3) * widths, 0.0)
        return dict(zip(group.priors, numbers.tolist(), strict=True))

    def loss(u: np.ndarray) -> float:
        e = _errors(cases, c.replace(values(u))) / SIGMA
        robust = (1.0 + e * e) ** (0.5 * group.power) - 1.0
        return float(np.sum(robust) ** (1.0 / group.power) + 0.5 * np.sum(u * u))

    options = {"maxfev": evaluations, "xtol": 1e-3, "ftol": 1e-6}
    return values(minimize(loss, np.zeros(len(centres)), method="Powell", options=options).x)


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
