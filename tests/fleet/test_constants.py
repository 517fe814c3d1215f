"""Constants: every field present, dense peaks only, nothing unconfirmed used as truth."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from weft.fleet.audit import check_constants
from weft.fleet.constants import (
    COLUMNS,
    Constants,
    OldPriceWarning,
    default_constants,
    default_quantities,
    load_file,
)
from weft.fleet.errors import ConstantError
from weft.fleet.quantity import CONFIDENCES, Quantity

GOOD = {
    "key": "gpu.x.hbm_gb",
    "value": "80",
    "low": "78",
    "high": "80",
    "unit": "GB",
    "source": "data sheet",
    "locator": "page 1",
    "date": "2024-01",
    "confidence": "published",
    "group": "",
    "note": "",
}


def write(path, rows, columns=COLUMNS):
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def quantity(**changes) -> Quantity:
    base = {k: v for k, v in GOOD.items() if k not in ("value", "low", "high")}
    return Quantity(**{**base, "value": 80.0, "low": 78.0, "high": 80.0, **changes})


def test_every_packaged_constant_keeps_the_rules():
    """A constant without source, range or date, or with a sparse peak, slips into the package."""
    quantities = default_quantities()
    assert len(quantities) > 300
    check_constants(quantities)
    assert {q.confidence for q in quantities} <= set(CONFIDENCES)
    for q in quantities:
        assert q.low <= q.value <= q.high
        assert all((q.unit, q.source, q.locator, q.date, q.confidence))


@pytest.mark.parametrize("field", ["unit", "source", "locator", "date", "confidence"])
def test_a_missing_field_is_an_error_with_file_and_line(tmp_path, field):
    """A constants row with an empty field is accepted."""
    path = write(tmp_path / "c.csv", [GOOD, {**GOOD, "key": "other", field: ""}])
    with pytest.raises(ConstantError, match=rf"c\.csv:3.* has no {field}"):
        load_file(path)


@pytest.mark.parametrize("field", ["value", "low", "high"])
def test_a_missing_or_wrong_number_is_an_error(tmp_path, field):
    """A constant without range is accepted."""
    with pytest.raises(ConstantError, match=rf"c\.csv:2: {field} is ''; it must be a number"):
        load_file(write(tmp_path / "c.csv", [{**GOOD, field: ""}]))


def test_unknown_and_missing_columns_are_errors(tmp_path):
    """A misspelt column is ignored, and its content with it."""
    columns = ["confidense" if c == "confidence" else c for c in COLUMNS]
    with pytest.raises(ConstantError, match=r"c\.csv:1: columns must be .*confidense"):
        load_file(write(tmp_path / "c.csv", [{**GOOD, "confidense": "published"}], columns))


def test_range_must_hold_the_value_and_assumptions_need_a_range():
    """A band that leaves out its own value, or a bare guess, is accepted."""
    with pytest.raises(ConstantError, match="low <= value <= high"):
        quantity(low=81.0)
    with pytest.raises(ConstantError, match="is assumed and has no range"):
        quantity(confidence="assumed", low=80.0, high=80.0)
    with pytest.raises(ConstantError, match="confidence 'sure'"):
        quantity(confidence="sure")
    with pytest.raises(ConstantError, match="no finite high"):
        quantity(high=float("nan"))


def test_sparse_peaks_are_refused():
    """Nvidia's 2:4 figure stands in for the dense peak and halves every efficiency."""
    good = {q.key: q for q in default_quantities()}
    for key, sparse in (
        ("gpu.h100_sxm.peak_bf16_tflops", 1979.0),
        ("gpu.b200_sxm.peak_bf16_tflops", 4500.0),
        ("gpu.a100_sxm.peak_bf16_tflops", 624.0),
    ):
        planted = replace(good[key], value=sparse, low=sparse, high=sparse)
        with pytest.raises(ConstantError, match="looks like the sparse peak"):
            check_constants([*(q for k, q in good.items() if k != key), planted])
    key = "gpu.h100_sxm.peak_fp8_tflops"
    planted = replace(good[key], value=3958.0, low=3958.0, high=3958.0)
    with pytest.raises(ConstantError, match=r"sparse|times the bf16 peak"):
        check_constants([*(q for k, q in good.items() if k != key), planted])
    with pytest.raises(ConstantError, match="must say it is dense"):
        check_constants([replace(good[key], unit="TFLOPS")])
    with pytest.raises(ConstantError, match="speaks of sparsity"):
        check_constants([replace(good[key], note="with 2:4 sparsity")])


