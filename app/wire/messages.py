"""Requests, as models: they check the outer shell and give the OpenAPI document its schemas.

What is large or has a grammar of its own (tensors, nodes, code) passes through untouched to its own reader.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from app.wire.schemas import named, one_of

TensorInput = Annotated[Any, WithJsonSchema(named("TensorInput"))]
Nodes = Annotated[list[Any], WithJsonSchema({"type": "array", "items": named("Node")})]
UNKNOWN: Final = 50  # more fields than that are not named in a problem
WireEncoding = Literal["json", "base64"]
GraphFormat = Literal["json", "dot", "mermaid", "svg"]
GRAPH_TYPES: Final = {"dot": "text/vnd.graphviz", "mermaid": "text/vnd.mermaid", "svg": "image/svg+xml"}
EncodingField = Annotated[WireEncoding, WithJsonSchema(named("Encoding"))]
NullableTensor = Annotated[Any, WithJsonSchema({"anyOf": [named("TensorInput"), {"type": "null"}]})]
Extra = Annotated[Literal["graph", "nan", "timings"], WithJsonSchema(named("Extra"))]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
# The grammar of `cursor`: a time and an id.
CURSOR: Final = r"^([0-9]{1,12}\.[0-9]{1,9})_([A-Za-z0-9_-]{1,64})$"


class _NotNull:
    """In an annotation of what may be ``None``: that is what it is if left out, and no value of the wire's."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        assert schema["type"] == "nullable", "for annotations of the form X | None"
        inner: CoreSchema = schema["schema"]
        return inner


KEPT: Final = "Keep what the sweep would free; else as create_graph says."
Kind = TypeVar("Kind")
Omissible = Annotated[Kind | None, _NotNull()]
# null counts as left out, and the schema says so: generators for Java send an empty list of whatever may not be null.
NamesOrNone = list[str] | None

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
TUTORIAL_TEXT = "x = torch.ones(2, 2, requires_grad=True)\nout = ((x + 2) ** 2 * 3).mean()\nout.backward()\n"
TUTORIAL_CODE: dict[str, Any] = {
    "inputs": {"x": {"data": [[1.0, 1.0], [1.0, 1.0]], "requires_grad": True}},
    "code": "y = x + 2\nz = y * y * 3\nout = z.mean()\nout.backward()\nprint(x.grad)\n",
}
BATCH: dict[str, Any] = {
    "nodes": [{"id": "y", "op": "mul", "args": ["$x", "$x"]}],
    "backward": [{"tensor": "y"}],
    "batch": [
        {"inputs": {"x": {"data": 2.0, "requires_grad": True}}},
        {"inputs": {"x": {"data": 3.0, "requires_grad": True}}},
    ],
}
RUNS: dict[str, Any] = {
    "runs": [{"code": "w = torch.ones(2)"}, {"code": "w = w - 0.5", "outputs": ["w"]}],
}


class Message(BaseModel):
    """A request body; a field that is not listed is refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)  # the front asks for none

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
    gradient: NullableTensor = Field(None, description="Its cotangent; left out or null for a scalar, where it is one.")


class RunOptions(Message):
    """What may be said of any run, beside its program."""

    inputs: dict[str, TensorInput] = Field(default_factory=dict, description="Leaves, bound before the program runs.")
    outputs: NamesOrNone = Field(
        None, description="Names to return. Left out: the last named result; with code: every tensor it bound."
    )
    backward: list[Root] = Field(default_factory=list, description="Roots, swept together after the program.")
    retain_graph: Omissible[bool] = Field(None, description=KEPT)
    create_graph: bool = Field(False, description="Record the sweep, for higher orders; else not.")
    grads: NamesOrNone = Field(
        None, description="Leaves whose grad to return. Left out: every input that requires grad."
    )
    include: list[Extra] = Field(default_factory=list, description="What else to return.")
    encoding: Omissible[EncodingField] = Field(None, description="How tensor data are returned; else as lists.")


class GraphRequest(RunOptions):
    """A program as a list of PyTorch's own calls, with its inputs; then an optional backward sweep."""

    model_config = ConfigDict(json_schema_extra={"examples": [TUTORIAL_GRAPH]})

    nodes: Nodes = Field(description="The program as JSON: PyTorch's own calls, in order.")


class CodeRequest(RunOptions):
    """A program as Python text, with its inputs; then an optional backward sweep."""

    model_config = ConfigDict(json_schema_extra={"examples": [TUTORIAL_CODE]})

    code: str = Field(description="The program as Python text.")


class BatchEntry(Message):
    """What one entry of a batch has of its own."""

    inputs: dict[str, TensorInput] = Field(default_factory=dict, description="Leaves, beside those that all have.")


class GraphBatch(GraphRequest):
    """One list of nodes, run over many inputs."""

    model_config = ConfigDict(json_schema_extra={"examples": [BATCH]})

    batch: list[BatchEntry] = Field(description="Each is run by itself; the answers come in their order.")


class CodeBatch(CodeRequest):
    """One text of a program, run over many inputs."""

    model_config = ConfigDict(json_schema_extra={"examples": []})

    batch: list[BatchEntry] = Field(description="Each is run by itself; the answers come in their order.")


class RunRequest(RunOptions):
    """A program with its inputs: exactly one of `nodes` and `code`, then an optional backward sweep."""

    nodes: Omissible[Nodes] = None
    code: Omissible[str] = None
    batch: Omissible[list[BatchEntry]] = None  # of a stateless run
    runs: Omissible[list[RunRequest]] = None  # of a session's, instead of all else

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return one_of("GraphRequest", "CodeRequest", description=cls.__doc__, examples=[TUTORIAL_GRAPH, TUTORIAL_CODE])


class RunsRequest(Message):
    """Several runs, in order: one transaction, and one version."""

    model_config = ConfigDict(json_schema_extra={"examples": [RUNS]})

    runs: list[RunRequest] = Field(description="Where one fails, none of them has happened.")


class SessionRequest(Message):
    """A new session."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})

    ttl_seconds: Omissible[Positive] = Field(
        None, description="Life after the last use; at most the limit, which is also the default."
    )


class BackwardRequest(Message):
    """One backward sweep in a session."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"tensor": "out"}]})

    tensor: str = Field(description="Name of the root.")
    gradient: NullableTensor = Field(None, description="Its cotangent; left out or null for a scalar.")
    retain_graph: Omissible[bool] = Field(None, description=KEPT)
    create_graph: bool = Field(False, description="Record the sweep, for higher orders; else not.")
    inputs: NamesOrNone = Field(None, description="Accumulate into these tensors only.")
    encoding: Omissible[EncodingField] = Field(None, description="How tensor data are returned; else as lists.")


class ZeroGradRequest(Message):
    """Reset gradients."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"tensors": ["x"]}]})

    tensors: NamesOrNone = Field(None, description="Names; left out: every named tensor of the session.")
    set_to_none: bool = Field(True, description="Drop the gradients, which is the default; false: fill with zeros.")


class TensorPatch(Message):
    """Changes to one tensor; at least one."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"requires_grad": False}, {"grad": None}], "minProperties": 1}
    )

    requires_grad: Omissible[bool] = Field(None, description="As `x.requires_grad_(…)`.")
    data: TensorInput = Field(None, description="As `x.data = …`.")
    grad: NullableTensor = Field(None, description="As `x.grad = …`; null drops it.")

    @model_validator(mode="after")
    def _check_change(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("no_change", "nothing to change: give requires_grad, data or grad")
        return self
