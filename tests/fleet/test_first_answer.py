"""The first answer, its command, strict TOML, import rules and speed."""

import argparse
import ast
import json
from pathlib import Path

import numpy as np
import pytest
import weft.fleet
from weft.cli import fleet as cli
from weft.fleet.constants import default_constants
from weft.fleet.energy import mac_energy_pj, weft_energy
from weft.fleet.errors import FleetError
from weft.fleet.first_answer import LABEL, first_answer, render
from weft.fleet.machines import gpu
from weft.fleet.models import model
from weft.fleet.strict_toml import load, loads
from weft.fleet.training import Layout, search_layout, train_step
from weft.fleet.weft_chip import weft_chip
from weft.fleet.workload import inference_pass
from weft.synth.unit_costs import default_table

PACKAGE = Path(weft.fleet.__file__).parent


def test_answer_has_bands_sources_and_its_label():
    """The estimate is printed as if it were measured, or without a band."""
    answer = first_answer(draws=500)
    assert [p.phase for p in answer.phases] == ["decode", "prefill"]
    for p in answer.phases:
        for band in (p.ratio, p.weft_tokens_per_joule, p.gpu_tokens_per_joule):
            assert 0 < band.p5 < band.p50 < band.p95
        assert sum(p.weft_energy_shares.values()) == pytest.approx(1.0, abs=0.1)
    text = render(answer)
    assert text.startswith(LABEL)
    assert "modelled, not measured" in text
    data = json.loads(answer.to_json())
    c = default_constants()
    assert len(data["constants_used"]) > 30
    for record in c.audit(data["constants_used"]):
        assert record["source"]
        assert record["confidence"] != "unconfirmed"


def test_energy_by_hand():
    """A joule is lost between counts and total."""
    c = default_constants()
    chip = weft_chip("fleet", c)
    work = inference_pass(
        chip, model("llama3-8b"), phase="decode", batch=64, context=2048, precision="int8"
    ).total
    parts = weft_energy(chip, work, "int8", c)
    bits = work.memory_bytes * 8
    dram = bits * c["energy.hbm3e.access_energy_pj_per_bit"] * 1e-12
    assert parts.dram_j == pytest.approx(dram)
    assert parts.static_j == pytest.approx(c["weft.fleet.static_power_w"] * work.time_s)
    table = default_table()
    macs = work.flops / 2
    mac = table["unit.n5.mac_int8_pj"].value * c["weft.fleet.array_overhead_factor"]
    assert parts.logic_j == pytest.approx(macs * mac * 1e-12)
    # of an array of 128 x 128: a byte of activations for 128 MACs, and an accumulator of four bytes
    # read and written for 128
    moved = macs / 128 + 2 * work.memory_bytes
    local = moved * table["unit.n5.scratchpad_pj_per_byte"].value
    local += macs * 8 / 128 * table["unit.n5.accumulator_pj_per_byte"].value
    assert parts.scratchpad_j == pytest.approx(local * 1e-12)
    hop = table["unit.n5.flit_hop_pj_per_byte"].value * c["weft.fleet.noc_hops"]
    hop += table["unit.n5.load_pj_per_byte"].value
    assert parts.mesh_j == pytest.approx(work.memory_bytes * hop * 1e-12)
    assert parts.total_j > parts.dram_j + parts.static_j
    with pytest.raises(TypeError, match="needs a Weft machine"):
        weft_energy(gpu("h100_sxm", c), work, "int8", c)


def test_an_array_with_floating_point_pays_for_it_in_int8_too():
    """int8 is priced as on an array of integers although the chip has floating point."""
    c = default_constants()
    plain, wide = (mac_energy_pj(c, "int8", integer_only=only) for only in (True, False))
    assert wide > 2 * plain
    work = inference_pass(
        weft_chip("fleet", c), model("llama3-8b"), phase="decode", batch=64, context=2048,
        precision="int8",
    ).total  # fmt: skip
    both = weft_chip("fleet", c, formats=("int8", "bf16"))
    ratio = (
        weft_energy(both, work, "int8", c).logic_j
        / weft_energy(weft_chip("fleet", c), work, "int8", c).logic_j
    )
    assert ratio == pytest.approx(wide / plain)


