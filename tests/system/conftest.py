"""Devices for the system tests: what must hold on every target takes ``open_device``."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from weft import Device
from weft_sim.dram import Dram

#: Every system test runs on each of these.
TARGETS = [
    pytest.param("model", id="model"),
    pytest.param("rtl", id="rtl", marks=pytest.mark.rtl),
]


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest) -> str:
    """The name of a target."""
    return request.param


@pytest.fixture
def open_device(target: str) -> Iterator[Callable[..., Device]]:
    """Opens devices on the target, ``nano`` with 2 MiB unless told otherwise, and closes them after
    the test.
    """
    devices = []

    def open_one(config: Any = "nano", **options: Any) -> Device:
        options.setdefault("dram", Dram(size_bytes=1 << 21))
        device = Device(target, config, **options)
        devices.append(device)
        return device

    yield open_one
    for device in devices:
        device.close()
