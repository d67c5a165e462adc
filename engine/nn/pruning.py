"""``nn.utils.prune``: parameters with a mask over them, which a hook applies before every call.

A pruned name is a plain attribute; the parameter is ``<name>_orig``, the mask the buffer ``<name>_mask``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from engine import homes, modes, ops, registry
from engine.errors import ArgumentTypeError, ArgumentValueError, OpError
from engine.nn import hooks, naming
from engine.nn.module import Module
from engine.nn.vectors import parameters_to_vector
from engine.tensor import Tensor

GLOBAL, STRUCTURED, UNSTRUCTURED = "global", "structured", "unstructured"


class BasePruningMethod:
    """A way to choose a mask: a subclass says which by ``compute_mask(t, default_mask)``."""

    _state: ClassVar[dict[str, type]] = {"_tensor_name": str}
    PRUNING_TYPE = ""
    _tensor_name = ""

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """What is left of ``t``, where ``default_mask`` is left already."""
        raise NotImplementedError

    def apply_mask(self, module: Module) -> Any:
        """The parameter under its mask."""
        name = self._tensor_name
        if not name:
            raise ArgumentValueError(f"Module {module} has to be pruned")
        mask = getattr(module, f"{name}_mask")
        return mask.to(dtype=getattr(module, f"{name}_orig").dtype) * getattr(module, f"{name}_orig")

    @classmethod
    def apply(cls, module: Module, name: str, *args: Any, importance_scores: Any = None, **kwargs: Any) -> Any:
        """Prune the parameter ``name`` of ``module``, also after others did; the hook that does it."""
        made: Any = cls(*args, **kwargs)
        made._tensor_name = name
        old = _taken_out(module, name)
        original = getattr(module, name)
        if importance_scores is not None and importance_scores.shape != original.shape:
            raise OpError("importance_scores should have the same shape as parameter                 " + name)
        method = made
        if old is not None:
            method = old if isinstance(old, PruningContainer) else PruningContainer(old)
            method.add_pruning_method(made)
            mask = getattr(module, f"{name}_mask").detach().clone()
        else:
            module.register_parameter(f"{name}_orig", original)
            delattr(module, name)
            mask = ops.ones_like(original)
        scores = original if importance_scores is None else importance_scores
        with modes.no_grad():
            chosen = method.compute_mask(scores, default_mask=mask)
        module.register_buffer(f"{name}_mask", chosen)
        setattr(module, name, method.apply_mask(module))
        module.register_forward_pre_hook(method)
        return method

    def prune(self, t: Tensor, default_mask: Any = None, importance_scores: Any = None) -> Any:
        """A tensor under the mask of this method."""
        scores = t if importance_scores is None else importance_scores
        mask = ops.ones_like(t) if default_mask is None else default_mask
        return t * self.compute_mask(scores, default_mask=mask)

    def remove(self, module: Module) -> None:
        """Make the pruning permanent: the masked values are those of the parameter."""
        name = self._tensor_name
        weight, original = self.apply_mask(module), module._parameters[f"{name}_orig"]
        assert original is not None
        original.data = weight.data
        for one in (name, f"{name}_orig", f"{name}_mask"):
            delattr(module, one)
        module.register_parameter(name, original)


def _taken_out(module: Module, name: str) -> Any:
    """The hook that prunes ``name`` already, which is none any more."""
    table = module._hooks.get("forward_pre", {})
    for number, hook in tuple(table.items()):
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            modes.touch(table)
            del table[number]
            return hook
    return None


class PruningContainer(BasePruningMethod):
    """Several methods one after the other: each prunes what the others left."""

    _state: ClassVar[dict[str, type]] = {"_tensor_name": str, "_pruning_methods": tuple}

    def __init__(self, *args: Any) -> None:
        self._pruning_methods: tuple[Any, ...] = ()
        methods = args[0] if len(args) == 1 and isinstance(args[0], Iterable) else args
        for position, method in enumerate(methods):
            if not position:
                self._tensor_name = method._tensor_name
            self.add_pruning_method(method)

    def add_pruning_method(self, method: Any) -> None:
        """Prune by ``method`` after the others."""
        if not isinstance(method, BasePruningMethod) and method is not None:
            raise ArgumentTypeError(f"{naming.class_text(method)} is not a BasePruningMethod subclass")
        if method is not None and self._tensor_name != method._tensor_name:
            raise ArgumentValueError(
                "Can only add pruning methods acting on the parameter named "
                f"'{self._tensor_name}' to PruningContainer {self}. Found '{method._tensor_name}'"
            )
        modes.touch(self)
        self._pruning_methods += (method,)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Any:
        return iter(self._pruning_methods)

    def __getitem__(self, idx: Any) -> Any:
        return self._pruning_methods[idx]

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """The mask of the last method over what the others left."""
        method = self._pruning_methods[-1]
        mask = default_mask.to(dtype=t.dtype)
        kind = method.PRUNING_TYPE
        if kind == UNSTRUCTURED:
            place: Any = mask == 1
        elif kind == STRUCTURED:
            dim = method.dim % t.ndim
            others = [one for one in range(t.ndim) if one != dim]
            place = [slice(None)] * t.ndim
            place[dim] = mask.sum(dim=others) != 0 if others else mask != 0
            place = tuple(place)
        elif kind == GLOBAL:
            place = (slice(None),) * t.ndim
        else:
            raise ArgumentValueError(f"Unrecognized PRUNING_TYPE {kind}")
        mask = mask.clone()
        mask[place] = method.compute_mask(t[place], default_mask=mask[place]).to(dtype=mask.dtype)
        return mask


# -- which mask ---------------------------------------------------------------------------------------------------
def _check_amount(amount: Any) -> None:
    if not isinstance(amount, int | float):
        raise ArgumentTypeError(f"Invalid type for amount: {amount}. Must be int or float.")
    if (isinstance(amount, int) and amount < 0) or (isinstance(amount, float) and not 0 <= amount <= 1):
        raise ArgumentValueError(
            f"amount={amount} should either be a float in the range [0, 1] or a non-negative integer"
        )


def _count(amount: Any, size: int) -> Any:
    """How many of ``size`` go. Raises ``ArgumentValueError`` for more than there are."""
    if isinstance(amount, int):
        if amount > size:
            raise ArgumentValueError(f"amount={amount} should be smaller than the number of parameters to prune={size}")
        return amount
    return round(amount * size)


class Identity(BasePruningMethod):
    """Nothing goes."""

    PRUNING_TYPE = UNSTRUCTURED

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """What there was."""
        return default_mask


class _Some(BasePruningMethod):
    PRUNING_TYPE = UNSTRUCTURED
    _state: ClassVar[dict[str, type]] = {"_tensor_name": str, "amount": object}

    def __init__(self, amount: Any) -> None:
        _check_amount(amount)
        self.amount = amount

    def _without(self, t: Any, default_mask: Any, values: Any, largest: bool) -> Any:
        count = _count(self.amount, t.nelement())
        mask = default_mask.clone()
        if count:
            mask.view(-1)[ops.topk(values.view(-1), count, largest=largest).indices] = 0
        return mask


class RandomUnstructured(_Some):
    """Elements by chance."""

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """Without those with the largest numbers drawn."""
        drawn = ops.rand_like(t) if _count(self.amount, t.nelement()) else t
        return self._without(t, default_mask, drawn, True)


class L1Unstructured(_Some):
    """The elements nearest to zero."""

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """Without the smallest."""
        return self._without(t, default_mask, ops.abs(t).contiguous(), False)


class _Channels(BasePruningMethod):
    PRUNING_TYPE = STRUCTURED
    _state: ClassVar[dict[str, type]] = {"_tensor_name": str, "amount": object, "dim": int}

    def __init__(self, amount: Any, dim: int = -1) -> None:
        _check_amount(amount)
        self.amount, self.dim = amount, dim

    def _sizes(self, t: Any) -> tuple[int, Any]:
        if t.ndim <= 1:
            raise ArgumentValueError(
                "Structured pruning can only be applied to multidimensional tensors. Found tensor of shape "
                f"{t.shape} with {t.ndim} dims"
            )
        if not -t.ndim <= self.dim < t.ndim:
            raise ArgumentValueError(f"Invalid dim {self.dim} for tensor of size {t.shape}")
        size = t.shape[self.dim]
        return size, _count(self.amount, size)

    def _mask(self, t: Any, chosen: Any, default_mask: Any) -> Any:
        mask = ops.zeros_like(t)
        place: list[Any] = [slice(None)] * t.ndim
        place[self.dim] = chosen
        mask[tuple(place)] = 1
        return mask * default_mask.to(dtype=mask.dtype)


class RandomStructured(_Channels):
    """Channels by chance."""

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """Without those with the smallest numbers drawn."""
        size, count = self._sizes(t)
        if not count:
            return default_mask
        drawn = ops.rand(size)
        return self._mask(t, drawn > ops.kthvalue(drawn, count).values, default_mask)


class LnStructured(_Channels):
    """The channels with the smallest norms."""

    _state: ClassVar[dict[str, type]] = {"_tensor_name": str, "amount": object, "dim": int, "n": object}

    def __init__(self, amount: Any, n: Any, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """Only the channels with the largest norms."""
        size, count = self._sizes(t)
        if not count:
            return default_mask
        others = [one for one in range(t.ndim) if one != self.dim % t.ndim]
        norms = t.norm(p=self.n, dim=others)
        return self._mask(t, ops.topk(norms, size - count, largest=True).indices, default_mask)


class CustomFromMask(BasePruningMethod):
    """A mask that is given."""

    PRUNING_TYPE = GLOBAL
    _state: ClassVar[dict[str, type]] = {"_tensor_name": str, "mask": Tensor}

    def __init__(self, mask: Any) -> None:
        self.mask = mask

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """What both leave."""
        return default_mask * self.mask.to(dtype=default_mask.dtype)


# -- functions ----------------------------------------------------------------------------------------------------
def identity(module: Module, name: str) -> Module:
    """Let a parameter look pruned, with everything left."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: Module, name: str, amount: Any) -> Module:
    """Prune elements by chance."""
    RandomUnstructured.apply(module, name, amount=amount)
    return module


