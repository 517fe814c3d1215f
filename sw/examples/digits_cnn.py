"""Handwritten digits read by a convolutional network in int8.

``python sw/examples/digits_cnn.py [--target model|rtl] [--preset base] [--images 100]``
"""

from __future__ import annotations

import argparse

from weft.device import Device
from weft.models.digits import DigitsCnn, train_digits_cnn
from weft_sim.dram import Dram


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", default="model", help="model or rtl")
    parser.add_argument("--preset", default="base")
    parser.add_argument("--images", type=int, default=100)
    options = parser.parse_args()
    digits = train_digits_cnn()
    images, labels = digits.images[: options.images], digits.labels[: options.images]
    everything = digits.network.reference(digits.images).argmax(axis=1)
    print(f"trained on {digits.train_count} images; on {len(digits.labels)} others:")
    print(f"  float {digits.float_accuracy:.2%}, int8 {(everything == digits.labels).mean():.2%}")
    with Device(options.target, options.preset, dram=Dram(size_bytes=1 << 24)) as device:
        network = DigitsCnn(device, digits.network)
        before = device.target.cycle
        sums = network.submit(images).numpy()
        cycles = device.target.cycle - before
    same = (sums == digits.network.reference(images)).all()
    print(f"{len(images)} images on {options.preset} ({options.target}): {cycles} cycles")
    print(f"  {(sums.argmax(axis=1) == labels).mean():.2%} right; every logit as expected: {same}")


if __name__ == "__main__":
    main()
