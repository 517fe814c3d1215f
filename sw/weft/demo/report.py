"""The demo's HTML report."""

from __future__ import annotations

import html

from ..fleet.first_answer import FirstAnswer, render
from ..report.page import page, section, table, tiles
from ..report.timeline import spans_of, timeline_svg
from .digits import DigitsClassifier
from .energy import EnergyLine
from .run import DemoRun

__all__ = ["demo_report"]


def _layers(run: DemoRun) -> str:
    rows = []
    for number, layer in enumerate(run.layers, 1):
        cycles = layer.last_cycle - layer.first_cycle
        rows.append(
            (
                f"layer {number}",
                f"{layer.m} x {layer.k} x {layer.n}",
                f"{cycles:,}",
                f"{layer.m * layer.k * layer.n / run.config.peak_macs_per_cycle / cycles:.1%}",
                "bit-exact" if layer.bit_exact else f"{layer.mismatches:,} values differ",
            )
        )
    return table(("", "M x K x N", "cycles", "utilisation", "against the golden"), rows)


def _energy(lines: list[EnergyLine]) -> str:
    rows = [
        (
            line.part,
            f"{line.count:,}",
            line.count_unit,
            f"{line.unit_pj:.3g} ({line.unit_low_pj:.3g} to {line.unit_high_pj:.3g})",
            f"{line.energy_nj:,.0f} ({line.low_nj:,.0f} to {line.high_nj:,.0f})",
            line.source,
        )
        for line in lines
    ]
    return table(
        ("part", "count", "of", "pJ each (range)", "nJ (range)", "source of the unit cost"), rows
    )


def demo_report(
    classifier: DigitsClassifier,
    run: DemoRun,
    energy: list[EnergyLine],
    answer: FirstAnswer,
    modelled_cycles: int,
) -> str:
    """The page, as HTML."""
    config = run.config
    spans = spans_of(run.trace)
    # layers finish and start again at these cycles
    marks = {f"layer {number}": layer.first_cycle for number, layer in enumerate(run.layers, 1)}
    total = sum(line.energy_nj for line in energy)
    target = "the compiled RTL" if run.target == "rtl" else "the cycle model"
    return page(
        "Weft: a digits classifier on the simulated chip",
        f"{run.images} held-out images through a three-layer int8 network on {target} of preset "
        f"{config.name}: {config.mesh.cols} x {config.mesh.rows} tiles of "
        f"{config.tile.array_rows} x {config.tile.array_cols} processing elements.",
        tiles(
            (
                ("bit-exact" if run.bit_exact else "WRONG", "every layer against numpy"),
                (f"{run.accuracy:.2%}", f"accuracy (float: {classifier.float_accuracy:.2%})"),
                (f"{run.cycles:,}", "cycles, doorbell to last write"),
                (f"{run.utilisation:.1%}", "utilisation of the arrays"),
                (f"{total / run.images:,.1f} nJ", "modelled energy an image"),
            )
        ),
        section(
            "Layers",
            _layers(run),
            note="Each layer is its own submission: the next starts when the one before has been "
            "read back and compared, so the cycles of the run include the host's turns between "
            "layers.",
        ),
        section(
            "Timeline of the engines",
            timeline_svg(config, spans, marks),
            note="Commands on the four engines of each tile, from the chip's observation port. "
            "Gaps between layers are the host's. A bar is a command, or a run of commands too "
            "close to tell apart.",
        ),
        section(
            "Counts",
            table(
                ("counter, all tiles", "value"),
                ((name, f"{value:,}") for name, value in run.counters.items()),
            ),
            table(
                ("memory", "bytes"),
                (("read", f"{run.bytes_read:,}"), ("written", f"{run.bytes_written:,}")),
            ),
            note="Read from the hardware's counters. The cycle model predicted "
            f"{modelled_cycles:,} cycles for the same program "
            f"({modelled_cycles / run.cycles - 1:+.2%}).",
        ),
        section(
            "Energy, modelled",
            _energy(energy),
            note="Counts above times unit costs of synthesis at 7 nm before layout; nothing of it "
            "is measured on a chip. Leakage, host and memory background power are not in it.",
        ),
        section(
            "First fleet answer",
            f"<pre>{html.escape(render(answer))}</pre>",
            note="A first modelled estimate of a much larger chip (preset fleet) built from the "
            "same tile.",
        ),
    )
