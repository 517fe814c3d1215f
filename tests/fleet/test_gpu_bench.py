"""The GPU bench on a fake PyTorch and a fake NVML: counts, energy, files, refusals."""

import argparse
import csv
import json
from types import SimpleNamespace

import pytest
from weft.cli import gpu_bench as cli
from weft.gpu_bench import (
    COLUMNS,
    GpuBenchError,
    NvmlMeter,
    Plan,
    TorchBackend,
    run_bench,
)

RATE = 500e12
"""Operations per second of the fake device."""
WATTS = 600.0
IDLE_W = 75.0


class World:
    """The fake board: a clock that only work and sleep move, and an energy counter."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.joules = 0.0
        self.largest = 10**12
        self.calls: list[tuple] = []

    def work(self, flops: float, what: tuple) -> None:
        spent = flops / RATE + 1e-6
        self.calls.append(what)
        self.now_s += spent
        self.joules += WATTS * spent

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self.joules += IDLE_W * seconds


class Tensor:
    def __init__(self, world: World, shape: tuple[int, ...], dtype: str = "bf16") -> None:
        self.world, self.shape, self.dtype = world, shape, dtype

    def t(self) -> "Tensor":
        return Tensor(self.world, self.shape[::-1], self.dtype)

    def to(self, dtype: str) -> "Tensor":
        return Tensor(self.world, self.shape, dtype)

    def copy_(self, other: "Tensor") -> None:
        self.world.work(0.0, ("copy", self.shape))


class Event:
    def __init__(self, world: World) -> None:
        self.world, self.at = world, 0.0

    def record(self) -> None:
        self.at = self.world.now_s

    def elapsed_time(self, end: "Event") -> float:
        return (end.at - self.at) * 1e3


def fake_torch(world: World, capability: tuple[int, int] = (9, 0), available: bool = True):
    def make(*shape: int, device=None, dtype="bf16") -> Tensor:
        size = 1
        for n in shape:
            size *= n
        if size > world.largest:
            raise RuntimeError("CUDA out of memory. Tried to allocate\nmore")
        return Tensor(world, shape, dtype)

    def mm(a, b, out=None, **kind) -> None:
        assert a.shape[1] == b.shape[0]
        world.work(2.0 * a.shape[0] * a.shape[1] * b.shape[1], ("mm", a.dtype, a.shape, b.shape))

    def attend(q, k, v, is_causal, enable_gqa) -> None:
        assert k.shape == v.shape
        batch, heads, queries, dim = q.shape
        share = 0.5 if is_causal else 1.0
        world.work(4.0 * batch * heads * queries * k.shape[2] * dim * share, ("attend", q.shape))

    cuda = SimpleNamespace(
        is_available=lambda: available,
        device_count=lambda: 1,
        set_device=lambda i: None,
        get_device_name=lambda i: "Fake H100",
        get_device_capability=lambda i: capability,
        Event=lambda enable_timing: Event(world),
        synchronize=lambda: None,
        empty_cache=lambda: None,
    )
    return SimpleNamespace(
        cuda=cuda,
        __version__="9.9",
        version=SimpleNamespace(cuda="99.0"),
        device=lambda kind, i: f"{kind}:{i}",
        bfloat16="bf16",
        float32="fp32",
        uint8="uint8",
        float8_e4m3fn="fp8",
        randn=make,
        empty=make,
        ones=lambda shape, device, dtype: 1.0,
        empty_like=lambda t: Tensor(world, t.shape, t.dtype),
        randint=lambda low, high, shape, device, dtype: make(*shape, dtype=dtype),
        mm=mm,
        _scaled_mm=lambda a, b, scale_a, scale_b, out_dtype: mm(a, b),
        nn=SimpleNamespace(functional=SimpleNamespace(scaled_dot_product_attention=attend)),
    )


class NvmlError(Exception):
    pass


def fake_nvml(world: World, counter: bool = True, boards: int = 1):
    def handle(index: int) -> int:
        if index >= boards:
            raise NvmlError("Invalid Argument")
        return index

    def energy(_: int) -> float:
        if not counter:
            raise NvmlError("Not Supported")
        return world.joules * 1e3

    return SimpleNamespace(
        NVMLError=NvmlError,
        NVML_CLOCK_SM=1,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetHandleByIndex=handle,
        nvmlDeviceGetTotalEnergyConsumption=energy,
        nvmlDeviceGetPowerUsage=lambda h: WATTS * 1e3,
        nvmlDeviceGetEnforcedPowerLimit=lambda h: 700_000,
        nvmlDeviceGetClockInfo=lambda h, kind: 1755,
        nvmlSystemGetDriverVersion=lambda: b"999.1",
    )


PLAN = Plan(("llama3-8b",), (64,), (128,), (1,), (8,), 0.01, 2.0)


def bench(world: World, **kind):
    backend = TorchBackend(fake_torch(world, **kind))
    meter = NvmlMeter(fake_nvml(world), clock=lambda: world.now_s)
    return run_bench(PLAN, backend, meter, command="weft gpu-bench", sleep=world.sleep)


def test_rows_report_rate_power_and_energy_of_the_board():
    """A factor of two in operations, or energy over the wrong interval."""
    result = bench(World())
    gemms = [r for r in result.rows if r.kind == "gemm"]
    assert {r.dtype for r in gemms} == {"bf16", "fp8"}
    assert {r.shape for r in gemms} == {
        "64x4096x6144",
        "64x4096x4096",
        "64x4096x28672",
        "64x14336x4096",
    }
    for row in gemms:
        assert row.tflops == pytest.approx(RATE / 1e12, rel=0.2)
        assert row.watts == pytest.approx(WATTS)
        assert row.joules_per_run == pytest.approx(WATTS * row.time_us * 1e-6)
        assert row.power_method == "counter"
    assert result.idle_w == pytest.approx(IDLE_W)
    assert result.power_limit_w == 700


def test_joules_per_token_counts_every_layer_once_per_batch():
    """A decode step that forgets layers, or divides by the wrong number of tokens."""
    (row,) = (r for r in bench(World()).rows if r.kind == "decode" and r.dtype == "bf16")
    weights = 4096 * 6144 + 4096 * 4096 + 4096 * 28672 + 14336 * 4096
    per_layer = 2.0 * 8 * weights + 4.0 * 8 * 32 * 128 * 128
    seconds = 32 * (per_layer / RATE + 5e-6)
    assert row.time_us == pytest.approx(seconds * 1e6)
    assert row.joules_per_token == pytest.approx(WATTS * seconds / 8)


def test_older_device_skips_fp8_and_full_memory_is_listed():
    """fp8 asked of a device without it, or one refused size that ends the bench."""
    world = World()
    world.largest = 4096 * 14336
    result = bench(world, capability=(8, 0))
    assert all(r.dtype != "fp8" for r in result.rows)
    assert len(result.failed) == 2
    assert all("out of memory" in text for text in result.failed)


def test_board_without_counter_is_sampled():
    """Energy of a board that has no counter reported as zero."""
    world = World()
    meter = NvmlMeter(fake_nvml(world, counter=False), clock=lambda: world.now_s)
    with meter.interval() as interval:
        world.sleep(3.0)
    assert interval.sample.method == "samples"
    assert interval.sample.joules == pytest.approx(WATTS * 3.0)


def test_files_carry_provenance(tmp_path):
    """A data file without device, driver, date or the word measured."""
    result = bench(World())
    result.write(tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    assert rows[0]["kind"] == "idle"
    assert {r["confidence"] for r in rows} == {"measured"}
    assert {r["driver"] for r in rows} == {"999.1"}
    result.write(tmp_path / "rows.json")
    assert json.loads((tmp_path / "rows.json").read_text())["device"] == "Fake H100"
    with pytest.raises(GpuBenchError, match=r"must end in \.csv or \.json"):
        result.write(tmp_path / "rows.txt")
    assert len(result.table()) == len(rows)


def test_refusals():
    """A machine without a GPU that fails with a traceback."""
    world = World()
    with pytest.raises(GpuBenchError, match="finds no CUDA device"):
        TorchBackend(fake_torch(world, available=False))
    with pytest.raises(GpuBenchError, match="no CUDA device 3; use 0 to 0"):
        TorchBackend(fake_torch(world), 3)
    with pytest.raises(GpuBenchError, match="no board 2"):
        NvmlMeter(fake_nvml(world), 2)
    with pytest.raises(GpuBenchError, match="must be positive"):
        Plan((), (), (), (), (), 0.0, 1.0)


def test_command_with_injected_modules(tmp_path, monkeypatch, capsys):
    """The verb measures nothing, or says a missing package in a traceback."""
    world = World()
    modules = {"torch": fake_torch(world), "pynvml": fake_nvml(world)}
    monkeypatch.setattr(cli.importlib, "import_module", lambda name: modules[name])
    monkeypatch.setattr(cli.time, "sleep", world.sleep)
    monkeypatch.setitem(cli.PRESETS, "quick", PLAN)
    out = tmp_path / "h100.csv"
    args = argparse.Namespace(device=0, preset="quick", output=out, json=False)
    assert cli.run(args) == 0
    assert "Fake H100, driver 999.1" in capsys.readouterr().out
    assert out.read_text().startswith("kind,name,dtype")

    def missing(name: str):
        raise ImportError(name)

    monkeypatch.setattr(cli.importlib, "import_module", missing)
    assert cli.run(args) == 2
    assert "pip install 'weft[gpu]'" in capsys.readouterr().err