def test_unconfirmed_constants_cannot_be_read():
    """A number from memory is used as truth."""
    c = Constants([quantity(confidence="unconfirmed")])
    assert c.quantity("gpu.x.hbm_gb").value == 80.0
    with pytest.raises(ConstantError, match=r"is unconfirmed .* cannot be used as truth"):
        c["gpu.x.hbm_gb"]
    listed = [q for q in default_quantities() if q.confidence == "unconfirmed"]
    assert listed, "the audit lists unconfirmed rows too"
    with pytest.raises(ConstantError, match="unconfirmed"):
        default_constants()[listed[0].key]


def test_memory_may_not_pose_as_published():
    """A source that says it is from memory carries another label."""
    with pytest.raises(ConstantError, match="mark it unconfirmed"):
        check_constants([quantity(source="author memory, not confirmed")])


def test_unknown_and_doubled_keys_are_errors():
    """A typo silently takes a default; a second file silently overrides the first."""
    with pytest.raises(ConstantError, match=r"did you mean 'gpu.x.hbm_gb'"):
        Constants([quantity()])["gpu.x.hbm_gib"]
    with pytest.raises(ConstantError, match="defined twice"):
        Constants([quantity(), quantity()])
    with pytest.raises(ConstantError, match=r"no constant 'nothing.like.it'"):
        Constants([quantity()]).replace({"nothing.like.it": 1.0})


def test_old_prices_warn():
    """A price of years ago prices a fleet of today without a word."""
    old = quantity(key="price.x_usd", unit="USD", date="2023-05")
    new = quantity(key="price.y_usd", unit="USD/kWh", date="2026-03")
    spread = quantity(key="price.z_usd", unit="USD", date="2024-2026")
    c = Constants([old, new, spread, quantity()])
    with pytest.warns(OldPriceWarning, match=r"price\.x_usd is dated 2023-05"):
        assert c.warn_old_prices("2026-11-21") == ["price.x_usd"]


def test_draws_are_reproducible_centred_and_grouped():
    """Bands change from run to run, are off centre, or ignore correlation."""
    a = quantity(key="a", value=10.0, low=8.0, high=13.0, group="g")
    b = replace(a, key="b")
    alone = replace(a, key="c", group="")
    c = Constants([a, b, alone])
    one, two = c.sample(20000, seed=3), c.sample(20000, seed=3)
    np.testing.assert_array_equal(one["a"], two["a"])
    assert not np.array_equal(one["a"], c.sample(20000, seed=4)["a"])
    np.testing.assert_allclose(np.percentile(one["a"], (5, 50, 95)), (8, 10, 13), rtol=0.02)
    assert np.corrcoef(one["a"], one["b"])[0, 1] > 0.6
    assert abs(np.corrcoef(one["a"], one["c"])[0, 1]) < 0.05
    more = Constants([a, b, alone, replace(alone, key="d")]).sample(20000, seed=3)
    np.testing.assert_array_equal(one["a"], more["a"], err_msg="a new constant moved old draws")


def test_use_is_recorded_for_provenance():
    """The provenance table misses a constant behind a number."""
    c = Constants([quantity(), quantity(key="other")])
    assert c["other"] == 80.0
    assert c.used == {"other"}
    assert c.audit(c.used)[0]["source"] == "data sheet"
