"""Derivatives of a callable: vjp, jvp, jacobian, hessian and their products with vectors.

Inputs are a tensor or a tuple of tensors; the callable takes them as arguments and returns a tensor or a tuple. With
``create_graph`` results can be differentiated again; with ``strict`` independence is an error instead of zeros.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine import modes, ops, registry
from engine.autograd import sweep
from engine.errors import ArgumentTypeError, OpError
from engine.op.signature import type_name
from engine.tensor import Tensor

Function = Callable[..., Any]
Tensors = tuple[Tensor, ...]

NO_GRADIENT = (
    "Output {} of the user-provided function does not require gradients. The outputs must be computed in a "
    "differentiable manner from the input when running in strict mode."
)
INDEPENDENT = "Output {} of the user-provided function is independent of input {}. This is not allowed in strict mode."
SECOND_INDEPENDENT = (
    "While computing the {}, found that the jacobian of the user-provided function with respect to input {} is "
    "independent of the input. This is not allowed in strict mode. You should ensure that your function is twice "
    "differentiable and that the jacobian depends on the inputs (this would be violated by a linear function for "
    "example)."
)


# -- arguments and results ----------------------------------------------------------------------------------------
def _tuple(value: Any, what: str, name: str) -> tuple[bool, Tensors]:
    """Whether ``value`` was a tuple, and it as one."""
    is_tuple = isinstance(value, tuple)
    tensors = value if is_tuple else (value,)
    for position, tensor in enumerate(tensors):
        if not isinstance(tensor, Tensor):
            element = f"Value at index {position} has type" if is_tuple else f"the given {what} has type"
            raise ArgumentTypeError(
                f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but {element} "
                f"<class '{type_name(tensor)}'>."
            )
    return is_tuple, tensors


def _called(func: Function, inputs: Tensors, name: str) -> tuple[bool, Tensors]:
    if not callable(func):
        raise ArgumentTypeError(f"'{type_name(func)}' object is not callable")
    return _tuple(func(*inputs), "outputs of the user-provided function", name)


def _leaves(inputs: Tensors, create_graph: bool) -> Tensors:
    """Fresh tensors to differentiate by; with ``create_graph`` they stay connected to the inputs."""
    if create_graph:
        return tuple(ops.view(t, t.shape) if t.requires_grad else t.detach().requires_grad_() for t in inputs)
    return tuple(t.detach().requires_grad_() for t in inputs)


def _finished(value: Any, create_graph: bool) -> Any:
    """Results as they go back: without a graph unless one was asked for."""
    if isinstance(value, tuple):
        return tuple(_finished(item, create_graph) for item in value)
    return value if create_graph else value.detach()


def _unwrapped(is_tuple: bool, values: tuple[Any, ...]) -> Any:
    return values if is_tuple else values[0]


def _vector(v: Any, like: Tensors, what: str, name: str) -> Tensors:
    """The vector of a product; ones for a single element if none is given."""
    if v is None:
        if len(like) != 1 or like[0].array.size != 1:
            raise OpError(
                f"The vector v can only be None if {what} is a single Tensor with a single element."
                if what.startswith("the input")
                else "The vector v can only be None if the user-provided function returns a single Tensor with a "
                "single element."
            )
        return (ops.ones_like(like[0]),)
    _, vectors = _tuple(v, "v", name)
    if len(vectors) != len(like):
        raise OpError(f"v is a tuple of invalid length: should be {len(like)} but got {len(vectors)}.")
    for position, (vector, tensor) in enumerate(zip(vectors, like, strict=True)):
        if vector.shape != tensor.shape:
            entry = f"Entry {position} in " if len(like) > 1 else ""
            raise OpError(f"{entry}v has invalid size: should be {tensor.shape} but got {vector.shape}.")
    return tuple(vectors)


def _gradients(
    outputs: Tensors, inputs: Tensors, vectors: Tensors | None, create_graph: bool
) -> tuple[Tensor | None, ...]:
    """Gradients where there are any; outputs that do not require grad count as constant."""
    pairs = [(o, vectors[i] if vectors else None) for i, o in enumerate(outputs) if o.requires_grad]
    if not pairs:
        return (None,) * len(inputs)
    roots, cotangents = [o for o, _ in pairs], [v for _, v in pairs]
    return sweep.grad(roots, inputs, cotangents, create_graph=create_graph, retain_graph=True, allow_unused=True)


def _filled(
    gradients: tuple[Tensor | None, ...], inputs: Tensors, strict: bool, message: Callable[[int], str]
) -> Tensors:
    """Zeros for missing gradients, or an error in strict mode."""
    for position, gradient in enumerate(gradients):
        if gradient is None and strict:
            raise OpError(message(position))
    return tuple(ops.zeros_like(x) if g is None else g for g, x in zip(gradients, inputs, strict=True))


def _check_strict(outputs: Tensors, strict: bool) -> None:
    for position, output in enumerate(outputs):
        if strict and not output.requires_grad:
            raise OpError(NO_GRADIENT.format(position))


def _check_scalar(outputs: Tensors, is_tuple: bool, name: str) -> None:
    if is_tuple or outputs[0].array.size != 1:
        raise OpError(f"The Tensor returned by the function given to {name} should contain a single element")


# -- first order --------------------------------------------------------------------------------------------------
def vjp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The outputs, and the product of ``v`` (shaped like the outputs) with the Jacobian (shaped like the inputs)."""
    with modes.enable_grad():
        is_tuple, given = _tuple(inputs, "inputs", "vjp")
        primals = _leaves(given, create_graph)
        out_tuple, outputs = _called(func, primals, "vjp")
        _check_strict(outputs, strict)
        vectors = _vector(v, outputs, "the output", "vjp")
        gradients = _gradients(outputs, primals, vectors, create_graph)
        filled = _filled(gradients, primals, strict, lambda i: INDEPENDENT.format(0, i))
    return _finished((_unwrapped(out_tuple, outputs), _unwrapped(is_tuple, filled)), create_graph)


