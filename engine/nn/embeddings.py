"""Embeddings: rows of a table by their numbers, and sums of such rows."""

from __future__ import annotations

from typing import Any, TypeVar

from engine import modes
from engine.errors import AssertedError
from engine.nn import init
from engine.nn.layer import F, Layer, layer
from engine.tensor import Parameter, Tensor

HOME = "sparse"
Self = TypeVar("Self", bound="_Table")


class _Table(Layer):
    """A table of ``num_embeddings`` rows of ``embedding_dim`` numbers."""

    num_embeddings: int
    embedding_dim: int
    padding_idx: int | None
    weight: Any

    def _fill(self, weight: Tensor | None, freeze: bool, padding: str, device: Any, dtype: Any) -> None:
        self.padding_idx = self._checked_padding(padding)
        shape = (self.num_embeddings, self.embedding_dim)
        if weight is None:
            self._weights(dtype, device, weight=shape)
            self.weight.requires_grad = not freeze
            self.reset_parameters()
        elif weight.shape != shape:
            raise AssertedError("Shape of weight does not match num_embeddings and embedding_dim")
        else:
            self.weight = Parameter(weight, not freeze)

    def _checked_padding(self, name: str) -> int | None:
        place, size = self.padding_idx, self.num_embeddings
        if place is None:
            return None
        if place >= size > 0 or place < -size:
            raise AssertedError(f"{name} must be within num_embeddings")
        return place + size if place < 0 else place

    def reset_parameters(self) -> None:
        """Draw the table from a normal distribution; the padding is zero."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with modes.no_grad():
                self.weight[self.padding_idx].fill_(0)

    def _unusual(self, **usual: Any) -> str:
        """What is not as ``usual``, for the text."""
        own = {name: getattr(self, name) for name in usual}
        return "".join(f", {name}={value}" for name, value in own.items() if value != usual[name])


def _checked(embeddings: Tensor) -> tuple[int, int]:
    if embeddings.ndim != 2:
        raise AssertedError("Embeddings parameter is expected to be 2-dimensional")
    return tuple(embeddings.shape)  # type: ignore[return-value]


@layer(HOME, calls=F.embedding, passes="weight padding_idx max_norm norm_type scale_grad_by_freq sparse")
class Embedding(_Table):
    """The rows of a table that the input names."""

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, max_norm: float | None = None,
        norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False, _weight: Any = None,
        _freeze: bool = False, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_embeddings, self.embedding_dim, self.padding_idx = num_embeddings, embedding_dim, padding_idx
        self.max_norm, self.norm_type, self.scale_grad_by_freq = max_norm, norm_type, scale_grad_by_freq
        self._fill(_weight, _freeze, "Padding_idx", device, dtype)
        self.sparse = sparse

    def extra_repr(self) -> str:
        """The size of the table, and what is not as usual."""
        usual = {"padding_idx": None, "max_norm": None, "norm_type": 2, "scale_grad_by_freq": False, "sparse": False}
        return f"{self.num_embeddings}, {self.embedding_dim}{self._unusual(**usual)}"

    @classmethod
    def from_pretrained(
        cls, embeddings: Tensor, freeze: bool = True, padding_idx: int | None = None, max_norm: float | None = None,
        norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False,
    ) -> Embedding:  # fmt: skip
        """An embedding over this table; it does not learn unless told to."""
        rows, columns = _checked(embeddings)
        return cls(
            rows, columns, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, embeddings, freeze
        )  # fmt: skip


_BAG = "weight max_norm norm_type scale_grad_by_freq mode sparse include_last_offset padding_idx"


@layer(HOME, calls=F.embedding_bag, takes="input offsets=None per_sample_weights=None", passes=_BAG)
class EmbeddingBag(_Table):
    """Sums, means or largest elements of the rows that each bag names."""

    def __init__(
        self, num_embeddings: int, embedding_dim: int, max_norm: float | None = None, norm_type: float = 2.0,
        scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False, _weight: Any = None,
        include_last_offset: bool = False, padding_idx: int | None = None, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_embeddings, self.embedding_dim, self.padding_idx = num_embeddings, embedding_dim, padding_idx
        self.max_norm, self.norm_type, self.scale_grad_by_freq = max_norm, norm_type, scale_grad_by_freq
        self._fill(_weight, False, "padding_idx", device, dtype)
        self.mode, self.sparse, self.include_last_offset = mode, sparse, include_last_offset

    def extra_repr(self) -> str:
        """The size of the table, the mode, and what is not as usual."""
        unusual = self._unusual(max_norm=None, norm_type=2, scale_grad_by_freq=False)
        padding = self._unusual(padding_idx=None)
        return f"{self.num_embeddings}, {self.embedding_dim}{unusual}, mode={self.mode!r}{padding}"

    @classmethod
    def from_pretrained(
        cls, embeddings: Tensor, freeze: bool = True, max_norm: float | None = None, norm_type: float = 2.0,
        scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False, include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> EmbeddingBag:  # fmt: skip
        """An embedding over this table; it does not learn unless told to."""
        rows, columns = _checked(embeddings)
        bag = cls(
            rows, columns, max_norm, norm_type, scale_grad_by_freq, mode, sparse, embeddings, include_last_offset,
            padding_idx,
        )  # fmt: skip
        bag.weight.requires_grad = not freeze
        return bag
