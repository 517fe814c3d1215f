"""Runs the classifier on a device and measures it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from weft_hw.config import ChipConfig
from weft_sim.dram import Dram

from ..device import Device
from ..kernels.linear import Linear
from ..quantise import reference
from ..targets import resolve_config
from .digits import DigitsClassifier

__all__ = ["DemoRun", "LayerRun", "run_classifier"]


@dataclass(frozen=True, slots=True)
class LayerRun:
    """One layer: its matmul ``m x k x n``, when it ran, and whether every value was right."""

    m: int
    k: int
    n: int
    first_cycle: int
    """The layer's doorbell."""
    last_cycle: int
    """Its last command's end."""
    bit_exact: bool
    mismatches: int


@dataclass(frozen=True, slots=True)
class DemoRun:
    """What the device did. ``cycles``: first doorbell to last write response. ``counters``: sums
    over all tiles of the hardware's own counters (``hw/README.md``), by name. ``trace``: engine
    events (``TRACE_DTYPE``)."""

    config: ChipConfig
    target: str
    layers: list[LayerRun]
    accuracy: float
    images: int
    cycles: int
    macs: int
    bytes_read: int
    bytes_written: int
    counters: dict[str, int]
    wall_s: float
    trace: np.ndarray = field(repr=False)

    @property
    def bit_exact(self) -> bool:
        return all(layer.bit_exact for layer in self.layers)

    @property
    def utilisation(self) -> float:
        """macs / (processing elements x cycles)."""
        return self.macs / (self.config.peak_macs_per_cycle * self.cycles)


def run_classifier(
    classifier: DigitsClassifier,
    target: str,
    preset: str | ChipConfig,
    dram: Dram | None = None,
    on_layer: Callable[[LayerRun], None] | None = None,
) -> DemoRun:
    """Runs all held-out images through the network, layer by layer on the device, and compares
    every layer's output with the numpy golden.

    Activations stay on the device between layers; ``on_layer`` is called with each finished layer.
    """
    from ..counters import read_counters

    config = resolve_config(preset)
    with Device(target, config, dram=dram) as device:
        layers = [
            Linear(device, layer.weight, layer.bias, scale=layer.scale, relu=layer.relu)
            for layer in classifier.layers
        ]
        x = device.array(classifier.images)
        before = device.target.statistics()
        device.target.set_tracing(True)
        runs: list[LayerRun] = []
        wall_s = 0.0
        first = last = 0
        for number, layer in enumerate(layers):
            start = time.perf_counter()
            event = layer.submit(x)
            x = event.wait()
            wall_s += time.perf_counter() - start
            last = device.target.statistics()["last_write_response_cycle"]
            first = event.doorbell_cycle if number == 0 else first
            want = reference(classifier.layers[: number + 1], classifier.images)
            wrong = int(np.count_nonzero(x.numpy() != want))
            run = LayerRun(
                m=len(classifier.images),
                k=layer.shape[0],
                n=layer.shape[1],
                first_cycle=event.doorbell_cycle,
                last_cycle=event.end_cycle,
                bit_exact=wrong == 0,
                mismatches=wrong,
            )
            runs.append(run)
            if on_layer is not None:
                on_layer(run)
        answers = np.argmax(x.numpy(), axis=1)
        after = device.target.statistics()
        return DemoRun(
            config=config,
            target=target,
            layers=runs,
            accuracy=float(np.mean(answers == classifier.labels)),
            images=len(classifier.images),
            cycles=last - first,
            macs=sum(run.m * run.k * run.n for run in runs),
            bytes_read=after["bytes_read"] - before["bytes_read"],
            bytes_written=after["bytes_written"] - before["bytes_written"],
            counters=read_counters(device),
            wall_s=wall_s,
            trace=device.target.trace(),
        )
