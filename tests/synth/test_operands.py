"""Operands of every format in the form the array carries them, and stimulus made of them."""

import numpy as np
import pytest
from weft.synth.float_operands import rounded, words
from weft.synth.operands import WARM_UP, array_stimulus, row_stimulus, take_operands
from weft.synth.waveforms import _inertial


def _value(word):
    """The number that a 17-bit floating-point operand stands for."""
    significand, sign, exponent = word & 255, word >> 8 & 1, word >> 9
    return (-1) ** sign * significand / 128 * 2.0 ** (exponent - 127)


def test_floats_in_the_array_keep_their_value():
    numbers = rounded(np.array([0.0, 1.0, -2.5, 3e-3, -7e8], np.float32), "bf16")
    coded = words(numbers, "bf16", wide=True)
    assert [_value(int(word)) for word in coded] == pytest.approx(numbers.tolist())
    assert coded[0] == 0


def test_integers_in_the_array_carry_their_sign_twice():
    coded = words(np.array([5, -3], np.int8), "int8", wide=True)
    assert coded.tolist() == [5, 0xFD | 1 << 8]
    assert words(np.array([5, -3], np.int8), "int8", wide=False).tolist() == [5, -3]


@pytest.mark.parametrize("format", ["bf16", "fp8e4m3", "fp8e5m2", "mxfp8"])
def test_rounding_loses_no_more_than_the_format(format):
    values = np.random.default_rng(1).standard_normal((64, 64)).astype(np.float32)
    got = rounded(values, format, axis=1)
    # fp8 takes the largest number to the format's largest
    scale = np.abs(got).max() / np.abs(values).max() if format.startswith("fp8") else 1.0
    # MX numbers of 448 to 512 times their scale saturate: an eighth
    bound = {"bf16": 2**-8, "fp8e4m3": 2**-4, "fp8e5m2": 2**-3, "mxfp8": 2**-3}[format]
    large = np.abs(values) > 0.1
    assert np.max(np.abs(got / scale - values)[large] / np.abs(values[large])) <= bound


def test_int4_is_in_range():
    operands = take_operands("digits", "int4", 8, 4, 64, 2)
    for values in (operands.activations, operands.weights):
        assert values.min() >= -8
        assert values.max() <= 7
        assert values.any()


def test_sums_that_come_down_are_those_of_the_rows_above():
    operands = take_operands("random", "bf16", 8, 2, 16, 1)
    sums = operands.partial_sums(3, np.zeros(16, int)).astype(np.int32).view(np.float32)
    expected = operands.activations[:, :3] @ operands.weights[0, :3]
    assert sums == pytest.approx(expected, rel=1e-5)
    integers = take_operands("random", "int8", 8, 2, 16, 1)
    got = integers.partial_sums(5, np.zeros(16, int))
    wide = integers.activations[:, :5].astype(int) @ integers.weights[0, :5].astype(int)
    assert np.array_equal(got, wide)


def test_a_stimulus_visits_different_operands():
    values = array_stimulus("random", "int8", "held", rows=8, cols=1, vectors=64, wide=False)
    assert len(values["activation_i"]) == WARM_UP + 64 + 7 * 2
    assert values["load_i"].sum() == values["swap_i"].sum() == 8
    loaded = values["weights"][values["load_i"].astype(bool), 0]
    assert len(set(loaded.tolist())) > 4


def test_changing_weights_swap_every_r_vectors():
    operands = take_operands("random", "int8", 8, 1, 32, 4)
    values = row_stimulus(operands, "changing", wide=True, row=4)
    assert values["swap_i"].sum() == 4
    # the first weight, and the 4 rows from the last down to this one for each of 3 blocks
    assert values["load_i"].sum() == 1 + 3 * 4
    assert not values["float_i"].any()


@pytest.mark.parametrize(
    ("source", "format", "message"),
    [
        ("cats", "int8", "operand source must be one of zeros, random, digits, minilm, not 'cats'"),
        ("digits", "bf16", "operand source must be one of"),
        ("random", "fp4", "format must be one of int8"),
    ],
)
def test_unknown_operands(source, format, message):
    with pytest.raises(ValueError, match=message):
        take_operands(source, format, 8, 1, 16, 1)


@pytest.mark.parametrize("window", [1, 2, 3, 5, 9])
def test_inertial_delay_slot_by_slot(window):
    """The scan over slots differs from the definition: a value counts once it has lasted."""
    wave = np.random.default_rng(window).integers(0, 2, (40, 1), dtype=np.uint64)
    got = _inertial(wave, window)
    out = int(wave[0, 0])
    for slot in range(1, 39):
        last = wave[max(0, slot - window + 1) : slot + 1, 0].tolist()
        last += [int(wave[0, 0])] * (window - len(last))
        if all(value == 1 for value in last):
            out = 1
        elif all(value == 0 for value in last):
            out = 0
        assert int(got[slot, 0]) & 1 == out
