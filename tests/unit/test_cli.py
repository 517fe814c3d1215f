"""The command line: every verb explains itself, and a mistake is one line and exit code 2."""

import json
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from weft.cli import VERBS, main
from weft.gemm import _shown
from weft_hw.presets import preset
from weft_hw.toml_config import dumps


@pytest.mark.parametrize("verb", VERBS)
def test_help(verb, capsys):
    """A verb whose module does not load, or that has no help."""
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    assert verb in capsys.readouterr().out


def test_all_verbs_are_listed(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert all(verb in out for verb in VERBS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gemm", "0", "4", "4"], "M must be between 1 and 65535, not 0"),
        (["gemm", "4", "70000", "4"], "K must be between 1 and 65535, not 70000"),
        (["gemm", "4", "4", "4", "--dtype", "fp64"], "dtype must be one of int8, int4, bf16"),
        (
            ["gemm", "4", "4", "4", "--dtype", "bf16", "--preset", "nano"],
            "dtype must be among the formats that nano is built with (int8), not bf16",
        ),
        (["gemm", "4", "4", "4", "--preset", "huge"], "config must be one of nano"),
        (["gemm", "4", "4", "4", "--preset", "no/such.toml"], "no/such.toml"),
        (["gemm", "4", "4", "4", "--target", "moon"], "target must be"),
        (
            ["gemm", "4", "4", "4", "--latency", "0"],
            "latency_cycles must be between 1 and 100,000, not 0",
        ),
        (
            ["gemm", "4", "4", "4", "--stall", "1.5"],
            "stall_probability must be between 0 and 0.95, not 1.5",
        ),
        (
            ["gemm", "4", "4", "4", "--scratchpad-kib", "3"],
            "scratchpad_kib must give a power of two of rows",
        ),
        (["gemm", "4", "4", "4", "--seed", "-1"], "seed must be at least 0, not -1"),
        (["gemm", "4", "4", "4", "--tiles", "2"], "tiles must be between 1 and 1, not 2"),
        (["gemm", "4", "4", "4", "--bytes-per-cycle", "0"], "bytes_per_cycle must be at least 1"),
        (["gemm", "4", "4", "4", "--target", "serial:/dev/x"], "target must be one of model, rtl"),
        (
            ["gemm", "4", "4", "4", "--preset", "fleet", "--target", "rtl"],
            "at most 16,384 processing elements to compile, not 1,048,576 (fleet)",
        ),
        (
            ["gemm", "60000", "60000", "4"],
            "a product that fits 4,096 MiB of device memory, not 6,869 MiB",
        ),
        (["gemm", "2000", "2000", "2000", "--resident"], "must fit the scratchpad to be resident"),
        (["verilog", "--preset", "nope", "-o", "x"], "config must be one of nano"),
        (["verilog", "--preset", "nano", "-o", __file__], "cannot be written to as a folder: File"),
        (["bench", "--only", "nope"], "--only must be one of utilisation"),
        (["disasm"], "file must be given"),
        (["disasm", "/"], "/: cannot be read: Is a directory"),
        (["disasm", __file__], "must hold whole commands of 64 bytes, not"),
        (["disasm", "/dev/null"], "must hold commands of 64 bytes each, not none"),
        (["disasm", "/no/such/file"], "/no/such/file: cannot be read"),
        (["demo", "--preset", "nope"], "config must be one of nano"),
        (["demo", "--preset", "nano", "--target", "moon"], "target must be one of model, rtl"),
        (["demo", "--preset", "fleet"], "use target model, or a smaller chip"),
        (["demo", "--preset", "nano", "-o", __file__], "cannot be written to as a folder: File"),
        (["fleet", "--chip", "nope"], "nope"),
        (["fleet", "--seed", "-1"], "--seed must be at least 0, not -1"),
        (["fleet", "memphis", "--html", "/"], "/: cannot be written: Is a directory"),
        (["gpu-bench", "-o", f"{__file__}/x.csv"], "cannot be written to as a folder"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(arguments, message, capsys):
    """A traceback, or an exit code that a script cannot tell from success."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [line for line in captured.err.splitlines() if line.startswith("weft")]
    assert len(lines) == 1, captured.err
    assert message in lines[0]
    assert "Traceback" not in captured.err


def test_a_wrong_line_leaves_nothing_behind(tmp_path, capsys):
    """The folder of the report is tried out, and what tried it is removed."""
    assert main(["demo", "--preset", "nano", "--target", "moon", "-o", str(tmp_path / "d")]) == 2
    assert main(["fleet", "atlantis", "--html", str(tmp_path / "page.html")]) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "weft: interrupted; what was built is kept"),
        (PermissionError(13, "Permission denied", "x.v"), 2, "weft: x.v: Permission denied; give"),
        (MemoryError("no free block"), 2, "weft: no free block"),
        (ImportError("install it with: pip"), 2, "weft: install it with: pip"),
        (RuntimeError("the device failed"), 1, "weft: the device failed"),
    ],
)
def test_what_a_verb_raises_is_one_line_and_a_code(raised, code, line, monkeypatch, capsys):
    def fail(options):
        raise raised

    monkeypatch.setattr("weft.cli.doctor.run", fail)
    assert main(["doctor"]) == code
    assert capsys.readouterr().err.startswith(line)


@pytest.mark.parametrize(("size", "mib"), [(8, 64), (8192, 769)])
def test_a_large_product_gets_the_memory_it_needs(size, mib, monkeypatch):
    """Two operands of 2 bytes, sums and partial sums of 4, and 1 MiB: 12 bytes times 8192^2."""
    given = {}

    def report(m, k, n, dtype, config, target, seed, dram, *, progress, **_):
        given["bytes"] = dram.size_bytes if progress else 0
        raise ValueError("enough")

    monkeypatch.setattr("weft.gemm.gemm_report", report)
    assert main(["gemm", *[str(size)] * 3]) == 2
    assert given["bytes"] == mib << 20


def test_corrupt_configuration_names_its_line(tmp_path, capsys):
    bad = tmp_path / "chip.toml"
    text = dumps(preset("nano"))
    bad.write_text(text.replace("[mesh]", "wheels = 3\n[mesh]"))
    line = 1 + bad.read_text().splitlines().index("wheels = 3")
    assert main(["gemm", "4", "4", "4", "--preset", str(bad)]) == 2
    err = capsys.readouterr().err
    assert f"{bad}:{line}" in err
    assert "wheels" in err


def test_gemm_prints_one_json_object(capsys):
    assert main(["gemm", "5", "6", "7", "--preset", "nano", "--seed", "3", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    wanted = (
        "bit_exact cycles macs utilisation ceiling bytes_read bytes_written sim_cycles_per_second "
        "wall_s preset dtype target seed model_cycles model_error"
    )
    assert set(wanted.split()) <= report.keys()
    assert report["bit_exact"] is True
    assert report["macs"] == 5 * 6 * 7
    assert report["seed"] == 3
    assert 0 < report["utilisation"] < report["ceiling"] <= 1


def test_doctor_finds_the_toolchain(capsys):
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["missing"] == []


def test_doctor_misses_a_compiler(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    assert main(["doctor"]) == 1
    assert "apt-get install g++" in capsys.readouterr().out


def test_installed_program_runs():
    """The entry point of the package is missing."""
    done = subprocess.run(
        [sys.executable, "-m", "weft", "gemm", "0", "1", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("weft: M must be")


def test_a_long_run_says_which_cycle_it_is_in(monkeypatch, capsys):
    """A product that takes minutes looks as if it hung."""
    monkeypatch.setattr("weft_sim.rtl.progress._FIRST_S", 0.0)
    target = SimpleNamespace(cycle=100)
    shown = _shown(SimpleNamespace(target=target, config=preset("nano")), 5000)
    target.cycle = 1600
    printed, until = "", time.monotonic() + 30
    with shown:
        while not printed and time.monotonic() < until:
            time.sleep(0.01)
            printed += capsys.readouterr().err
    assert printed.startswith("running on nano: cycle 1,500 of about 5,000, 0 s")
