"""How far the model's cycles are from the compiled RTL's: random programs on random memories.

    python tests/system/model_error.py --preset base --points 100 --seed 1

prints a line for each point, engine events included, and a summary; the seed defaults to the time
of day. `weft bench --only model` measures the whole set.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from weft.bench.points import compare, config_of

__all__ = ["compare"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="nano", help="preset, TOML file, or quad8")
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3, help="of a few commands each, a tile")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    errors = []
    wrong = 0
    for point in compare(config_of(options.preset), options.points, options.seed, options.rounds):
        errors.append(abs(point.error))
        wrong += not np.array_equal(point.model.memory, point.rtl.memory)
        print(point, flush=True)
    exact = sum(error == 0 for error in errors)
    above = sum(error > 0.01 for error in errors)
    print(
        f"{options.preset}, seeds {options.seed}..{options.seed + options.points - 1}: {exact} of "
        f"{len(errors)} points exact, mean error {np.mean(errors):.3%}, worst {max(errors):.2%}, "
        f"{above} above 1 %, {wrong} with other bytes in memory"
    )


if __name__ == "__main__":
    main()