def l1_unstructured(module: Module, name: str, amount: Any, importance_scores: Any = None) -> Module:
    """Prune the elements nearest to zero."""
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module: Module, name: str, amount: Any, dim: int) -> Module:
    """Prune channels by chance."""
    RandomStructured.apply(module, name, amount=amount, dim=dim)
    return module


def ln_structured(module: Module, name: str, amount: Any, n: Any, dim: int, importance_scores: Any = None) -> Module:
    """Prune the channels with the smallest norms."""
    LnStructured.apply(module, name, amount=amount, n=n, dim=dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: Module, name: str, mask: Any) -> Module:
    """Prune by a mask."""
    CustomFromMask.apply(module, name, mask=mask)
    return module


def global_unstructured(parameters: Any, pruning_method: Any, importance_scores: Any = None, **kwargs: Any) -> None:
    """Prune several parameters as if they were one."""
    if not isinstance(parameters, Iterable):
        raise ArgumentTypeError("global_unstructured(): parameters is not an Iterable")
    given = importance_scores or {}
    pairs = [(module, name) for module, name in parameters]
    scores = parameters_to_vector([given.get(pair, getattr(*pair)) for pair in pairs])
    masks = [getattr(module, f"{name}_mask", None) for module, name in pairs]
    default = parameters_to_vector(
        [ops.ones_like(getattr(*pair)) if mask is None else mask for pair, mask in zip(pairs, masks, strict=True)]
    )
    container = PruningContainer()
    method = pruning_method(**kwargs)
    container._tensor_name = method._tensor_name = "temp"
    container.add_pruning_method(method)
    if method.PRUNING_TYPE != UNSTRUCTURED:
        raise ArgumentTypeError(
            'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method '
            f"{pruning_method} of type {method.PRUNING_TYPE}"
        )
    with modes.no_grad():
        final = container.compute_mask(scores.detach(), default)
    begin = 0
    for module, name in pairs:
        parameter = getattr(module, name)
        end = begin + parameter.numel()
        custom_from_mask(module, name, final[begin:end].view_as(parameter))
        begin = end


def remove(module: Module, name: str) -> Module:
    """Make the pruning of a parameter permanent."""
    hook = _taken_out(module, name)
    if hook is None:
        raise ArgumentValueError(
            f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed"
        )
    hook.remove(module)
    return module


def is_pruned(module: Module) -> bool:
    """Whether a module, or one in it, has a pruned parameter."""
    return any(
        isinstance(hook, BasePruningMethod)
        for _, one in module.named_modules()
        for hook in hooks.of(one, "forward_pre")
    )


_KINDS: tuple[Any, ...] = (
    BasePruningMethod, PruningContainer, Identity, RandomUnstructured, L1Unstructured, RandomStructured, LnStructured,
    CustomFromMask,
)  # fmt: skip
homes.keep("torch.nn.utils.prune", *_KINDS)
for _kind in _KINDS:
    registry.add_kind(f"nn.utils.prune.{_kind.__name__}", _kind)
_PUBLIC: tuple[Any, ...] = (
    identity, random_unstructured, l1_unstructured, random_structured, ln_structured, custom_from_mask,
    global_unstructured, remove, is_pruned,
)  # fmt: skip
for _one in (*_KINDS, *_PUBLIC):
    registry.add_function(f"nn.utils.prune.{_one.__name__}", _one)
