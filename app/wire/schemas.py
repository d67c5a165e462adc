"""Schemas that are written by hand: of what has a grammar of its own, and passes models untouched."""

from __future__ import annotations

from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from engine import dtypes

NAMED: Final = (
    "x-named-schema"  # in a schema: the name of another; pydantic refuses references to what it does not know
)
REFERENCE: Final = "#/components/schemas/{model}"
Schema = dict[str, Any]


def named(name: str) -> Schema:
    """Return a mark for the schema of that name."""
    return {NAMED: name}


def one_of(*names: str, **more: Any) -> Schema:
    """Return the schema of what is exactly one of some others."""
    return {"oneOf": [named(name) for name in names], **more}


def with_references(schema: Any) -> Any:
    """Return ``schema`` with references in place of marks."""
    if isinstance(schema, list):
        return [with_references(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if NAMED in schema:
        kept = {key: value for key, value in schema.items() if key in ("description", "deprecated")}
        return {"$ref": REFERENCE.format(model=schema[NAMED]), **kept}
    return {key: with_references(part) for key, part in schema.items()}


class Generator(GenerateJsonSchema):
    """Makes schemas that typed clients can do with: every number says how wide it is.

    Defaults are told in descriptions: clients' generators take a field with a default for one that has to be sent.
    """

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        return {**super().int_schema(schema), "format": "int64"}

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        return {**super().float_schema(schema), "format": "double"}

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


DATA: Final[Schema] = {
    "description": "A number, or lists of them, nested as deep as the shape is long; NaN and infinities are the words "
                   "`NaN`, `Infinity` and `-Infinity`, complex numbers `[re, im]` pairs. With the encoding `base64` a "
                   "text: little-endian, C order; with msgpack these bytes themselves.",
}  # fmt: skip
DTYPE: Final[Schema] = {
    "type": "string",
    "enum": [dtype.name for dtype in dtypes.ALL],
    "description": "PyTorch's name of a dtype.",
}
ENCODING: Final[Schema] = {
    "type": "string",
    "enum": ["json", "base64"],
    "description": "How the data of tensors are written: as numbers in lists, or as base64 text.",
}
TENSOR_OBJECT: Final[Schema] = {
    "type": "object",
    "description": "A tensor with its particulars. A tensor of an answer is one, too.",
    "required": ["data"],
    "additionalProperties": False,
    "properties": {
        "data": named("TensorData"),
        "dtype": named("Dtype"),
        "shape": {
            "anyOf": [
                {"type": "array", "items": {"type": "integer", "format": "int64", "minimum": 0}}, {"type": "null"},
            ],
            "description": "Checked where it is given; needed for flat, empty and encoded data.",
        },
        "requires_grad": {"type": "boolean", "description": "False, if left out."},
        "encoding": named("Encoding"),
        "is_leaf": {"type": "boolean", "description": "Of an answer: says nothing here."},
        "grad_fn": {"type": ["string", "null"], "description": "Of an answer: says nothing here."},
        "grad": {"description": "Of an answer: says nothing here."},
        "version": {"type": "integer", "format": "int64", "description": "Of an answer: says nothing here."},
    },
    "examples": [{"data": [1, 2], "dtype": "float64", "requires_grad": True}],
}  # fmt: skip
# Numbers and lists of them are not told apart here: generators for Java and Go do not compile, and that of
# TypeScript's fetch loses, what they make of a union that has a list in it.
TENSOR_INPUT: Final[Schema] = {
    "description": "A tensor: an object, a number, or a nested list. Without a dtype it is inferred as torch.tensor "
                   "does, but whole numbers that require grad are float32.",
    "anyOf": [named("TensorObject"), named("TensorData")],
    "examples": [[[1.0, 1.0], [1.0, 1.0]], {"data": [1, 2], "dtype": "float64", "requires_grad": True}],
}  # fmt: skip
ARGUMENT: Final[Schema] = {
    "description": "`$name`, `$name.attribute`, `$name.0` are references (`$$` begins a text with one `$`); numbers, "
                   "booleans, null, texts and lists are literals; `NaN`, `Infinity`, `-Infinity` are numbers. What "
                   "JSON lacks: `{\"slice\": [start, stop, step]}`, "
                   "`{\"ellipsis\": true}`, `{\"float\": \"Infinity\"}`, `{\"complex\": [re, im]}`, `{\"tensor\": …}`, "
                   "`{\"function\": \"exp\"}`.",
}  # fmt: skip
CALL: Final[Schema] = {
    "type": "object",
    "description": "One call of PyTorch.",
    "required": ["op"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "description": "Name of the result; may rebind an earlier name."},
        "op": {"type": "string", "description": "`torch.<op>`, a Tensor method, or an operator such as `__getitem__`."},
        "args": {"type": "array", "items": named("Argument"), "description": "Positional arguments."},
        "kwargs": {"type": "object", "additionalProperties": named("Argument"), "description": "Named arguments."},
    },
    "examples": [{"id": "y", "op": "add", "args": ["$x", 2], "kwargs": {"alpha": 1}}],
}
MODES: Final = {"no_grad": "NoGradBlock", "enable_grad": "EnableGradBlock", "inference_mode": "InferenceModeBlock"}


def _block(mode: str) -> Schema:
    nodes = {"type": "array", "items": named("Node"), "description": "What runs within it."}
    return {
        "type": "object",
        "description": f"Nodes that run as within `with torch.{mode}():`.",
        "required": [mode],
        "additionalProperties": False,
        "properties": {mode: nodes},
    }


def _list_of(item: Schema, description: str) -> Schema:
    return {"type": "array", "items": item, "description": description}


FUNCTION_NODE: Final[Schema] = {
    "type": "object",
    "description": "A function with a backward of its own, as torch.autograd.Function: later nodes call it as an op. "
                   "Its nodes see its own names alone; what backward reads of forward is saved for it.",
    "required": ["function", "inputs", "outputs", "forward"],
    "additionalProperties": False,
    "properties": {
        "function": {"type": "string", "description": "Its name, by which it is called."},
        "inputs": _list_of({"type": "string"}, "Names of its arguments."),
        "outputs": _list_of({"type": "string"}, "Which of its names it gives; several come as a tuple."),
        "forward": _list_of(named("Node"), "What it computes, without being recorded."),
        "backward": _list_of(named("Node"), "Reads `$grad_<output>`, gives `grad_<input>`; an input without has none."),
    },
    "examples": [{
        "function": "Cube", "inputs": ["x"], "outputs": ["y"],
        "forward": [{"id": "y", "op": "pow", "args": ["$x", 3]}],
        "backward": [{"id": "square", "op": "pow", "args": ["$x", 2]},
                     {"id": "slope", "op": "mul", "args": ["$square", 3]},
                     {"id": "grad_x", "op": "mul", "args": ["$grad_y", "$slope"]}],
    }],
}  # fmt: skip
HAND_WRITTEN: Final[Schema] = {
    "TensorData": DATA,
    "Dtype": DTYPE,
    "Encoding": ENCODING,
    "PlacePart": {
        "anyOf": [{"type": "string"}, {"type": "integer", "format": "int64"}],
        "description": "A name, or a position in a list.",
    },
    "OpKind": {"type": "string", "enum": ["primitive", "composite", "function", "class", "method"]},
    "HealthStatus": {"type": "string", "enum": ["ok", "ready"]},
    "Extra": {
        "type": "string",
        "enum": ["graph", "nan", "timings"],
        "description": "What an answer has only if asked: the backward graph, where it first was not finite, "
        "and how long each part took.",
    },
    "TensorObject": TENSOR_OBJECT,
    "TensorInput": TENSOR_INPUT,
    "Argument": ARGUMENT,
    "Call": CALL,
    **{name: _block(mode) for mode, name in MODES.items()},
    "FunctionNode": FUNCTION_NODE,
    "Node": one_of("Call", *MODES.values(), "FunctionNode", description="A call, a block of nodes, or a function."),
    "EvaluateRequest": one_of(
        "GraphRequest",
        "CodeRequest",
        "GraphBatch",
        "CodeBatch",
        description="A program, exactly one of `nodes` and `code`, with its inputs; of a batch each entry has some.",
    ),
    "SessionRunRequest": one_of(
        "GraphRequest",
        "CodeRequest",
        "RunsRequest",
        description="A program with its inputs, exactly one of `nodes` and `code`; or several runs.",
    ),
    "BatchAnswer": one_of(
        "ProgramAnswer", "Problem", description="What an entry of a batch gave: an answer or a problem."
    ),
    "Value": {"description": "What a variable holds that is not a tensor: a number, a text, a list, an object."},
}
