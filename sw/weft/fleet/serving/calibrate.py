"""Refits the constants of the serving and node-power tables, and cross-validates.

`python -m weft.fleet.serving.calibrate` prints refitted beside frozen values; `--folds N` holds
out every Nth row in turn. Same method and priors' meaning as `weft.fleet.validate.fit`.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from types import ModuleType

import numpy as np

from weft.fleet.constants import Constants, default_constants
from weft.fleet.power import validation as power
from weft.fleet.serving import validation as serving
from weft.fleet.validate.fit import fit_group
from weft.fleet.validate.table import Case

__all__ = ["cross_validate", "fit_cases", "main", "refit"]

MODULES: tuple[ModuleType, ...] = (serving, power)


def fit_cases(module: ModuleType, c: Constants) -> list[Case]:
    """Cases of the module's group; repeated systems are predicted once per constant set."""
    found = [
        x for key, cases in module.cases_by_table(c) if key in module.GROUP.tables for x in cases
    ]
    keys = list(module.GROUP.priors)

    @lru_cache(maxsize=4096)
    def memo(index: int, values: tuple[float, ...]) -> float:
        return float(unique[index].predict(c.replace(dict(zip(keys, values, strict=True)))))

    unique: list[Case] = []
    shared = []
    for case in found:
        args = getattr(case.predict, "args", None)
        match = [i for i, u in enumerate(unique) if args and getattr(u.predict, "args", 0) == args]
        index = match[0] if match else len(unique)
        if not match:
            unique.append(case)
        shared.append((case, index))

    def predict(index: int, k: Constants) -> float:
        return memo(index, tuple(float(k[key]) for key in keys))

    return [replace(case, predict=partial(predict, index)) for case, index in shared]


def refit(module: ModuleType, c: Constants, evaluations: int = 200) -> dict[str, float]:
    """Best values of the module's fitted constants on its fit rows."""
    chosen = [x for x in fit_cases(module, c) if x.role == "fit"]
    return fit_group(module.GROUP, chosen, c, evaluations=evaluations)


def cross_validate(
    module: ModuleType, c: Constants, folds: int, evaluations: int = 120
) -> dict[str, float]:
    """Measured over modelled of every row when its fold was held out, by row name."""
    cases = fit_cases(module, c)
    out: dict[str, float] = {}
    for k in range(folds):
        train = [x for i, x in enumerate(cases) if i % folds != k]
        best = c.replace(fit_group(module.GROUP, train, c, evaluations=evaluations))
        for i, case in enumerate(cases):
            if i % folds == k:
                out[f"{i} {case.name}"] = case.measured / float(case.predict(best))
    return out


def main(argv: Sequence[str] | None = None) -> int:
    """Print refitted constants, or cross-validated errors by scenario."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folds", type=int, default=0)
    args = parser.parse_args(argv)
    c = default_constants()
    for module in MODULES:
        if args.folds:
            ratios = cross_validate(module, c, args.folds)
            for kind in ("Offline", "Server", ""):
                r = np.array([v for k, v in ratios.items() if kind in k])
                low, high = np.percentile(r, (5, 95))
                print(
                    f"{module.GROUP.name:12} {kind or 'all':8} held out: mean "
                    f"{np.abs(1 / r - 1).mean():.1%} max {np.abs(1 / r - 1).max():.1%}  "
                    f"measured/modelled P5 {low:.3f} P95 {high:.3f}"
                )
            continue
        for key, value in refit(module, c).items():
            print(f"{key:42} frozen {c[key]:<10.5g} refitted {value:.5g}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
