"""Handwritten digits on a Zynq-class board, by the driver that the simulations use.

Hardware: ``weft verilog --preset nano --wrapper zynq -o build/zynq``, then in Vivado package
``weft_nano_zynq.v`` as a block: ``s_axi`` (8 KiB) on a general-purpose port, ``m_axi_host`` and
``m_axi_mem_0`` through a SmartConnect on a high-performance port, ``interrupt`` on IRQ_F2P. In the
device tree the block is ``compatible = "generic-uio"``, and u-dma-buf has the memory.

On the board::

    python zynq_digits.py --bitstream weft.bit --device uio:/dev/uio0,/dev/udmabuf0

Without one, with files that stand in for both devices::

    python sw/examples/zynq_digits.py --simulate model
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

import numpy as np
from weft.demo.digits import train_digits
from weft.device import Device
from weft.kernels.linear import Linear
from weft.quantise import reference
from weft.targets import resolve_config
from weft.uio.stand_in import StandIn


def load_bitstream(path: str) -> None:
    """Configures the programmable logic as PYNQ does.

    Raises
    ------
    SystemExit
        without PYNQ, which only boards have.
    """
    try:
        pynq = import_module("pynq")
    except ModuleNotFoundError:
        raise SystemExit(
            "pynq is needed to load a bitstream, and was not found; run this on a board with "
            "PYNQ, or load the bitstream by other means and leave --bitstream out"
        ) from None
    pynq.Overlay(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--device", default="uio:/dev/uio0,/dev/udmabuf0", help="UIO device and buffer"
    )
    where.add_argument("--simulate", choices=["model", "rtl"], help="no board: files stand in")
    parser.add_argument("--bitstream", help="loaded first, by PYNQ")
    parser.add_argument("--preset", default="nano", help="simulated chip (default: nano)")
    parser.add_argument("--images", type=int, default=100)
    options = parser.parse_args()
    if options.bitstream:
        load_bitstream(options.bitstream)
    digits = train_digits()
    images = np.ascontiguousarray(digits.images[: options.images])
    labels = digits.labels[: options.images]
    with ExitStack() as stack:
        name = options.device
        if options.simulate:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            chip = resolve_config(options.preset)
            name = stack.enter_context(StandIn(folder, chip, kind=options.simulate)).name
        device = stack.enter_context(Device(name))
        x = device.array(images)
        before = device.target.cycle
        for layer in digits.layers:
            linear = Linear(device, layer.weight, layer.bias, scale=layer.scale, relu=layer.relu)
            x = linear.submit(x).wait()
        cycles = device.target.cycle - before
        scores = x.numpy()
    same = (scores == reference(digits.layers, images)).all()
    print(f"{len(images)} images: {cycles} cycles, {(scores.argmax(axis=1) == labels).mean():.2%}")
    print(f"every score as expected: {same}")


if __name__ == "__main__":
    main()