def jvp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The outputs, and the product of the Jacobian with ``v`` (shaped like the inputs), shaped like the outputs.

    By two reverse passes: the vjp is linear in its cotangent, and its own vjp is the jvp.
    """
    with modes.enable_grad():
        _, given = _tuple(inputs, "inputs", "jvp")
        primals = _leaves(given, create_graph)
        vectors = _vector(v, primals, "the input to the user-provided function", "jvp")
        out_tuple, outputs = _called(func, primals, "jvp")
        _check_strict(outputs, strict)
        dummies = tuple(ops.zeros_like(o).requires_grad_() for o in outputs)
        pulled = _filled(
            _gradients(outputs, primals, dummies, True), primals, strict, lambda i: INDEPENDENT.format(0, i)
        )
        tangents = _gradients(pulled, dummies, vectors, create_graph)
        filled = _filled(tangents, outputs, False, str)
    return _finished((_unwrapped(out_tuple, outputs), _unwrapped(out_tuple, filled)), create_graph)


def jacobian(
    func: Function, inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """The derivative of every output element by every input element: shape ``(*output, *input)``.

    A tuple of outputs gives a tuple of them, a tuple of inputs a tuple inside. ``vectorize`` and ``strategy`` change
    how PyTorch computes, not what; here they change nothing.
    """
    with modes.enable_grad():
        is_tuple, given = _tuple(inputs, "inputs", "jacobian")
        primals = _leaves(given, create_graph)
        out_tuple, outputs = _called(func, primals, "jacobian")
        _check_strict(outputs, strict)
        rows = tuple(_unwrapped(is_tuple, _rows(o, i, primals, create_graph, strict)) for i, o in enumerate(outputs))
    return _finished(_unwrapped(out_tuple, rows), create_graph)


def _rows(output: Tensor, number: int, primals: Tensors, create_graph: bool, strict: bool) -> Tensors:
    columns: list[list[Tensor]] = [[] for _ in primals]
    flat = ops.reshape(output, (-1,)) if output.array.size else None
    for element in range(output.array.size):
        gradients = _gradients((ops.select(flat, 0, element),), primals, None, create_graph)
        filled = _filled(gradients, primals, strict, lambda i: INDEPENDENT.format(number, i))
        for column, gradient in zip(columns, filled, strict=True):
            column.append(gradient)
    return tuple(_stacked(column, output, primal) for column, primal in zip(columns, primals, strict=True))


def _stacked(column: list[Tensor], output: Tensor, primal: Tensor) -> Tensor:
    shape = (*output.shape, *primal.shape)
    return ops.reshape(ops.stack(column), shape) if column else ops.zeros(shape, dtype=primal.dtype)  # type: ignore[no-any-return]


# -- second order -------------------------------------------------------------------------------------------------
def hessian(
    func: Function, inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """The second derivatives of a scalar function: shape ``(*input, *input)``, nested tuples for a tuple of inputs."""
    is_tuple, given = _tuple(inputs, "inputs", "hessian")

    def gradient(*primals: Tensor) -> Tensors:
        out_tuple, outputs = _called(func, primals, "hessian")
        _check_scalar(outputs, out_tuple, "hessian")
        _check_strict(outputs, strict)
        found = _gradients(outputs, primals, None, True)
        return _filled(found, primals, strict, lambda i: INDEPENDENT.format(0, i))

    rows = jacobian(gradient, given, create_graph=create_graph, strict=strict)
    return rows if is_tuple else rows[0][0]


def vhp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The value of a scalar function, and the product of ``v`` with its Hessian, shaped like the inputs."""
    return _hessian_product("vhp", func, inputs, v, create_graph, strict)


def hvp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The value of a scalar function, and the product of its Hessian with ``v``; Hessians are symmetric."""
    return _hessian_product("hvp", func, inputs, v, create_graph, strict)


def _hessian_product(name: str, func: Function, inputs: Any, v: Any, create_graph: bool, strict: bool) -> Any:
    with modes.enable_grad():
        is_tuple, given = _tuple(inputs, "inputs", name)
        primals = _leaves(given, create_graph)
        vectors = _vector(v, primals, "the input to the user-provided function", name)
        out_tuple, outputs = _called(func, primals, name)
        _check_scalar(outputs, out_tuple, name)
        _check_strict(outputs, strict)
        first = _filled(_gradients(outputs, primals, None, True), primals, strict, lambda i: INDEPENDENT.format(0, i))
        second = _gradients(first, primals, vectors, create_graph)
        filled = _filled(second, primals, strict, lambda i: SECOND_INDEPENDENT.format("hessian", i))
    return _finished((outputs[0], _unwrapped(is_tuple, filled)), create_graph)


for _function in (vjp, jvp, jacobian, hessian, vhp, hvp):
    registry.add_function(f"autograd.functional.{_function.__name__}", _function)
