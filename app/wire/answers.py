"""Answers, as models: they give the OpenAPI document its schemas. Answers themselves are written from plain data."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from app.wire.schemas import named

Absent = SkipJsonSchema[None]  # what is left out, but never null

Data = Annotated[Any, WithJsonSchema(named("TensorData"))]
DtypeName = Annotated[str, WithJsonSchema(named("Dtype"))]
EncodingName = Annotated[str, WithJsonSchema(named("Encoding"))]
Value = Annotated[Any, WithJsonSchema(named("Value"))]


class Answer(BaseModel):
    """What the document says of an answer. Nothing is validated with it, so it is not made ready for that."""

    model_config = ConfigDict(defer_build=True)


class TensorRecord(Answer):
    """A tensor in an answer. It can be sent back as an input, as it is."""

    data: Data
    dtype: DtypeName
    shape: list[int]
    requires_grad: bool
    is_leaf: bool
    grad_fn: str | None = Field(description="Name of the node that made it.")
    encoding: EncodingName | Absent = Field(None, description="`base64`, where the data are so.")


class TensorOutput(TensorRecord):
    """A tensor that a program made; with code, its gradient, too."""

    grad: TensorRecord | None = Field(None, description="With code only.")


class TensorWithGrad(TensorRecord):
    """A tensor and its gradient."""

    grad: TensorRecord | None


class GraphEdge(Answer):
    """Where a cotangent goes."""

    node: str | None = Field(description="Id of the node; null where the input needs no gradient.")
    output_nr: int


class GraphSaved(Answer):
    """A tensor that a node saves for its rule."""

    name: str
    shape: list[int]
    dtype: DtypeName


class GraphLeaf(Answer):
    """The leaf that an AccumulateGrad node adds to."""

    name: str | None
    shape: list[int]
    dtype: DtypeName


class GraphNode(Answer):
    """One recorded call."""

    id: str
    name: str = Field(description="PyTorch's name of the node, `MulBackward0`.")
    next_functions: list[GraphEdge]
    saved: list[GraphSaved]
    freed: bool = Field(description="Whether a sweep has freed what the node saved.")
    leaf: GraphLeaf | None


class GraphRoot(Answer):
    """A tensor that was asked for, and the node it comes from."""

    tensor: str
    node: str | None
    output_nr: int


class BackwardGraph(Answer):
    """What a backward sweep visits, in its order."""

    roots: list[GraphRoot]
    nodes: list[GraphNode]


class NonFiniteValue(Answer):
    """The first value that is not finite."""

    name: str | None = Field(description="What it was bound to; null for what has no name.")
    op: str | None = Field(description="What made it; null for an input and the like.")


class NonFiniteGradient(Answer):
    """The first gradient that is not finite."""

    name: str | None = Field(description="The tensor whose gradient it is; null for what has no name.")
    grad_fn: str = Field(description="The node that made it.")


class NonFiniteAnswer(Answer):
    """Where a run first gave NaN or an infinity; null where it did not."""

    value: NonFiniteValue | None
    gradient: NonFiniteGradient | None


class ProgramAnswer(Answer):
    """What a program made."""

    outputs: dict[str, TensorOutput] = Field(description="With code, each has its `grad` too.")
    grads: dict[str, TensorRecord | None]
    values: dict[str, Value] = Field(default_factory=dict, description="Variables that are not tensors.")
    prints: list[str] = Field(default_factory=list, description="One text per call of print.")
    warnings: list[str] = Field(default_factory=list)
    graph: BackwardGraph | Absent = None
    nan: NonFiniteAnswer | Absent = None
    timings: dict[str, float] | Absent = Field(None, description="Seconds by part.")


BatchAnswer = Annotated[Any, WithJsonSchema(named("BatchAnswer"))]


class EvaluateAnswer(ProgramAnswer):
    """What a program made. Of a batch it has the answers alone."""

    batch: list[BatchAnswer] | Absent = Field(None, description="In the order of the entries.")


class RunAnswer(ProgramAnswer):
    """What a program made in a session. Of several runs it has the answers alone."""

    runs: list[ProgramAnswer] | Absent = Field(None, description="In the order of the runs.")
    version: int


class SessionHead(Answer):
    """A session. Times are those of RFC 3339, in UTC."""

    id: str
    version: int
    created_at: datetime
    expires_at: datetime
    ttl_seconds: float
    bytes: int


class TensorName(Answer):
    """A tensor of a session, without its data."""

    name: str
    dtype: DtypeName
    shape: list[int]
    requires_grad: bool
    is_leaf: bool


class SessionAnswer(SessionHead):
    """A session and the names in it."""

    tensors: list[TensorName]


class SessionPage(Answer):
    """Sessions by age; `next` is the cursor of the next page."""

    sessions: list[SessionHead]
    next: str | None


class BackwardAnswer(Answer):
    """The grads of named leaves after the sweep."""

    grads: dict[str, TensorRecord | None]
    warnings: list[str]
    version: int


class ZeroGradAnswer(Answer):
    """How many gradients were reset."""

    zeroed: int
    version: int


class TensorAnswer(TensorWithGrad):
    """A tensor after a change, and the version that made."""

    version: int


class OpSummary(Answer):
    """An op of the catalogue."""

    name: str
    signature: str
    summary: str


class OpPage(Answer):
    """The catalogue, by name; `next` is the cursor of the next page."""

    ops: list[OpSummary]
    next: str | None


OpKind = Annotated[str, WithJsonSchema(named("OpKind"))]
OpExample = Annotated[Any, WithJsonSchema({"anyOf": [named("RunRequest"), {"type": "null"}]})]


class OpParameter(Answer):
    """A parameter of an op."""

    name: str
    type: str | None = Field(description="`Tensor`, `int | None`; null where it may be many things.")
    required: bool
    default_value: str | Absent = Field(None, description="As Python writes it.")
    keyword_only: bool


class OpAnswer(OpSummary):
    """All that is known of an op, or of what else a node may call."""

    description: str
    kind: OpKind = Field(
        description="`primitive` (has rules of its own), `composite` (made of other ops), or a `function`, `class` or "
        "`method` that is no op."
    )
    family: str = Field(description="The module that it is in.")
    aliases: list[str] = Field(description="Its other names.")
    parameters: list[OpParameter]
    differentiable: list[str] = Field(description="Arguments that gradients flow to.")
    grad_fn: str | None = Field(description="Name of the node that a call records; null where there is none.")
    shapes: str | None = Field(description="Of the tensors in the example and of what it gives.")
    method: bool
    in_place: bool = Field(description="Whether the variant with a trailing underscore exists.")
    example: OpExample = Field(description="A request for `/v1/evaluate`; every op has one.")
    pytorch: str = Field(description="Name of its page in PyTorch's documentation.")


HealthStatus = Annotated[Literal["ok", "ready"], WithJsonSchema(named("HealthStatus"))]


class Health(Answer):
    """The state of the process."""

    status: HealthStatus


class ProblemError(Answer):
    """One thing that is wrong, and where."""

    loc: list[Annotated[str | int, WithJsonSchema(named("PlacePart"))]] = Field(description="The way to it.")
    msg: str


class ProblemNode(Answer):
    """The failing node."""

    id: str | None
    index: int


class Problem(Answer):
    """What went wrong (RFC 9457). `detail` is in PyTorch's own words where PyTorch refuses the same."""

    type: str = Field(examples=["/problems/refused"], description="A stable slug.")
    title: str
    status: int
    detail: str
    exception: str | Absent = Field(None, description="PyTorch's exception class.")
    hint: str | Absent = Field(None, description="What to do about it.")
    op: str | Absent = Field(None, description="The op that failed, or that there is not, by its name at `/v1/ops`.")
    node: ProblemNode | Absent = None
    line: int | Absent = None
    column: int | Absent = None
    prints: list[str] | Absent = Field(None, description="What the program printed before it failed.")
    prints_omitted: int | Absent = None
    errors: list[ProblemError] | Absent = None
    limit: str | Absent = Field(None, description="The limit, by its name at `/v1/limits`.")
    allowed: float | Absent = None
    asked: float | Absent = None
    version: int | Absent = None
    run: int | Absent = Field(None, description="Which of several runs it was, counted from 0.")
    request_id: str | Absent = None
