"""Layout search: the fastest layout of a job that divides and fits, the same budget for any
machine.

Every combination of tensor, pipeline, data, context, expert and micro-batch that divides is priced
with its deepest interleaves and the cheapest memory policy that fits; nothing is sampled, so GPU
and Weft are searched alike. A job may leave up to `idle_share` of the chips unused and move its
batch by `batch_tolerance`, as operators do when numbers do not divide. Layer and head costs depend
only on (tensor, context, expert, micro-batch, recompute) and are shared.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from weft.fleet.constants import Constants, default_constants
from weft.fleet.errors import FleetError, InfeasibleError
from weft.fleet.machines import Machine
from weft.fleet.models import ModelShape
from weft.fleet.training.layout import Layout, check_layout, layers_per_stage
from weft.fleet.training.memory import memory_use, room_bytes
from weft.fleet.training.step import StepCache, StepResult, train_step

__all__ = ["SearchResult", "search_layout"]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The best layouts, fastest first."""

    best: StepResult
    runners_up: tuple[StepResult, ...]
    considered: int
    """Layouts that divide the job."""
    fitting: int
    """Of those, the ones that fit memory and were priced."""


def _divisors(n: int, limit: int) -> list[int]:
    return [d for d in range(1, min(n, limit) + 1) if n % d == 0]


def _batch(target: int, step: int, tolerance: float) -> int | None:
    """The multiple of `step` nearest to `target`, if within `tolerance`."""
    near = max(1, round(target / step)) * step
    return near if abs(near - target) <= tolerance * target else None


def _candidates(
    machine: Machine, model: ModelShape, chips: int, base: Layout, tolerance: float
) -> Iterator[Layout]:
    """All layouts of exactly `chips` chips that divide the model; `base` has batch and sequence."""
    widths = [t for t in _divisors(model.heads, machine.scaleup.chips) if chips % t == 0]
    widths = [t for t in widths if not model.dense_layers or model.d_ff % t == 0]
    contexts = [1] if base.seq <= 16384 else [c for c in (1, 2, 4, 8, 16, 32) if base.seq % c == 0]
    for tensor, context in itertools.product(widths, contexts):
        if (chips // tensor) % context:
            continue
        rest = chips // tensor // context
        for pipeline in _divisors(rest, model.layers):
            if model.layers % pipeline and (model.layers + 2) % pipeline:
                continue
            data = rest // pipeline
            experts = _divisors(model.experts, data) if model.experts else [1]
            experts = [e for e in experts if data % e == 0]
            for expert, micro in itertools.product(experts, (1, 2, 4, 8)):
                for rounds in {1, pipeline}:
                    batch = _batch(base.global_batch, data * micro * rounds, tolerance)
                    if batch is None or (
                        rounds == 1 and pipeline > 1 and batch % (data * micro * pipeline) == 0
                    ):
                        continue
                    yield replace(
                        base,
                        tensor=tensor,
                        pipeline=pipeline,
                        data=data,
                        context=context,
                        expert=expert,
                        microbatch=micro,
                        global_batch=batch,
                    )


def _variants(model: ModelShape, layout: Layout, room: float) -> list[Layout]:
    """The cheapest memory policy that fits, for the deepest interleave that divides."""
    stage = layers_per_stage(model, layout)
    interleaves = [1]
    if layout.pipeline > 1 and layout.microbatches % layout.pipeline == 0:
        interleaves = [v for v in _divisors(stage, 8)]
    chosen = []
    for interleave in interleaves[-2:]:
        for recompute, zero in (
            ("none", 1),
            ("none", 2),
            ("selective", 2),
            ("full", 2),
            ("full", 3),
        ):
            one = replace(layout, interleave=interleave, recompute=recompute, zero=zero)
            if memory_use(model, one).total_bytes <= room:
                chosen.append(one)
                break
    return chosen


def search_layout(
    machine: Machine,
    model: ModelShape,
    chips: int,
    *,
    global_batch: int,
    seq: int,
    precision: str = "bf16",
    keep: int = 5,
    idle_share: float = 0.2,
    batch_tolerance: float = 0.05,
    constants: Constants | None = None,
) -> SearchResult:
    """The layout with the most tokens per second on at most `chips` chips.

    Raises
    ------
    InfeasibleError
        when no layout divides, or none fits memory.
    """
    if chips < 1 or global_batch < 1 or seq < 1:
        raise FleetError(
            f"chips, global_batch and seq must be at least 1, not {chips}, {global_batch}, {seq}"
        )
    c = constants if constants is not None else default_constants()
    base = Layout(precision=precision, global_batch=global_batch, seq=seq)
    room = room_bytes(machine, c)
    cache: StepCache = {}
    considered = 0
    priced: list[StepResult] = []
    fewest = max(1, int(np.ceil(chips * (1.0 - idle_share))))
    for count in range(chips, fewest - 1, -1):
        if count != chips and count % min(8, chips):
            continue
        for layout in _candidates(machine, model, count, base, batch_tolerance):
            considered += 1
            for one in _variants(model, layout, room):
                check_layout(model, one, count)
                priced.append(train_step(machine, model, one, c, check_fit=False, cache=cache))
    if not considered:
        raise InfeasibleError(
            f"no layout of {chips} chips divides {model.name} and a batch of {global_batch} within "
            f"{batch_tolerance:.0%}",
            f"global_batch = {chips}",
        )
    if not priced:
        state = 16.0 * model.params
        raise InfeasibleError(
            f"{model.name} fits no layout of {chips} {machine.name} chips "
            f"({room / 1e9:.0f} GB each; weights, gradients and optimizer alone are "
            f"{state / 1e12:.2f} TB)",
            f"chips = {int(np.ceil(1.3 * state / room))}",
        )
    priced.sort(key=lambda r: -float(np.median(r.tokens_per_s)))
    return SearchResult(priced[0], tuple(priced[1:keep]), considered, len(priced))
