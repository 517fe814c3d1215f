"""Clock, reset and the stepping of agents. The timing contract of every bench:

* The clock is the top-level port ``clk``, driven here and nowhere else; one cycle is ``PERIOD_NS``.
* Everything acts right after the rising edge: what it reads are the values before that edge, what
  it writes the design sees at the next one. Nothing awaits an edge of a signal the design drives,
  nor other simulation phases.
* ``Bench`` steps all agents from one task, in the order they were made, once a cycle.
* A test makes its own ``Bench`` and resets: state outlives tests of the same simulator process.
"""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Protocol

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.task import Task
from cocotb.triggers import RisingEdge

__all__ = ["ENVIRONMENT", "PERIOD_NS", "Agent", "Bench", "read"]

PERIOD_NS = 2

#: Variable that names the description (JSON) of the bench: parameters, ports and streams. Set by
#: ``run_bench``.
ENVIRONMENT = "WEFT_BENCH"


def read(handle: Any) -> int:
    """The value of a port as an unsigned integer, for what agents do every cycle: twenty times as
    fast as through cocotb's types, which know more than two states.
    """
    return int(handle._handle.get_signal_val_binstr(), 2)


class Agent(Protocol):
    """What ``Bench`` steps."""

    def reset(self) -> None:
        """Drives idle values and forgets everything."""

    def step(self) -> None:
        """One cycle: called after each rising edge out of reset."""

    def describe(self) -> str:
        """Where the agent stands, for the message of a test that got stuck."""


class Bench:
    """A design under test, its clock, its reset and its agents. A new one ends the one before.

    Members
    -------
    parameters : dict
        what the pytest function gave to ``run_bench(parameters=...)``
    rng : numpy.random.Generator
        seeded from the run's seed and the test's name
    cycle : int
        rising edges since the last reset
    """

    _tasks: ClassVar[list[Task[None]]] = []

    def __init__(self, dut: Any):
        description = json.loads(Path(os.environ[ENVIRONMENT]).read_text())
        self.dut = dut
        self.parameters: dict[str, Any] = description["parameters"]
        self.ports: dict[str, dict[str, Any]] = description["ports"]
        self.rng = np.random.default_rng(random.getrandbits(64))
        self.cycle = 0
        self._agents: list[Agent] = []
        self._running = False
        if not hasattr(dut, "clk"):
            raise ValueError("a bench must have a design with a clock, not a combinational one")
        for name, port in self.ports.items():
            if port["direction"] == "in":
                self.port(name).value = 0
        dut.rst.value = 1
        for task in Bench._tasks:
            task.cancel()
        clock = Clock(dut.clk, PERIOD_NS, unit="ns")
        Bench._tasks = [clock.start(), cocotb.start_soon(self._step_all())]

    def port(self, name: str) -> Any:
        """The handle of a port.

        Raises
        ------
        ValueError
            if the design has no such port, listing those it has.
        """
        if name not in self.ports:
            raise ValueError(f"port must be one of {', '.join(self.ports)}, not {name!r}")
        return self.dut[name]

    def add(self, agent: Agent) -> None:
        """Steps ``agent`` from now on."""
        self._agents.append(agent)

    async def reset(self, cycles: int = 3) -> None:
        """Holds reset for ``cycles`` rising edges; agents forget what they hold. On return
        ``cycle`` is 0.
        """
        self._running = False
        self.dut.rst.value = 1
        for agent in self._agents:
            agent.reset()
        for _ in range(cycles):
            await RisingEdge(self.dut.clk)
        self.dut.rst.value = 0
        self._running = True
        self.cycle = 0

    async def cycles(self, count: int = 1) -> None:
        """Waits for ``count`` rising edges."""
        for _ in range(count):
            await RisingEdge(self.dut.clk)

    async def until(self, condition: Callable[[], Any], *, cycles: int, what: str) -> None:
        """Waits until ``condition()`` holds, looking once a cycle.

        Raises
        ------
        AssertionError
            if it does not within ``cycles``, with ``what`` and the state of all agents.
        """
        for _ in range(cycles):
            if condition():
                return
            await RisingEdge(self.dut.clk)
        if not condition():
            state = "\n  ".join(agent.describe() for agent in self._agents)
            raise AssertionError(f"{what} must happen within {cycles} cycles; agents:\n  {state}")

    async def _step_all(self) -> None:
        edge = RisingEdge(self.dut.clk)
        while True:
            await edge
            if self._running:
                self.cycle += 1
                for agent in self._agents:
                    agent.step()
