"""Model shapes: dense and mixture-of-experts transformers, by name or spelled out.

`model("llama3-8b")` reads `data/models.toml`; `ModelShape` checks itself. Parameter counts are
computed, and must agree with the declared ones within 2 % where both exist.
"""

import functools
import tomllib
from dataclasses import dataclass, fields
from importlib import resources

from weft.fleet.errors import FleetError

__all__ = ["ModelShape", "model", "model_names"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """Dimensions of a decoder-only transformer."""

    name: str
    layers: int
    d_model: int
    heads: int
    vocab: int
    d_ff: int = 0
    """Width of the dense MLP (of the dense layers, if experts are present)."""
    kv_heads: int = 0
    """0: as many as `heads`."""
    head_dim: int = 0
    """0: `d_model / heads`."""
    gated_mlp: bool = True
    """Three matrices (SwiGLU) rather than two."""
    tied_embeddings: bool = False
    experts: int = 0
    """Routed experts of an MoE layer; 0: dense."""
    top_k: int = 0
    shared_experts: int = 0
    moe_d_ff: int = 0
    moe_every: int = 1
    """Every how many layers is an MoE layer."""
    dense_first_layers: int = 0
    kv_lora_rank: int = 0
    """Latent width of the cache (MLA); 0: plain keys and values."""
    q_lora_rank: int = 0
    rope_dim: int = 0
    """Decoupled rotary width of MLA."""
    context: int = 8192
    source: str = "given"

    def __post_init__(self) -> None:
        for name in ("layers", "d_model", "heads", "vocab"):
            if getattr(self, name) < 1:
                raise FleetError(f"model {self.name}: {name} must be at least 1")
        if not self.kv_heads:
            object.__setattr__(self, "kv_heads", self.heads)
        if not self.head_dim:
            if self.d_model % self.heads:
                raise FleetError(
                    f"model {self.name}: d_model ({self.d_model}) must be a multiple of heads "
                    f"({self.heads}) unless head_dim is given"
                )
            object.__setattr__(self, "head_dim", self.d_model // self.heads)
        if self.heads % self.kv_heads:
            raise FleetError(
                f"model {self.name}: heads ({self.heads}) must be a multiple of kv_heads "
                f"({self.kv_heads})"
            )
        if self.experts and not (0 < self.top_k <= self.experts and self.moe_d_ff > 0):
            raise FleetError(
                f"model {self.name}: with experts = {self.experts}, top_k must be 1..experts and "
                "moe_d_ff positive"
            )
        if self.dense_layers and self.d_ff < 1:
            raise FleetError(f"model {self.name}: d_ff must be at least 1 for its dense layers")

    @property
    def moe_layers(self) -> int:
        """Layers whose MLP is a mixture of experts."""
        if not self.experts:
            return 0
        return (self.layers - self.dense_first_layers) // self.moe_every

    @property
    def dense_layers(self) -> int:
        return self.layers - self.moe_layers

    @property
    def mlp_matrices(self) -> int:
        return 3 if self.gated_mlp else 2

    @property
    def q_width(self) -> int:
        """Columns of all query heads together."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Columns of all key heads together (keys alone)."""
        return self.kv_heads * self.head_dim

    def projections(self, tp: int = 1) -> tuple[tuple[str, int, int], ...]:
        """Products in front of the attention core as (name, K, N), one chip of `tp`.

        Latent attention (MLA): down to the latent, up to the heads. In decoding the up-projection
        of keys and values is absorbed into queries and result: same operations, same weights.
        """
        d, heads = self.d_model, self.heads // tp
        if not self.kv_lora_rank:
            return (("qkv", d, (heads + 2 * max(1, self.kv_heads // tp)) * self.head_dim),)
        return (
            ("q_down", d, self.q_lora_rank),
            ("q_up", self.q_lora_rank, heads * (self.head_dim + self.rope_dim)),
            ("kv_down", d, self.kv_lora_rank + self.rope_dim),
            ("kv_up", self.kv_lora_rank, heads * 2 * self.head_dim),
        )

    @property
    def attention_params(self) -> int:
        """Parameters of one attention block, norms included."""
        d = self.d_model
        if self.kv_lora_rank:
            nope = self.head_dim
            query = d * self.q_lora_rank + self.q_lora_rank * self.heads * (nope + self.rope_dim)
            latent = d * (self.kv_lora_rank + self.rope_dim)
            expand = self.kv_lora_rank * self.heads * 2 * nope
            return query + latent + expand + self.q_width * d + 2 * d
        return d * (self.q_width + 2 * self.kv_width) + self.q_width * d + 2 * d

    @property
    def dense_mlp_params(self) -> int:
        return self.mlp_matrices * self.d_model * self.d_ff

    @property
    def expert_params(self) -> int:
        """Parameters of one expert."""
        return self.mlp_matrices * self.d_model * self.moe_d_ff

    @property
    def embedding_params(self) -> int:
        return self.vocab * self.d_model * (1 if self.tied_embeddings else 2)

    @property
    def params(self) -> int:
        """All parameters."""
        moe = (self.experts + self.shared_experts) * self.expert_params + (
            self.d_model * self.experts
        )
        return (
            self.layers * self.attention_params
            + self.dense_layers * self.dense_mlp_params
            + self.moe_layers * moe
            + self.embedding_params
            + self.d_model
        )

    @property
    def active_params(self) -> int:
        """Parameters a token passes through."""
        moe = (self.top_k + self.shared_experts) * self.expert_params + self.d_model * self.experts
        return (
            self.layers * self.attention_params
            + self.dense_layers * self.dense_mlp_params
            + self.moe_layers * moe
            + self.embedding_params
            + self.d_model
        )

    def kv_bytes_per_token(self, width_bytes: float = 2.0) -> float:
        """Cache bytes that one token leaves over all layers."""
        per_layer = self.kv_lora_rank + self.rope_dim if self.kv_lora_rank else 2 * self.kv_width
        return self.layers * per_layer * width_bytes

    def forward_flops_per_token(self, keys: float) -> float:
        """Operations of one token's forward pass attending `keys` keys (no recomputation).

        2 per parameter passed through (input embedding is a lookup), 4 x width per key and layer.
        """
        lookup = 0 if self.tied_embeddings else self.vocab * self.d_model
        return 2.0 * (self.active_params - lookup) + 4.0 * self.layers * self.q_width * keys

    def model_flops_per_token(self, seq: int, *, causal: bool = False) -> float:
        """Operations of forward and backward per token, the numerator of MFU.

        Megatron's convention counts full (not causally halved) attention; `causal` halves it.
        """
        return 3.0 * self.forward_flops_per_token(seq / 2 if causal else seq)


@functools.cache
def _library() -> dict[str, ModelShape]:
    text = (resources.files("weft.fleet") / "data" / "models.toml").read_text(encoding="utf-8")
    known = {f.name for f in fields(ModelShape)}
    extra = {"declared_params", "locator", "date", "confidence", "note"}
    shapes = {}
    for name, table in tomllib.loads(text).items():
        unknown = set(table) - known - extra
        if unknown:
            raise FleetError(f"models.toml: [{name}] has unknown keys {', '.join(sorted(unknown))}")
        shapes[name] = ModelShape(name=name, **{k: v for k, v in table.items() if k in known})
    return shapes


def model_names() -> list[str]:
    """Names that `model` knows."""
    return sorted(_library())


def model(name: str) -> ModelShape:
    """A model shape by name."""
    if name not in _library():
        raise FleetError(f"there is no model {name!r}; there are {', '.join(model_names())}")
    return _library()[name]
