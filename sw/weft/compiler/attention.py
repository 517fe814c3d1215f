"""Attention in the tiles: scores and probabilities never leave them.

A tile works on jobs, a block of queries of one head each. For each job the array multiplies queries
with transposed keys, a microprogram makes probabilities of the sums in the accumulators, the array
multiplies these with values, and another program converts the result, which is stored. Jobs take
turns with two sets of everything, or four where they fit, so that one job's sums are made while
another's probabilities are and further ones' operands come; keys and values of a head stay while
its blocks of queries pass.

::

    load    Q1 K1 V1 | Q2 K2 V2 |            Q3 ...
    array        S1  |  S2   O1 |  O2   S3 ...
    vector           |  P1      |  P2   C1  ...
    store                                  O1 ...
"""

from __future__ import annotations

from collections.abc import Sequence

from weft_hw.config import ChipConfig
from weft_hw.formats.table import Format
from weft_hw.isa import Opcode

from .attention_task import (
    AttentionTask,
    Job,
    JobRows,
    Matrix,
    Program,
    accumulators_of,
    sets_of,
)
from .drain import stream
from .layout import layout_of
from .program import Step
from .task import ceil_div

__all__ = ["attention_programs"]


def attention_programs(
    config: ChipConfig,
    task: AttentionTask,
    jobs: Sequence[Sequence[Job]],
    tiles: Sequence[tuple[int, int]],
) -> list[list[Step]]:
    """The steps of each tile for its jobs, in ring order."""
    return [
        _Tile(config, task, tile).steps(own) for tile, own in zip(tiles, jobs, strict=False) if own
    ]


