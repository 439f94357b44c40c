"""Recipes: every number of a training run, written once. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from trainer import layout
from trainer.errors import TrainerError

Windows = Literal["long-short", "all-short", "all-long"]
WINDOWS: tuple[str, ...] = get_args(Windows)
Dtype = Literal["float32", "bfloat16", "float64"]
# "dense" masks on any device; our kernels over intervals of keys on a GPU.
Attention = Literal["dense", "intervals"]

# Machine epsilons. Today's torch adds float32's in `rms_norm` unless told, for any type of input.
FLOAT32_EPS = 2.0**-23
BFLOAT16_EPS = 2.0**-7

# The numbers of processes whose shares of a step, and of Muon's work, are defined.
RANKS = (1, 2, 4, 8)


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise TrainerError(what, where="recipe")


@dataclass(frozen=True)
class ModelConfig:
    """The network.

    Attributes:
        depth: number of blocks; even, at least 6.
        width: features of the residual stream.
        heads: attention heads, each of width / heads features.
        vocab_size: token ids that may occur.
        head_rows: rows of the output matrix; those beyond vocab_size are padding.
        softmax_scale: factor on q . k before the softmax.
        block_size: tokens in a block, the unit of the attention window.
        windows: "long-short" as `layout` says, or one window in all layers (the ablations).
        dtype: of embeddings and activations; matrices are float32.
        norm_eps: added to the mean square in every RMS norm.
    """

    depth: int
    width: int
    heads: int
    vocab_size: int
    head_rows: int
    softmax_scale: float
    block_size: int
    windows: Windows
    dtype: Dtype
    norm_eps: float

    def __post_init__(self) -> None:
        _require(
            self.depth >= layout.MIN_DEPTH and self.depth % 2 == 0,
            f"depth {self.depth} is not an even number of at least {layout.MIN_DEPTH}",
        )
        _require(
            self.heads > 0 and self.width % (4 * self.heads) == 0,
            f"width {self.width} does not divide into {self.heads} heads of a multiple of 4",
        )
        _require(
            self.head_rows >= self.vocab_size,
            f"head_rows {self.head_rows} is below vocab_size {self.vocab_size}",
        )
        _require(self.norm_eps > 0, f"norm_eps {self.norm_eps} is not positive")
        _require(
            self.windows in WINDOWS,
            f"windows {self.windows!r} is none of {', '.join(WINDOWS)}",
        )

    @property
    def head_dim(self) -> int:
        """Features of one attention head."""
        return self.width // self.heads


@dataclass(frozen=True)
class DataConfig:
    """The token stream.

    Attributes:
        separator: token id that begins every document.
        sequence_length: tokens that one forward pass sees at once, T.
        sequences_per_step: sequences whose mean gradient makes one update.
        sequences_per_pass: how many of them go through the model together.
        val_tokens: length of the validation stream.
    """

    separator: int
    sequence_length: int
    sequences_per_step: int
    sequences_per_pass: int
    val_tokens: int

    def __post_init__(self) -> None:
        _require(
            self.val_tokens > 0 and self.val_tokens % self.sequence_length == 0,
            f"val_tokens {self.val_tokens} is no multiple of {self.sequence_length}, "
            "the sequence length",
        )
        _require(
            self.sequences_per_step > 0,
            f"sequences_per_step {self.sequences_per_step} is not positive",
        )


@dataclass(frozen=True)
class OptimizerConfig:
    """Learning rates at multiplier 1; see `muon` and `optim` for the formulas.

    Attributes:
        muon_lr: hidden matrices.
        muon_dtype: in which the Newton-Schulz iteration computes.
        momentum_warmup: updates over which Muon's momentum rises from 0.85 to 0.95.
        head_lr: output matrix (Adam).
        embedding_lr: all embedding tables (Adam).
        scalar_lr: all scalars and vectors (Adam).
    """

    muon_lr: float
    muon_dtype: Dtype
    momentum_warmup: int
    head_lr: float
    embedding_lr: float
    scalar_lr: float


@dataclass(frozen=True)
class ScheduleConfig:
    """What changes from step to step.

    Attributes:
        steps: updates in a run, S.
        val_every: updates between validations; there is always one at the last step.
        cooldown: last fraction of the run, in which the learning rates fall linearly to a tenth.
        max_window: tokens of the long window at the last step, before rounding up to blocks.
    """

    steps: int
    val_every: int
    cooldown: float
    max_window: int

    def __post_init__(self) -> None:
        _require(self.steps > 0, f"steps {self.steps} is not positive")
        _require(self.val_every > 0, f"val_every {self.val_every} is not positive")


@dataclass(frozen=True)
class Recipe:
    """A named training run.

    Attributes:
        name: what `--recipe` calls it.
        device: where it runs.
        threads: CPU threads of one process.
        memory_mib: what one process needs of the device's memory.
        source: "fineweb" for shards that are fetched or made from a text, "generated" for the
            corpus that the trainer makes itself.
        attention: how it is computed; the result is the same but for rounding.
        warm_up: rehearse on dummy data, untimed, before the first step.
    """

    name: str
    device: Literal["cpu", "cuda"]
    threads: int
    memory_mib: int
    source: Literal["fineweb", "generated"]
    attention: Attention
    warm_up: bool
    model: ModelConfig
    data: DataConfig
    optimizer: OptimizerConfig
    schedule: ScheduleConfig

    def __post_init__(self) -> None:
        _require(
            self.data.sequence_length % self.model.block_size == 0,
            f"sequence_length {self.data.sequence_length} is no multiple of block_size "
            f"{self.model.block_size}",
        )

    def with_sequence_length(self, length: int) -> Recipe:
        """The same recipe with its steps cut into sequences of another length.

        Raises:
            TrainerError: the length does not divide a step, or blocks do not divide it.
        """
        data = self.data
        tokens = data.sequences_per_step * data.sequence_length
        _require(
            length > 0 and tokens % length == 0,
            f"sequence_length {length} does not divide the {tokens} tokens of a step",
        )
        changed = replace(data, sequence_length=length, sequences_per_step=tokens // length)
        return replace(self, data=changed)

    def with_sequences_per_step(self, count: int) -> Recipe:
        """The same recipe with more or fewer sequences, and so tokens, in a step.

        Raises:
            TrainerError: the number is not positive.
        """
        return replace(self, data=replace(self.data, sequences_per_step=count))

    def with_steps(self, steps: int) -> Recipe:
        """The same recipe with its schedules stretched over another number of steps.

        Raises:
            TrainerError: the number is not positive.
        """
        return replace(self, schedule=replace(self.schedule, steps=steps))

    def with_windows(self, windows: Windows) -> Recipe:
        """The same recipe with another window pattern."""
        return replace(self, model=replace(self.model, windows=windows))


SUB3 = Recipe(
    name="sub3",
    device="cuda",
    threads=1,
    memory_mib=30_424,
    source="fineweb",
    attention="intervals",
    warm_up=True,
    model=ModelConfig(
        depth=12,
        width=768,
        heads=6,
        vocab_size=50_257,
        head_rows=50_304,
        softmax_scale=0.12,
        block_size=128,
        windows="long-short",
        dtype="bfloat16",
        # The record ran a nightly torch whose rms_norm took the epsilon of its input's type.
        norm_eps=BFLOAT16_EPS,
    ),
    data=DataConfig(
        separator=50_256,
        sequence_length=65_536,
        sequences_per_step=8,
        sequences_per_pass=1,
        val_tokens=10_485_760,
    ),
    optimizer=OptimizerConfig(
        muon_lr=0.05,
        muon_dtype="bfloat16",
        momentum_warmup=300,
        head_lr=0.008,
        embedding_lr=0.6,
        scalar_lr=0.04,
    ),
    schedule=ScheduleConfig(steps=1393, val_every=125, cooldown=0.4, max_window=1728),
)

TINY = Recipe(
    name="tiny",
    device="cpu",
    threads=1,
    memory_mib=450,
    source="generated",
    attention="dense",
    warm_up=False,
    model=ModelConfig(
        depth=6,
        width=64,
        heads=1,
        vocab_size=257,
        head_rows=272,
        softmax_scale=0.15,
        block_size=16,
        windows="long-short",
        dtype="float32",
        norm_eps=FLOAT32_EPS,
    ),
    data=DataConfig(
        separator=256,
        sequence_length=128,
        sequences_per_step=4,
        sequences_per_pass=8,
        val_tokens=16_384,
    ),
    optimizer=OptimizerConfig(
        muon_lr=0.01,
        muon_dtype="float32",
        momentum_warmup=300,
        head_lr=0.03,
        embedding_lr=0.1,
        scalar_lr=0.04,
    ),
    schedule=ScheduleConfig(steps=200, val_every=100, cooldown=0.4, max_window=64),
)

RECIPES = {recipe.name: recipe for recipe in (SUB3, TINY)}
