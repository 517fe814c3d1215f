"""Sentences to vectors by MiniLM-L6 in bf16, and which of them mean the same.

``python sw/examples/minilm.py [--target model|rtl] [sentence ...]``; needs the extra ``minilm``.
"""

from __future__ import annotations

import argparse

import numpy as np
from weft.device import Device
from weft.models.minilm import MiniLmEncoder, encode_fp32, load_minilm
from weft_sim.dram import Dram

_SENTENCES = [
    "The cat sits on the warm windowsill.",
    "A kitten is resting by the window.",
    "Stock markets fell sharply after the announcement.",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sentences", nargs="*", default=_SENTENCES)
    parser.add_argument("--target", default="model", help="model or rtl")
    options = parser.parse_args()
    model = load_minilm()
    want = encode_fp32(model, options.sentences)
    # weights, tables and activations take 46 MB
    with Device(options.target, "base", dram=Dram(size_bytes=1 << 26)) as device:
        encoder = MiniLmEncoder(device, model)
        vectors = []
        for sentence in options.sentences:
            before = device.target.cycle
            vectors.append(encoder.encode([sentence])[0])
            print(
                f"{device.target.cycle - before:9d} cycles, {len(model.tokens(sentence)):2d} "
                f"tokens: {sentence}"
            )
    found = np.stack(vectors)
    print("cosine to fp32:", " ".join(f"{cosine:.6f}" for cosine in np.sum(found * want, axis=1)))
    similar = found @ found.T - 2 * np.eye(len(found))
    for number, sentence in enumerate(options.sentences):
        nearest = int(similar[number].argmax())
        print(f"{similar[number, nearest]:6.3f}  {sentence}  ~  {options.sentences[nearest]}")


if __name__ == "__main__":
    main()
