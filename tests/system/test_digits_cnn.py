"""The digits network: trained, quantised, on a device."""

import numpy as np
import pytest
from weft import Device
from weft.models.digits import DigitsCnn, TrainedDigits, train_digits_cnn
from weft.models.digits.windows import fold, unfold
from weft_sim.dram import Dram


@pytest.fixture(scope="module")
def digits() -> TrainedDigits:
    return train_digits_cnn()


@pytest.mark.slow
def test_int8_is_as_good_as_float(digits: TrainedDigits) -> None:
    """On 599 images that training has not seen: at most half a point less."""
    found = digits.network.reference(digits.images).argmax(axis=1)
    accuracy = float((found == digits.labels).mean())
    assert digits.float_accuracy >= 0.97
    assert accuracy >= digits.float_accuracy - 0.005


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["base", "quad", "micro"])
def test_device_is_the_reference(digits: TrainedDigits, preset: str) -> None:
    """Every logit, on chips with and without floating point, of one tile and four."""
    images = digits.images[:12]
    with Device("model", preset, dram=Dram(size_bytes=1 << 22), debug=True) as device:
        got = DigitsCnn(device, digits.network).submit(images).numpy()
    np.testing.assert_array_equal(got, digits.network.reference(images))


@pytest.mark.parametrize("stride", [1, 2])
def test_fold_is_the_gradient_of_unfold(stride: int) -> None:
    """``<unfold(x), y> == <x, fold(y)>``."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 8, 8, 3))
    rows = unfold(x, stride)
    y = rng.standard_normal(rows.shape)
    assert np.vdot(rows, y) == pytest.approx(np.vdot(x, fold(y, x.shape, stride)))


def test_windows_are_in_the_order_of_weights() -> None:
    """Kernel row, kernel column, channel, with zeros around."""
    images = np.arange(2 * 4 * 4 * 2).reshape(2, 4, 4, 2)
    rows = unfold(images, 1).reshape(2, 4, 4, 3, 3, 2)
    np.testing.assert_array_equal(rows[1, 2, 1], images[1, 1:4, 0:3])
    assert (rows[0, 0, 0, 0] == 0).all()
