"""One workload on part of a fleet: rate, power, where the peak goes. Numbers may be draws."""

from dataclasses import dataclass

import numpy as np

from weft.fleet.constants import Constants
from weft.fleet.errors import FleetError, InfeasibleError
from weft.fleet.machines import Machine
from weft.fleet.models import ModelShape
from weft.fleet.operators import OpCost
from weft.fleet.power import chip_power
from weft.fleet.quantity import Num
from weft.fleet.scenarios.specs import ServingSpec, TrainingSpec, layout_of
from weft.fleet.serving import ServingPlan, Slo, Speculation, Traffic, serve
from weft.fleet.training import (
    check_layout,
    goodput,
    search_layout,
    train_step,
    training_run,
)
from weft.fleet.training.layout import layers_per_stage
from weft.fleet.training.step import StepCache

__all__ = ["WorkResult", "serving_work", "training_work"]


@dataclass(frozen=True, slots=True)
class WorkResult:
    """A workload on `chips` chips of one kind, before the site."""

    kind: str
    """`training` or `serving`."""
    chips: int
    chips_in_step: int
    """Of one training job, or of one replica."""
    precision: str
    tflops_per_chip: Num
    """Model operations per chip and second, in productive time."""
    mfu: Num
    """The same over the dense peak."""
    step_s: Num
    """Training step, or iteration of the serving engine."""
    tokens_per_s: Num
    """Of all chips, delivered (training: after failures; serving: output tokens at the load)."""
    chip_w: Num
    waterfall: tuple[tuple[str, Num], ...]
    """From peak to delivered work, as shares of peak; the losses and `delivered` add up to 1."""
    details: dict[str, Num | str | int]


def _share(name: str, part: Num, whole: Num) -> tuple[str, Num]:
    return name, part / whole


def training_work(
    machine: Machine,
    model: ModelShape,
    spec: TrainingSpec,
    chips: int,
    c: Constants,
    *,
    limit_w: float | None = None,
) -> WorkResult:
    """A synchronous job, as many times as `chips` allow.

    Raises
    ------
    InfeasibleError
        if the layout does not divide the model, needs more chips than there are, or does not fit.
    """
    layout = layout_of(spec)
    peak = machine.peak(spec.precision)
    if spec.search:
        found = search_layout(
            machine,
            model,
            chips,
            global_batch=spec.global_batch,
            seq=spec.seq,
            precision=spec.precision,
        )
        layout = found.best.layout
    elif layout.chips > chips:
        check_layout(model, layout, chips)
    cache: StepCache = {}
    step = train_step(machine, model, layout, c, cache=cache)
    good = goodput(machine, model, layout.chips, c)
    (layer, head) = next(iter(cache.values()))
    layers, rounds = layers_per_stage(model, layout), layout.microbatches
    one = (layer.forward, layer.backward, layer.recomputed)
    memory = rounds * (layers * sum(o.memory_bytes for o in one) + head.memory_bytes)
    work = OpCost(
        "step",
        step.hardware_flops / layout.chips,
        memory,
        rounds * layers * layer.network.network_bytes,
        step.step_s,
        rounds * (layers * sum(o.compute_s for o in one) + head.compute_s),
        rounds * (layers * sum(o.memory_s for o in one) + head.memory_s),
    )
    power = chip_power(machine, work, spec.precision, c, limit_w=limit_w)
    # what the training model leaves unexplained, from rows it was not fitted on
    left = c["residual.training_x"]
    step_s = step.step_s * power.slowdown * left
    ideal = step.model_flops / layout.chips / peak
    live = good.effective_share
    jobs = chips // layout.chips
    parts = (
        ("kernels below peak", np.maximum(step.compute_s - ideal, 0.0)),
        ("recomputation", step.recompute_s),
        ("tensor and expert traffic", step.tensor_network_s),
        ("pipeline sends", step.pipeline_send_s),
        ("pipeline bubble", step.bubble_s),
        ("data-parallel traffic", step.data_network_s),
        ("optimizer", step.optimizer_s),
        ("stragglers and framework", step.slowdown_s),
        ("power limit and residual", step_s - step.step_s),
    )
    losses = [_share(name, part, step_s) for name, part in parts]
    done = ideal / step_s
    losses.append(("failures and checkpoints", done * (1.0 - live)))
    tokens = layout.tokens_per_step / step_s * live * jobs
    details: dict[str, Num | str | int] = {
        "layout": (
            f"tensor {layout.tensor}, pipeline {layout.pipeline} x{layout.interleave}, "
            f"data {layout.data}, context {layout.context}, expert {layout.expert}, "
            f"micro-batch {layout.microbatch}, recompute {layout.recompute}, ZeRO {layout.zero}"
        ),
        "chips per job": layout.chips,
        "jobs": jobs,
        "effective training share": live,
        "hours between interruptions": good.mtbf_h,
        "memory per chip, GB": step.memory.total_bytes / 1e9,
    }
    if spec.tokens is not None:
        run = training_run(spec.tokens, layout.tokens_per_step / step_s, layout.chips, live)
        details["days of one run"] = run.days
        details["chip-hours of one run"] = run.chip_hours
    return WorkResult(
        kind="training",
        chips=chips,
        chips_in_step=layout.chips,
        precision=spec.precision,
        tflops_per_chip=step.model_flops / layout.chips / step_s / 1e12,
        mfu=done,
        step_s=step_s,
        tokens_per_s=tokens,
        chip_w=power.power_w,
        waterfall=(*losses, ("delivered", done * live)),
        details=details,
    )


