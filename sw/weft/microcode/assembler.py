"""Writes microprograms: values for registers, names for streams and scalars, operators."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from weft_hw.vector.microcode import REGISTERS, Fill, Op

from .errors import MicrocodeError
from .operands import Mask, Operand, Scalar, StreamName, Value
from .operations import Operations, Step
from .program import Program
from .registers import Use, allocate
from .words import Word, encode

__all__ = ["Assembler", "Mask", "Operand", "Scalar", "StreamName", "Value"]

_STREAMS = _SCALARS = 4


class Assembler(Operations):
    """A program while it is written.

    Operations give a ``Value``, which a register will hold; ``+``, ``-`` and ``*`` on values and
    numbers are fp32 operations. A number as an operand becomes an immediate.

    Parameters
    ----------
    name : str
        for listings and errors.
    lanes : int, optional
        C of the tile; reductions need it.
    entries : int
        that a program may take.
    """

    def __init__(self, name: str, *, lanes: int | None = None, entries: int = 256) -> None:
        super().__init__(name, lanes)
        self._entries = entries
        self._streams: list[StreamName] = []
        self._scalars: list[Scalar] = []
        self._loop: int | None = None
        self._loops: list[tuple[int, int]] = []

    # --- what the command supplies ------------------------------------------------------------

    def source(self, name: str) -> StreamName:
        """A stream that is read."""
        return self._stream(name, False)

    def target(self, name: str) -> StreamName:
        """A stream that is written; it may be read too."""
        return self._stream(name, True)

    def _stream(self, name: str, written: bool) -> StreamName:
        if name in (stream.name for stream in self._streams):
            raise self._error(f"a stream's name must be its own, but {name!r} is taken")
        if len(self._streams) == _STREAMS:
            raise self._error(f"a program must have at most {_STREAMS} streams, not also {name!r}")
        self._streams.append(StreamName(self, name, len(self._streams), written))
        return self._streams[-1]

    def scalar(self, name: str) -> Scalar:
        """A number that comes with the command, for all lanes."""
        if len(self._scalars) == _SCALARS:
            raise self._error(f"a program must have at most {_SCALARS} scalars, not also {name!r}")
        self._scalars.append(Scalar(self, name, len(self._scalars)))
        return self._scalars[-1]

    # --- streams and loops --------------------------------------------------------------------

    def load(self, stream: StreamName, *, fill: Fill = Fill.ZERO, integer: bool = False) -> Value:
        """The vector of this row and block; ``fill`` beyond N."""
        self._own(stream)
        fields = {"stream": stream.number, "fill": fill, "integer": int(integer)}
        return self._emit(Op.LOAD, fields=fields)

    def store(
        self, stream: StreamName, value: Value, *, integer: bool = False, saturate: bool = False
    ) -> None:
        """Writes the vector of this row and block."""
        self._own(stream)
        if not stream.written:
            raise self._error(f"stream {stream.name!r} must be a target to be stored to")
        fields = {"stream": stream.number, "integer": int(integer), "saturate": int(saturate)}
        self._steps.append(Step(Op.STORE, a=self._own(value), fields=fields))

    @contextmanager
    def loop(self) -> Iterator[None]:
        """What is written inside runs for each column block."""
        if self._loop is not None:
            raise self._error("loops must not be nested; end the first one before")
        self._loop = len(self._steps)
        # later rounds would see another one
        self._mask = None
        self._steps.append(Step(Op.LOOP))
        yield
        if len(self._steps) == self._loop + 1:
            raise self._error("a loop must hold an instruction; leave it out")
        self._loops.append((self._loop, len(self._steps)))
        self._steps.append(Step(Op.NEXT))
        self._loop = None

    # --- the end ------------------------------------------------------------------------------

    def build(self) -> Program:
        """The program.

        Raises
        ------
        MicrocodeError
            if it is too long, needs too many registers, or stores nothing.
        """
        if self._loop is not None:
            raise self._error("a loop must end before the program does")
        if all(step.op is not Op.STORE for step in self._steps):
            raise self._error("a program must store something")
        steps = [*self._constants.values(), *self._steps]
        shift = len(self._constants)
        loops = [(begin + shift, end + shift) for begin, end in self._loops]
        if len(steps) >= self._entries:
            raise self._error(
                f"a program must have at most {self._entries} instructions, not {len(steps) + 1}"
            )
        try:
            places = allocate([_use(step) for step in steps], loops, REGISTERS)
        except MicrocodeError as error:
            raise self._error(str(error)) from None
        words = [_word(step, places) for step in steps]
        return Program(
            name=self.name,
            words=encode([*words, Word(op=Op.END)]),
            streams=tuple(stream.name for stream in self._streams),
            written=frozenset(stream.name for stream in self._streams if stream.written),
            scalars=tuple(scalar.name for scalar in self._scalars),
            registers=len(set(places.values())),
            lanes=self.lanes,
        )


def _use(step: Step) -> Use:
    reads = tuple(value.number for value in (step.a, step.b) if value is not None)
    return Use(reads, None if step.d is None else step.d.number)


def _word(step: Step, places: dict[int, int]) -> Word:
    fields = dict(step.fields)
    for name, value in (("d", step.d), ("a", step.a), ("b", step.b)):
        if value is not None:
            fields[name] = places[value.number]
    return Word(op=step.op, **fields)
