"""Pieces of work on several processes: all done once, failures told, nothing left running."""

import os
import signal
import time
from pathlib import Path

import pytest
from weft.synth.errors import FlowError
from weft.synth.processes import run_pieces


def _silent(text):
    """Progress that nobody looks at."""


@pytest.mark.parametrize("count", [1, 2, 5])
def test_every_piece_is_done_once(count):
    """A piece that two processes take, or none."""
    said = []

    def work(piece, say):
        say(f"piece {piece}")
        return piece, os.getpid()

    results = dict(run_pieces(work, [10, 20, 30], count, said.append))
    assert {index: piece for index, (piece, _) in results.items()} == {0: 10, 1: 20, 2: 30}
    where = {pid for _, pid in results.values()}
    assert (where == {os.getpid()}) == (count == 1)
    assert any("piece 30" in text for text in said)


def test_no_pieces():
    assert list(run_pieces(lambda piece, say: piece, [], 2, _silent)) == []


def test_results_come_as_they_end():
    """A long piece that holds up the short ones behind it."""

    def work(piece, say):
        time.sleep(piece)
        return piece

    order = [index for index, _ in run_pieces(work, [1.0, 0.0, 0.0], 2, _silent)]
    assert order == [1, 2, 0]


@pytest.mark.parametrize("count", [1, 2])
def test_a_failure_is_raised_where_the_results_are_taken(count):
    def work(piece, say):
        if piece == 2:
            raise ValueError("no library of that name")
        return piece

    with pytest.raises(ValueError, match="no library of that name"):
        list(run_pieces(work, [1, 2, 3, 4], count, _silent))


def test_a_killed_process_is_one_sentence():
    def work(piece, say):
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(FlowError, match=r"was ended from outside \(exit code -9\); with --jobs 1"):
        list(run_pieces(work, [1, 2], 2, _silent))


def test_an_interruption_ends_all_processes(tmp_path):
    """Processes that work on after Ctrl-C."""

    def work(piece, say):
        Path(tmp_path / str(os.getpid())).touch()
        if piece == 0:
            return piece
        time.sleep(60)

    def stop():
        for _ in run_pieces(work, [0, 1, 2], 2, _silent):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    for path in tmp_path.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(path.name), 0)
