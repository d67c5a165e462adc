"""A softmax over many classes, of which a few are frequent (Grave et al., 2017); and losses behind a linear map."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

from engine import ops
from engine.errors import ArgumentValueError, OpError
from engine.named_results import named_result
from engine.nn.containers import ModuleList, Sequential
from engine.nn.layer import F, Layer, layer
from engine.nn.linears import Linear

_Result = named_result("_ASMoutput", "output", "loss")


@layer("adaptive")
class AdaptiveLogSoftmaxWithLoss(Layer):
    """Frequent classes at once, others in clusters that are classes of the first softmax."""

    def __init__(
        self, in_features: int, n_classes: int, cutoffs: Sequence[int], div_value: float = 4.0,
        head_bias: bool = False, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        cuts = list(cutoffs)
        if not cuts:
            raise ArgumentValueError("cutoffs should be a sequence of length larger than 0")
        if cuts != sorted(set(cuts)) or cuts[0] <= 0 or cuts[-1] > n_classes - 1 or any(int(c) != c for c in cuts):
            raise ArgumentValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each "
                "value is between 1 and n_classes-1"
            )
        self.in_features, self.n_classes, self.cutoffs = in_features, n_classes, [*cuts, n_classes]
        self.div_value, self.head_bias = div_value, head_bias
        self.shortlist_size, self.n_clusters = self.cutoffs[0], len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, device, dtype)
        self.tail = ModuleList()
        for place, (start, stop) in enumerate(pairwise(self.cutoffs)):
            size = int(in_features // div_value ** (place + 1))
            parts = (Linear(in_features, size, False, device, dtype), Linear(size, stop - start, False, device, dtype))
            self.tail.append(Sequential(*parts))

    def reset_parameters(self) -> None:
        """Draw every parameter."""
        self.head.reset_parameters()
        for part in self.tail:
            for inner in part.children():
                inner.reset_parameters()

    def forward(self, input_: Any, target_: Any) -> Any:
        """The logarithm of each target's probability, and the mean of their opposites."""
        self._check(input_, target_)
        is_batched = target_.ndim > 0
        input, target = (input_, target_) if is_batched else (input_.unsqueeze(0), target_.unsqueeze(0))
        output, gather = input.new_zeros(target.shape[0]), target.new_empty(target.shape[0])
        used = 0
        for place, (low, high) in enumerate(pairwise([0, *self.cutoffs])):
            mask = (target >= low) & (target < high)
            rows = mask.nonzero().squeeze(1)
            if not rows.numel():
                continue
            if place == 0:
                gather.index_copy_(0, rows, target[mask])
            else:
                relative = target[mask] - low
                logs = F.log_softmax(self.tail[place - 1](input.index_select(0, rows)), dim=1)
                gather.index_fill_(0, rows, self.shortlist_size + place - 1)
                output = output.index_copy(0, rows, logs.gather(1, relative.unsqueeze(1)).squeeze(1))
            used += rows.numel()
        if used != target.shape[0]:
            raise OpError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range "
                f"[{target.min().item()}, {target.max().item()}] were found. "
            )
        logs = F.log_softmax(self.head(input), dim=1)
        output = output + logs.gather(1, gather.unsqueeze(1)).squeeze()
        loss = (-output).mean()
        return _Result(output if is_batched else output.squeeze(0), loss)

    def _check(self, input: Any, target: Any) -> None:
        if target.ndim > 1:
            raise OpError("0D or 1D target tensor expected, multi-target not supported")
        if target.ndim == 1 and input.shape[0] != target.shape[0]:
            raise OpError("Input and target should have the same size in the batch dimension.")
        rank = target.ndim + 1
        if input.ndim != rank:
            raise OpError(
                f"{target.ndim}D target tensor expects {rank}D input tensors, but found inputs with size {input.shape}"
            )

    def _all(self, input: Any, head: Any) -> Any:
        logs = F.log_softmax(head, dim=1)
        found = input.new_empty((head.shape[0], self.n_classes))
        found[:, : self.shortlist_size] = logs[:, : self.shortlist_size]
        for place, (start, stop) in enumerate(pairwise(self.cutoffs)):
            cluster = F.log_softmax(self.tail[place](input), dim=1)
            found[:, start:stop] = cluster + logs[:, self.shortlist_size + place].unsqueeze(1)
        return found

    def log_prob(self, input: Any) -> Any:
        """The logarithms of the probabilities of all classes."""
        return self._all(input, self.head(input))

    def predict(self, input: Any) -> Any:
        """The most probable class of each row."""
        head = self.head(input)
        output = ops.argmax(head, dim=1)
        rare = output >= self.shortlist_size
        if not rare.any():
            return output
        output[rare] = ops.argmax(self._all(input[rare], head[rare]), dim=1)
        return output


@layer("loss")
class LinearCrossEntropyLoss(Layer):
    """``CrossEntropyLoss`` behind a linear map."""

    def __init__(
        self, in_features: int, num_classes: int, *, out_features: tuple[int, ...] = (), bias: bool = False,
        device: Any = None, dtype: Any = None, reduction: str = "mean", weight: Any = None,
        ignore_index: int | None = None, label_smoothing: float = 0.0, options: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if weight is not None and weight.shape != (num_classes,):
            raise OpError(f"expected weight shape to be {(num_classes,)}, got {tuple(weight.shape)}")
        if not 0 <= label_smoothing <= 1.0:
            raise OpError(f"expected label_smoothing to be in range [0, 1], got {label_smoothing}")
        self.reduction = reduction
        self.register_buffer("weight", weight)
        self.num_classes, self.out_features, self.ignore_index = num_classes, out_features, ignore_index
        self.label_smoothing, self.options = label_smoothing, options
        self.linear = Linear(in_features, prod(out_features, start=num_classes), bias, device, dtype)

    def forward(self, input: Any, target: Any) -> Any:
        """The cross entropy of the map of ``input``."""
        shape = (self.num_classes, *self.out_features)
        bias = self.linear.bias
        return F.linear_cross_entropy(
            input, self.linear.weight.reshape((*shape, self.linear.in_features)), target,
            linear_bias=None if bias is None else bias.reshape(shape), weight=self.weight, reduction=self.reduction,
            ignore_index=self.ignore_index, label_smoothing=self.label_smoothing, options=self.options,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """The sizes and the settings."""
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes}, "
            f"out_features={self.out_features}, bias={self.linear.bias is not None}, reduction={self.reduction}, "
            f"ignore_index={self.ignore_index}, label_smoothing={self.label_smoothing}, options={self.options}"
        )