def _speculation(spec: ServingSpec) -> Speculation | None:
    if spec.draft_tokens is None and spec.acceptance is None:
        return None
    if spec.draft_tokens is None or spec.acceptance is None:
        raise FleetError("draft_tokens and acceptance belong together; give both or neither")
    return Speculation(spec.draft_tokens, spec.acceptance)


def serving_work(
    machine: Machine,
    model: ModelShape,
    spec: ServingSpec,
    chips: int,
    c: Constants,
    *,
    node_chips: int = 8,
    leave_rest: bool = False,
    limit_w: float | None = None,
) -> WorkResult:
    """Replicas that answer requests at the largest load within the objectives, or a given one.

    Raises
    ------
    InfeasibleError
        if the model does not fit, the load is above saturation, or the objectives cannot be met.

    Notes
    -----
    `leave_rest`: chips that make no whole replica stay idle instead of being refused.
    """
    plan = ServingPlan(
        precision=spec.precision,
        kv_precision=spec.kv_precision,
        tensor=spec.tensor,
        expert=spec.expert,
        max_batch=spec.batch,
        speculation=_speculation(spec),
        node_chips=node_chips,
    )
    if plan.replica_chips > chips:
        raise InfeasibleError(
            f"a replica of tensor x expert = {plan.replica_chips} chips needs more than the "
            f"{chips} there are",
            f"count = {plan.replica_chips}",
        )
    peak = machine.peak(spec.precision)
    busy = chips // plan.replica_chips * plan.replica_chips if leave_rest else chips
    result = serve(
        machine,
        model,
        Traffic(spec.input_tokens, spec.output_tokens),
        plan,
        c,
        chips=busy,
        load_requests_per_s=spec.requests_per_s,
        slo=Slo(spec.ttft_s, spec.tpot_s),
    )
    work = result.work
    power = chip_power(machine, work, spec.precision, c, limit_w=limit_w)
    # what the serving model leaves unexplained, from rows it was not fitted on
    stretch = power.slowdown * c["residual.mlperf_llama2_other_x"]
    step_s = result.iteration_s * stretch
    ideal = work.flops / peak
    time = work.time_s * stretch
    flops = work.flops / time
    kernels = np.clip(work.compute_s - ideal, 0.0, time - ideal)
    memory = np.clip(work.memory_s - work.compute_s, 0.0, time - ideal - kernels)
    limit = time - work.time_s
    tokens = result.tokens_per_s
    if spec.requests_per_s is None:
        # the load was set for the middle of the draws; capacity moves with each draw
        used = float(np.median(result.utilisation))
        tokens = result.saturation_requests_per_s * used * spec.output_tokens
    rest = time - ideal - kernels - memory - limit
    return WorkResult(
        kind="serving",
        chips=chips,
        chips_in_step=plan.replica_chips,
        precision=spec.precision,
        tflops_per_chip=flops / 1e12,
        mfu=flops / peak,
        step_s=step_s,
        tokens_per_s=tokens / stretch if spec.requests_per_s is None else tokens,
        chip_w=power.power_w,
        waterfall=(
            _share("kernels below peak", kernels, time),
            _share("waiting for memory", memory, time),
            _share("links, launches, engine", rest, time),
            _share("power limit and residual", limit, time),
            ("delivered", ideal / time),
        ),
        details={
            "replica": f"{plan.replica_chips} chips, {spec.precision}",
            "requests per second": result.requests_per_s,
            "sequences per replica": result.batch,
            "load over saturation": result.utilisation,
            "time to first token (p99), s": result.ttft_s,
            "time per output token, s": result.tpot_s * stretch,
        },
    )