class _Tile:
    """Emits the steps of one tile."""

    def __init__(self, config: ChipConfig, task: AttentionTask, tile: tuple[int, int]) -> None:
        self.config, self.task, self.tile = config, task, tile
        self.endpoint = tile[1] % config.mesh.memory_endpoints
        self.lanes = config.tile.array_cols
        self.operands = layout_of(config, task.format)
        self.found: list[Step] = []
        # last steps that use a set of keys and values, or what a job has
        self.heads: list[object] = []
        self.head_users: dict[int, Step] = {}
        self.head_of: list[int] = []
        self.ends: list[tuple[Step, Step, Step]] = []

    def steps(self, jobs: Sequence[Job]) -> list[Step]:
        """Each job's sums are begun before the job ahead of it is finished."""
        masks = [job.mask.format for job in jobs if job.mask is not None]
        self.rows = JobRows.of(self.config, self.task, masks[0] if masks else Format.FP32)
        self.first = self.rows.head(self.task)
        self.sets = sets_of(self.config, self.task, self.rows)
        # at the end: weights of the next product may be loaded ahead to the beginning
        size = self.first + self.task.block * self.rows.job
        end = self.config.tile.scratchpad_rows
        self.bases = [end - (self.sets - one) * size for one in range(self.sets)]
        sums = [self._sums(number, job) for number, job in enumerate(jobs[:1])]
        ready = [self._probabilities(0, jobs[0], sums[0])]
        if len(jobs) > 1:
            sums.append(self._sums(1, jobs[1]))
        for number, job in enumerate(jobs):
            product = self._product(number, job, ready[number])
            if number + 1 < len(jobs):
                following = number + 1
                ready.append(self._probabilities(following, jobs[following], sums[following]))
            self._finish(number, job, product)
            if number + 2 < len(jobs):
                sums.append(self._sums(number + 2, jobs[number + 2]))
        return self.found

    # places

    def _head_base(self, head: int) -> int:
        return self.bases[head % self.sets]

    def _places(self, number: int) -> dict[str, int]:
        """First rows of what a job has, after the keys and values of its set."""
        at = self.bases[number % self.sets] + self.first
        block, rows = self.task.block, self.rows
        found = {}
        for name, size in (
            ("query", rows.query),
            ("probability", rows.probability),
            ("operand", rows.operand),
            ("out", rows.out),
            ("mask", rows.mask),
        ):
            found[name] = at
            at += block * size
        return found

    def _accumulators(self, number: int) -> tuple[int, int]:
        """First accumulator rows of scores and of results: sets take turns with the halves."""
        which, half = number % self.sets, self.config.tile.accumulator_rows // 2
        first = which % 2 * half + which // 2 * accumulators_of(self.config, self.task)
        return first, first + self.task.block * ceil_div(self.task.keys, self.lanes)

    # steps

    def _add(
        self, opcode: Opcode, needs: Sequence[Step | None], cycles: int = 0, **fields: int
    ) -> Step:
        given = tuple(step for step in needs if step is not None)
        step = Step(opcode, self.tile, fields, given, cycles)
        self.found.append(step)
        return step

    def _load(
        self, needs: Sequence[Step | None], source: Matrix, first: int, rows: int, columns: int,
        local_row: int, **more: int,
    ) -> Step:  # fmt: skip
        layout = layout_of(self.config, source.format)
        size = layout.bytes_of(columns)
        fields = {
            "memory_address": source.address + first * source.pitch,
            "memory_stride": source.pitch if rows > 1 else size,
            "row_bytes": size,
            "rows": rows,
            "local_row": local_row,
            "local_stride": layout.rows_of(columns),
            "endpoint": self.endpoint,
        }
        return self._add(Opcode.LOAD, needs, **{**fields, **more})

    def _sums(self, number: int, job: Job) -> Step:
        """Operands of a job, and its scores."""
        task, places = self.task, self._places(number)
        sets = self.sets
        before = self.ends[number - sets] if number >= sets else (None, None, None)
        if not self.heads or self.heads[-1] != job.head:
            self.heads.append(job.head)
            head = len(self.heads) - 1
            needs = [self.head_users.get(head - sets)]
            base = self._head_base(head)
            self._load(
                needs, job.keys, 0, task.keys, task.depth, base,
                local_stride=self.rows.key, transpose=self.operands.bits.bit_length() - 3,
            )  # fmt: skip
            values = base + task.depth * self.rows.key
            self._load(needs, job.values, 0, task.keys, task.width, values)
        last = None
        if job.mask is not None:
            rows = job.rows if job.mask.pitch else 1
            first = job.first if job.mask.pitch else 0
            self._load(before, job.mask, first, rows, task.keys, places["mask"])
        last = self._load(before, job.queries, job.first, job.rows, task.depth, places["query"])
        scores, _ = self._accumulators(number)
        step = self._add(
            Opcode.MATMUL,
            [last, *before],
            m=job.rows,
            k=task.depth,
            n=task.keys,
            a_row=self.operands.unit(places["query"]),
            a_stride=self.operands.unit(self.rows.query),
            w_row=self.operands.unit(self._head_base(len(self.heads) - 1)),
            w_stride=self.operands.unit(self.rows.key),
            acc_row=scores,
            acc_stride=job.rows,
            format=task.format.value,
        )
        self.head_of.append(len(self.heads) - 1)
        return step

    def _run(
        self, program: Program, needs: Sequence[Step | None], job: Job, columns: int,
        *streams: tuple[Format, int, int, int, int],
    ) -> Step:  # fmt: skip
        fields = {"m": job.rows, "n": columns, "start": program.start}
        for number, one in enumerate(streams):
            fields |= stream(number, *one)
        for number, bits in enumerate(program.scalars):
            added = job.first if number == program.offset else 0
            fields[f"scalar{number}"] = (bits + added) & 0xFFFF_FFFF
        return self._add(Opcode.RUN, needs, program.row_cycles, **fields)

    def _local(self, code: Format, row: int, stride_rows: int) -> tuple[Format, int, int, int, int]:
        """A stream of rows in the scratchpad."""
        layout = layout_of(self.config, code)
        stride = layout.unit(stride_rows)
        return code, layout.unit(row), stride, layout.units_per_vector, 0

    def _probabilities(self, number: int, job: Job, sums: Step) -> Step:
        """Softmax of scores, as operands."""
        task, places = self.task, self._places(number)
        scores, _ = self._accumulators(number)
        code = Format.FP32 if task.is_float else Format.INT32
        streams = [(code, scores, 1, job.rows, 1)]
        if job.mask is not None:
            stride = self.rows.mask if job.mask.pitch else 0
            streams.append(self._local(job.mask.format, places["mask"], stride))
        target = self._local(Format.BF16, places["probability"], self.rows.probability)
        last = self._run(task.softmax, [sums], job, task.keys, *streams, target)
        if task.quantise is not None:
            operands = self._local(task.format, places["operand"], self.rows.operand)
            last = self._run(task.quantise, [], job, task.keys, target, operands)
        return last

    def _product(self, number: int, job: Job, ready: Step) -> Step:
        """Probabilities times values."""
        task, places = self.task, self._places(number)
        name = "operand" if task.quantise is not None else "probability"
        stride = self.rows.operand if task.quantise is not None else self.rows.probability
        head = self.head_of[number]
        values = self._head_base(head) + task.depth * self.rows.key
        _, results = self._accumulators(number)
        step = self._add(
            Opcode.MATMUL,
            [ready],
            m=job.rows,
            k=task.keys,
            n=task.width,
            a_row=self.operands.unit(places[name]),
            a_stride=self.operands.unit(stride),
            w_row=self.operands.unit(values),
            w_stride=self.operands.unit(self.rows.value),
            acc_row=results,
            acc_stride=job.rows,
            format=task.format.value,
        )
        self.head_users[head] = step
        return step

    def _finish(self, number: int, job: Job, product: Step) -> None:
        """Results on their way to memory."""
        task, places = self.task, self._places(number)
        _, results = self._accumulators(number)
        code = Format.FP32 if task.is_float else Format.INT32
        converted = self._run(
            task.finish,
            [product],
            job,
            task.width,
            (code, results, 1, job.rows, 1),
            self._local(task.out_format, places["out"], self.rows.out),
        )
        size = layout_of(self.config, task.out_format).bytes_of(task.width)
        stored = self._add(
            Opcode.STORE,
            [converted],
            memory_address=job.out.address + job.first * job.out.pitch,
            memory_stride=job.out.pitch if job.rows > 1 else size,
            row_bytes=size,
            rows=job.rows,
            local_row=places["out"],
            local_stride=self.rows.out,
            endpoint=self.endpoint,
        )
        self.ends.append((product, converted, stored))
