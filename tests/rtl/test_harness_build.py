"""Building: ports, pieces, cache, toolchain."""

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from harness_copy import NARROW, copy_design
from weft_sim.rtl import BuildError, ToolchainError, cache
from weft_sim.rtl.bindings import bindings
from weft_sim.rtl.build import LIBRARY, build
from weft_sim.rtl.group import group
from weft_sim.rtl.ports import Port, top_ports
from weft_sim.rtl.progress import Progress
from weft_sim.rtl.toolchain import compiler
from weft_sim.rtl.wrapper import wrap

pytestmark = pytest.mark.rtl


def test_ports_are_read_from_the_verilog():
    ports = top_ports(copy_design(**NARROW).text, "weft_chip")
    assert ports["memory__1__wdata"] == Port("memory__1__wdata", "output", 32)
    assert ports["host__rvalid"] == Port("host__rvalid", "input", 1)
    with pytest.raises(ValueError, match=r"^the Verilog must contain the module other"):
        top_ports(copy_design(**NARROW).text, "other")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("interrupt", "irq", "the chip must have a port interrupt, and has none"),
        ("host__awid", "host__awident", "the chip must have a port host__awid, and has none"),
        ("memory__", "ram__", "the chip must have a port memory__0, and has none"),
        ("__store__start", "__fetch__start", "trace__0__fetch__start must name .* not 'fetch'"),
        ("[63:0] host__wdata", "[47:0] host__wdata", "host__wdata must have 32, .* bits, not 48"),
        ("[31:0] memory__1__", "[15:0] memory__1__", "memory__1__wdata must have .* not 16"),
    ],
)
def test_ports_that_do_not_fit_are_named(old, new, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        bindings(copy_design(**NARROW).text.replace(old, new), "weft_chip")


def test_wrapper_keeps_the_ports():
    design = copy_design(**NARROW)
    stepped = wrap(design, both_edges=True)
    assert set(top_ports(stepped.text, stepped.top).values()) == set(
        top_ports(design.text, design.top).values()
    )
    assert "posedge" not in stepped.text
    assert "@(posedge clk)" in wrap(design, both_edges=False).text


def test_pieces_hold_every_file_once(tmp_path):
    sources = []
    for i, size in enumerate((900, 500, 400, 300, 100, 50, 50)):
        sources.append(tmp_path / f"{i}.cpp")
        sources[-1].write_text("x" * size)
    pieces = group(sources, tmp_path, "piece", 800)
    lines = [line for piece in pieces for line in piece.read_text().splitlines()]
    assert sorted(lines) == sorted(f'#include "{source.name}"' for source in sources)
    assert sum(pieces.values()) == 2300
    assert len(pieces) == 3


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("WEFT_CACHE", raising=False)
    assert cache.build_root() == cache.checkout() / "build" / "rtl"
    monkeypatch.setenv("WEFT_CACHE", str(tmp_path / "mine"))
    assert cache.build_root() == tmp_path / "mine" / "rtl"
    monkeypatch.delenv("WEFT_CACHE")
    monkeypatch.setattr(cache, "checkout", lambda: None)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.build_root() == tmp_path / "weft" / "rtl"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.build_root() == Path.home() / ".cache" / "weft" / "rtl"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache.build_root() == Path.home() / "Library" / "Caches" / "weft" / "rtl"


def test_missing_compiler(monkeypatch, tmp_path):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolchainError, match=r"^a C\+\+ compiler was not found.*install g\+\+"):
        compiler()
    monkeypatch.setenv("CXX", "my-compiler")
    with pytest.raises(ToolchainError, match=r"^the C\+\+ compiler my-compiler \(from CXX\)"):
        compiler()


def test_verilog_that_is_refused(tmp_path):
    design = copy_design(**NARROW)
    broken = replace(design, text=design.text.replace("endmodule", "endmodul", 1))
    with pytest.raises(BuildError, match=r"(?s)^Verilator refused weft_chip_stepped: .*syntax"):
        build(broken, "broken", root=tmp_path)


def test_build_is_kept_shared_and_made_again_if_interrupted(tmp_path):
    """A build that is stale, made twice by two users beside each other, or left in pieces."""
    script = (
        "import sys; from pathlib import Path; from harness_copy import NARROW, copy_design\n"
        "from weft_sim.rtl.build import build\n"
        "print(build(copy_design(**NARROW), 'shared', root=Path(sys.argv[1])))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", script, str(tmp_path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    first = subprocess.Popen(command, env=environment, **pipes)
    while not list(tmp_path.glob("*.partial")):
        assert first.poll() is None
        time.sleep(0.01)
    first.kill()
    first.communicate()
    assert not list(tmp_path.glob(f"shared-*/{LIBRARY}"))
    users = [subprocess.Popen(command, env=environment, **pipes) for _ in range(2)]
    results = [user.communicate() for user in users]
    assert [user.returncode for user in users] == [0, 0], results
    library = results[0][0].strip()
    assert results[1][0].strip() == library
    assert not list(tmp_path.glob("*.partial"))
    assert sum("building shared" in errors for _, errors in results) == 1
    assert any("waiting for another build of shared" in errors for _, errors in results)
    stamp = Path(library).stat().st_mtime_ns
    assert str(build(copy_design(**NARROW), "shared", root=tmp_path)) == library
    assert Path(library).stat().st_mtime_ns == stamp
    described = json.loads((Path(library).parent / "build.json").read_text())
    assert described["seconds"]["processor"] > 0


def test_progress_tells_what_takes_long(capsys):
    with Progress("quick work") as progress:
        progress.step = "a step"
    assert capsys.readouterr().err == ""

    def work():
        with Progress("slow work") as progress:
            progress.step = "a step"
            threading.Event().wait(1.2)
            raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        work()
    assert capsys.readouterr().err == "slow work: a step, 1 s\nslow work: stopped, 1 s\n"
