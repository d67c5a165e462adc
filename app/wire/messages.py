"""Requests, as models: they check the outer shell and give the OpenAPI document its schemas.

What is large or has a grammar of its own (tensors, nodes, code) passes through untouched to its own reader.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

NAMED = "x-named-schema"  # in a schema: the name of one that is written by hand
TensorInput = Annotated[Any, WithJsonSchema({NAMED: "TensorInput"})]
Nodes = Annotated[list[Any], WithJsonSchema({"type": "array", "items": {NAMED: "Node"}})]
UNKNOWN: Final = 50  # more fields than that are not named in a problem
WireEncoding = Literal["json", "base64"]

TUTORIAL_GRAPH: dict[str, Any] = {
    "inputs": {"x": {"data": [[1.0, 1.0], [1.0, 1.0]], "requires_grad": True}},
    "nodes": [
        {"id": "y", "op": "add", "args": ["$x", 2]},
        {"id": "yy", "op": "mul", "args": ["$y", "$y"]},
        {"id": "z", "op": "mul", "args": ["$yy", 3]},
        {"id": "out", "op": "mean", "args": ["$z"]},
    ],
    "outputs": ["y", "out"],
    "backward": [{"tensor": "out"}],
    "grads": ["x"],
}
TUTORIAL_CODE: dict[str, Any] = {
    "inputs": {"x": {"data": [[1.0, 1.0], [1.0, 1.0]], "requires_grad": True}},
    "code": "y = x + 2\nz = y * y * 3\nout = z.mean()\nout.backward()\nprint(x.grad)\n",
}


class Message(BaseModel):
    """A request body; a field that is not listed is refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _leave_out(cls, fields: Any) -> Any:
        """Of many unknown fields, keep some: each takes a thousand bytes to be complained of."""
        if not isinstance(fields, dict) or len(fields) <= len(cls.model_fields) + UNKNOWN:
            return fields
        unknown = [name for name in fields if name not in cls.model_fields][:UNKNOWN]
        return {name: value for name, value in fields.items() if name in cls.model_fields or name in unknown}


class Root(Message):
    """Where a backward sweep starts."""

    tensor: str = Field(description="Name of the tensor.")
    gradient: TensorInput = Field(None, description="Its cotangent; left out for a scalar, where it is one.")


class RunRequest(Message):
    """A program with its inputs: `nodes` or `code`, then an optional backward sweep."""

    model_config = ConfigDict(json_schema_extra={"examples": [TUTORIAL_GRAPH, TUTORIAL_CODE]})

    inputs: dict[str, TensorInput] = Field(default_factory=dict, description="Leaves, bound before the program runs.")
    nodes: Nodes | None = Field(None, description="The program as JSON: PyTorch's own calls, in order.")
    code: str | None = Field(None, description="The program as Python text, instead of nodes.")
    outputs: list[str] | None = Field(
        None, description="Names to return. Left out: the last named result; with code: every tensor it bound."
    )
    backward: list[Root] = Field(default_factory=list, description="Roots, swept together after the program.")
    retain_graph: bool | None = Field(None, description="Keep what the sweep would free.")
    create_graph: bool = Field(False, description="Record the sweep, for higher orders.")
    grads: list[str] | None = Field(
        None, description="Leaves whose grad to return. Left out: every input that requires grad."
    )
    include: list[Literal["graph", "timings"]] = Field(default_factory=list, description="What else to return.")
    encoding: WireEncoding | None = Field(None, description="How tensor data are returned.")


class SessionRequest(Message):
    """A new session."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})

    ttl_seconds: float | None = Field(
        None, gt=0, description="Life after the last use; at most the limit, which is also the default."
    )


class BackwardRequest(Message):
    """One backward sweep in a session."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"tensor": "out"}]})

    tensor: str = Field(description="Name of the root.")
    gradient: TensorInput = Field(None, description="Its cotangent; left out for a scalar.")
    retain_graph: bool | None = Field(None, description="Keep what the sweep would free.")
    create_graph: bool = Field(False, description="Record the sweep, for higher orders.")
    inputs: list[str] | None = Field(None, description="Accumulate into these tensors only.")
    encoding: WireEncoding | None = Field(None, description="How tensor data are returned.")


class ZeroGradRequest(Message):
    """Reset gradients."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"tensors": ["x"]}]})

    tensors: list[str] | None = Field(None, description="Names; left out: every named tensor of the session.")
    set_to_none: bool = Field(True, description="Drop the gradients; false: fill them with zeros.")


class TensorPatch(Message):
    """Changes to one tensor; at least one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"requires_grad": False}, {"grad": None}]})

    requires_grad: bool | None = Field(None, description="As `x.requires_grad_(…)`.")
    data: TensorInput = Field(None, description="As `x.data = …`.")
    grad: TensorInput = Field(None, description="As `x.grad = …`; null drops it.")

    @model_validator(mode="after")
    def _check_change(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("no_change", "nothing to change: give requires_grad, data or grad")
        return self
