"""What must hold on every chip that is not simulated in this process, whatever leads to it."""

import numpy as np
import pytest
from weft import Device
from weft.commands import pack
from weft.demo.digits import DigitsClassifier, train_digits
from weft.errors import DeviceError
from weft.hardware_target import HardwareTarget
from weft.kernels.linear import Linear
from weft.quantise import reference
from weft_hw.isa import Opcode, Status

__all__ = ["check_arguments", "check_digits", "check_nothing_recorded", "check_recovery"]


def check_digits(device: Device, count: int) -> tuple[DigitsClassifier, np.ndarray]:
    """Every layer of the digits network is bit-exact on ``count`` images. The network, and its
    scores, (count, 10) int8.
    """
    classifier = train_digits()
    images = np.ascontiguousarray(classifier.images[:count])
    layers = [
        Linear(device, layer.weight, layer.bias, scale=layer.scale, relu=layer.relu)
        for layer in classifier.layers
    ]
    x = device.array(images)
    for number, layer in enumerate(layers):
        x = layer.submit(x).wait()
        want = reference(classifier.layers[: number + 1], images)
        np.testing.assert_array_equal(x.numpy(), want, err_msg=f"layer {number}")
    return classifier, x.numpy()


def check_recovery(device: Device) -> None:
    """A command that fails is told, and the device can be used afterwards."""
    row_bytes = device.config.tile.row_bytes
    outside = pack(
        Opcode.LOAD,
        memory_address=len(device.target.memory),
        memory_stride=row_bytes,
        row_bytes=row_bytes,
        rows=1,
        local_stride=1,
    )
    with pytest.raises(DeviceError) as caught:
        device.submit([outside]).wait()
    assert caught.value.status is Status.WINDOW
    a = np.ones((4, 4), np.int8)
    np.testing.assert_array_equal(device.matmul(a, a).numpy(), np.full((4, 4), 4))


def check_nothing_recorded(target: HardwareTarget, kind: str) -> None:
    """A chip without a probe says so, and what to do, where a simulation would answer."""
    events = f"{kind} records no engine events; run the program with target 'model' or 'rtl'"
    target.set_tracing(False)
    with pytest.raises(RuntimeError, match=events):
        target.set_tracing(True)
    with pytest.raises(RuntimeError, match=events):
        target.trace()
    with pytest.raises(RuntimeError, match=f"{kind} records no port statistics"):
        target.statistics()


def check_arguments(target: HardwareTarget, last_offset: int) -> None:
    """A number out of range does not reach the chip cut to size."""
    for call, message in (
        (lambda: target.read_register(2), "offset must be a multiple of 4 from 0 to .* not 2"),
        (lambda: target.read_register(-4), "offset must be a multiple of 4 .* not -4"),
        (lambda: target.write_register(last_offset + 4, 0), f"from 0 to {last_offset:#x}, not"),
        (lambda: target.write_register(4, 2**32), "value must be between 0 .* not 4294967296"),
        (lambda: target.write_register(4, -1), "value must be between 0 .* not -1"),
        (lambda: target.run(-1), "max_cycles must be at least 0, not -1"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(TypeError, match="float"):
        target.run(1.5)