def test_full_load_power_is_that_of_a_chip():
    """Energy per operation is off by an order of magnitude: compare with shipped int8 TOPS/W."""
    c = default_constants()
    chip = weft_chip("fleet", c)
    work = inference_pass(
        chip, model("llama3-70b"), phase="prefill", batch=1, context=4096, precision="int8"
    ).total
    watts = weft_energy(chip, work, "int8", c).total_j / work.time_s
    tops_per_w = work.flops / work.time_s / 1e12 / watts
    # MTIA 2i: 3.9 dense int8 TOPS/W at TDP; later node and bare chip: at most a few times that
    assert 2.0 < tops_per_w < 12.0


def test_planted_memory_bug_moves_the_answer():
    """The answer does not depend on what it claims to be limited by."""
    c = default_constants()
    base = first_answer(draws=200, constants=c)
    planted = c.replace({"energy.hbm3e.access_energy_pj_per_bit": 34.4})
    worse = first_answer(draws=200, constants=planted)
    assert base.phases[0].weft_bound == "memory"
    assert worse.phases[0].ratio.p50 < 0.6 * base.phases[0].ratio.p50
    assert worse.phases[0].gpu_tokens_per_joule == base.phases[0].gpu_tokens_per_joule


def run(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    cli.add_parser(parser.add_subparsers())
    args = parser.parse_args(["fleet", *argv])
    return args.run(args)


def test_cli(capsys):
    """The command prints a traceback, or no JSON."""
    assert run("--draws", "100") == 0
    assert LABEL in capsys.readouterr().out
    assert run("--draws", "100", "--json") == 0
    assert json.loads(capsys.readouterr().out)["label"] == LABEL
    assert run("--audit") == 0
    out = capsys.readouterr().out
    assert out.startswith("key,value,low,high,unit,source")
    assert run("--audit", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)) > 300
    for bad, text in (
        (("--model", "nope"), "there is no model 'nope'"),
        (("--chip", "nope"), "preset must be one of"),
        (("--batch", "0"), "must be at least 1"),
        (("--draws", "0"), "draws must be at least 1"),
    ):
        assert run(*bad) == 2
        err = capsys.readouterr().err
        assert text in err
        assert err.count("\n") == 1


SCHEMA = {
    "name": ((str,), True),
    "chips": ((int,), True),
    "load": ((float,), False),
    "model": {"layers": ((int,), True)},
}


def test_strict_toml(tmp_path):
    """A misspelt knob is ignored and has no effect."""
    good = 'name = "x"\nchips = 8\nload = 1\n[model]\nlayers = 2\n'
    assert loads(good, SCHEMA)["model"]["layers"] == 2
    for text, message in (
        (good.replace("chips", "chpis"), r"f\.toml:2: unknown key 'chpis'; did you mean 'chips'"),
        (good.replace("layers", "layer"), r"f\.toml:5: unknown key 'model\.layer'"),
        (good.replace("chips = 8\n", ""), r"f\.toml:1: missing key 'chips'"),
        (good.replace("layers = 2\n", ""), r"f\.toml:4: missing key 'model\.layers'"),
        (good.replace("8", '"8"'), r"f\.toml:2: 'chips' must be int"),
        (good.replace("8", "true"), r"f\.toml:2: 'chips' must be int"),
        (good.replace("chips = 8", "chips = "), r"f\.toml:2: not valid TOML"),
    ):
        path = tmp_path / "f.toml"
        path.write_text(text)
        with pytest.raises(FleetError, match=message):
            load(path, SCHEMA)
    with pytest.raises(FleetError, match="cannot be read"):
        load(tmp_path / "absent.toml", SCHEMA)


def test_fleet_imports_only_configuration_of_the_hardware():
    """The fleet model grows a dependency on the hardware or the simulator."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [a.name for a in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                assert not name.startswith(("weft_sim", "amaranth")), f"{path}: {name}"
                if name.startswith("weft_hw"):
                    assert name in ("weft_hw.config", "weft_hw.presets"), f"{path}: {name}"


def test_draws_and_search():
    """Draws that are not drawn together, a search that finds nothing at an odd count."""
    llm = model("llama3-405b")
    layout = Layout(
        tensor=8, pipeline=16, data=128, global_batch=2048, interleave=8, seq=8192, zero=2
    )
    draws = default_constants().sample(1000, seed=1)
    step = train_step(gpu("h100_sxm", draws), llm, layout, draws)
    assert np.shape(step.step_s) == (1000,)
    found = search_layout(gpu("h100_sxm"), llm, 5000, global_batch=2048, seq=8192)
    assert found.best.layout.chips <= 5000
