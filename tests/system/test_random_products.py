"""Random products, options and memories: whole chip, driver included. New seeds every run."""

import os

import numpy as np
import pytest
from operands import int8
from weft import Device
from weft_hw.presets import preset
from weft_sim.dram import Dram
from weft_sim.golden import matmul_int8, requantise, vector_int32

#: Products for each target and preset. Building `base` costs a minute, so it works for that.
COUNTS = {
    ("model", "nano"): 30,
    ("model", "quad"): 20,
    ("model", "mesh16"): 5,
    ("rtl", "nano"): 60,
    ("rtl", "quad"): 30,
    ("rtl", "base"): 20,
}


def _size(rng, array):
    """Below, at and above the array's size, or anything up to a few hundred."""
    near = [1, array - 1, array, array + 1, 2 * array, 3 * array + 5]
    return int(rng.choice(near)) if rng.random() < 0.5 else int(2 ** rng.uniform(0, 8))


@pytest.mark.parametrize(
    ("target", "name"),
    [pytest.param(*key, marks=[pytest.mark.rtl] if key[0] == "rtl" else []) for key in COUNTS],
)
def test_random_products(target, name):
    """Any shape, option or memory timing that changes one bit of the result."""
    seed = int(os.environ.get("WEFT_SEED", np.random.SeedSequence().generate_state(1)[0]))
    rng = np.random.default_rng(seed)
    array = preset(name).tile.array_rows
    done = 0
    while done < COUNTS[target, name]:
        dram = Dram(
            size_bytes=1 << 23,
            latency_cycles=int(rng.integers(1, 300)),
            bytes_per_cycle=int(rng.choice([1, 2, 4, 8, 16, 32])),
            stall_probability=float(rng.choice([0.0, 0.1, 0.5])),
            stall_seed=int(rng.integers(1, 2**31)),
        )
        with Device(target, name, dram=dram) as device:
            for _ in range(5):
                m, k, n = (_size(rng, array) for _ in range(3))
                a = int8(rng, m, k)
                b = int8(rng, k, n)
                bias = (
                    rng.integers(-(2**20), 2**20, n, dtype=np.int32) if rng.random() < 0.5 else None
                )
                options = {"bias": bias}
                sums = matmul_int8(a, b)
                if rng.random() < 0.5:
                    scale = (2.0 ** rng.uniform(-14, -4, n)).astype(np.float32)
                    zero = int(rng.integers(-20, 20))
                    residual = int8(rng, m, n) if rng.random() < 0.3 else None
                    relu = bool(rng.random() < 0.5)
                    options |= {
                        "scale": scale,
                        "zero_point": zero,
                        "residual": residual,
                        "relu": relu,
                    }
                    want = requantise(
                        sums, scale, zero_point=zero, clamp_min=zero if relu else -128, bias=bias,
                        residual=residual,
                    )  # fmt: skip
                else:
                    want = sums if bias is None else vector_int32(sums, bias)
                got = np.asarray(device.matmul(a, b, **options))
                given = sorted(name for name in options if options[name] is not None)
                message = f"WEFT_SEED={seed}: {m}x{k}x{n}, {given}, {dram}"
                np.testing.assert_array_equal(got, want, err_msg=message)
                done += 1
