"""Programs of the vector engine for what networks need, one concept a file.

Each function gives a ``weft.microcode.Program``: its streams and scalars are named in its
docstring, with what they may be. ``fast`` forms are for results in bf16 or narrower, the others
for fp32.

======================  =========================================================================
elementwise             ``relu``, ``gelu``, ``gelu_tanh``, ``silu``, ``sigmoid``, ``tanh``, ``exp``,
                        ``exp2``, ``reciprocal``, ``rsqrt``, ``scale``; ``elementwise`` makes more
two matrices            ``add`` (residual, bias), ``multiply``, ``multiply_add``, ``rotary``
rows                    ``softmax``, ``layer_norm``, ``rms_norm``
pooling                 ``max_pool``, ``average_pool``
after a matmul          ``epilogue``, ``requantise``
======================  =========================================================================
"""

from .arithmetic import add, multiply, multiply_add, scale
from .elementwise import elementwise
from .epilogue import ACTIVATIONS, epilogue
from .exponential import exp, exp2
from .gelu import gelu, gelu_tanh
from .norms import layer_norm, rms_norm
from .pooling import average_pool, max_pool
from .reciprocal import reciprocal
from .relu import relu
from .requantise import requantise
from .rotary import rotary
from .rsqrt import rsqrt
from .sigmoid import sigmoid, silu
from .softmax import softmax
from .tanh import tanh

__all__ = [
    "ACTIVATIONS",
    "add",
    "average_pool",
    "elementwise",
    "epilogue",
    "exp",
    "exp2",
    "gelu",
    "gelu_tanh",
    "layer_norm",
    "max_pool",
    "multiply",
    "multiply_add",
    "reciprocal",
    "relu",
    "requantise",
    "rms_norm",
    "rotary",
    "rsqrt",
    "scale",
    "sigmoid",
    "silu",
    "softmax",
    "tanh",
]
