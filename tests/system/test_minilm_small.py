"""The encoder in fp32, in bf16 and on a device, with random weights: no package is needed."""

import ml_dtypes
import numpy as np
import pytest
from small_minilm import HIDDEN, small_minilm
from weft import Device
from weft.models.minilm import (
    MiniLm,
    MiniLmEncoder,
    encode_bf16,
    encode_fp32,
    hidden_bf16,
)
from weft.models.minilm import weights as weights_module
from weft.models.minilm.weights import load_minilm
from weft_hw.config import ChipConfig
from weft_hw.presets import preset
from weft_sim.dram import Dram


@pytest.fixture(scope="module")
def model() -> MiniLm:
    return small_minilm()


@pytest.mark.parametrize("lanes", [8, 16])
def test_bf16_is_close_to_fp32(model: MiniLm, lanes: int) -> None:
    """Fewer tokens than lanes, as many, and more; columns that are no multiple of 16."""
    sentences = ["short", "sixteen letters.", "one more than a block"]
    want = encode_fp32(model, sentences)
    got = encode_bf16(model, sentences, lanes=lanes)
    np.testing.assert_allclose(np.linalg.norm(want, axis=1), 1, rtol=1e-6)
    assert (np.sum(want * got, axis=1) >= 0.9995).all()


def test_hidden_is_bf16(model: MiniLm) -> None:
    got = hidden_bf16(model, model.tokens("a"), lanes=8)
    assert got.dtype == ml_dtypes.bfloat16
    assert got.shape == (1, HIDDEN)


def test_sentences_are_checked(model: MiniLm) -> None:
    with pytest.raises(TypeError, match="sentence must be a string, not 5"):
        model.tokens(5)
    with pytest.raises(ValueError, match="sentence must have at most 24 tokens, not 30; split it"):
        model.tokens("x" * 30)


def test_weights_must_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights_module, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"install weft\[minilm\]"):
        load_minilm()


_MICRO = preset("micro")


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(_MICRO, id="one-tile"),
        pytest.param(
            preset("quad").replace_tile(formats=_MICRO.tile.formats, transpose=True), id="mesh"
        ),
    ],
)
def test_device_is_the_emulation(model: MiniLm, config: ChipConfig) -> None:
    """Every bit, of sentences shorter and longer than a block; nothing waits in between."""
    with Device("model", config, dram=Dram(size_bytes=1 << 22), debug=True) as device:
        encoder = MiniLmEncoder(device, model)
        for sentence in ("short", "one more than a block"):
            tokens = model.tokens(sentence)
            want = hidden_bf16(model, tokens, lanes=config.tile.array_cols)
            got = encoder.hidden(tokens).numpy()
            np.testing.assert_array_equal(got.view(np.uint16), want.view(np.uint16))


def test_device_encodes(model: MiniLm) -> None:
    with Device("model", _MICRO, dram=Dram(size_bytes=1 << 22)) as device:
        got = MiniLmEncoder(device, model).encode(["first", "second"])
    np.testing.assert_array_equal(got, encode_bf16(model, ["first", "second"], lanes=8))
