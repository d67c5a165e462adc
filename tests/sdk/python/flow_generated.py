"""The README's flow, by the client that openapi-generator makes for Python."""

import base64
import json
import struct
import sys

from gradserve_generated import ApiClient, Configuration, EvaluateApi, SessionsApi, TensorsApi
from gradserve_generated.exceptions import ApiException
from gradserve_generated.models import (
    BackwardRequest,
    Call,
    CodeRequest,
    Dtype,
    Encoding,
    EvaluateRequest,
    GraphRequest,
    Node,
    Root,
    SessionRequest,
    SessionRunRequest,
    TensorInput,
    TensorObject,
)


def evaluated(api: EvaluateApi) -> None:
    leaf = TensorInput(TensorObject(data=[[1.0, 1.0], [1.0, 1.0]], requires_grad=True))
    nodes = [
        Call(id="y", op="add", args=["$x", 2]),
        Call(id="yy", op="mul", args=["$y", "$y"]),
        Call(id="z", op="mul", args=["$yy", 3]),
        Call(id="out", op="mean", args=["$z"]),
    ]
    graph = GraphRequest(
        inputs={"x": leaf}, nodes=[Node(node) for node in nodes], outputs=["y", "out"], backward=[Root(tensor="out")]
    )
    answer = api.evaluate(EvaluateRequest(graph))
    assert answer.outputs["out"].data == 27.0
    grad = answer.grads["x"]
    assert grad is not None
    assert (grad.data, grad.dtype) == ([[4.5, 4.5], [4.5, 4.5]], Dtype.FLOAT32)


def refused(api: EvaluateApi) -> None:
    code = "x = torch.tensor([1.0, 2.0], requires_grad=True)\ny = x * 2\ny.backward()"
    error = None
    try:
        api.evaluate(EvaluateRequest(CodeRequest(code=code)))
    except ApiException as raised:
        error = raised
    assert error is not None
    problem = json.loads(error.body or "")
    assert (error.status, problem["line"]) == (422, 3)
    assert problem["detail"] == "grad can be implicitly created only for scalar outputs"


def accumulated(sessions: SessionsApi, tensors: TensorsApi) -> None:
    made = sessions.create_session(session_request=SessionRequest())
    assert made.expires_at > made.created_at
    tensors.put_tensor(made.id, "x", TensorInput(TensorObject(data=[[1, 1], [1, 1]], requires_grad=True)))
    code = CodeRequest(code="out = ((x + 2) ** 2 * 3).mean()\nout2 = x.sum()")
    sessions.run_in_session(made.id, SessionRunRequest(code))
    for root, expected in (("out", 4.5), ("out2", 5.5)):
        sessions.backward_in_session(made.id, BackwardRequest(tensor=root))
        grad = tensors.get_tensor(made.id, "x").grad
        assert grad is not None
        assert grad.data == [[expected, expected]] * 2
    encoded = tensors.get_tensor(made.id, "x", encoding=Encoding.BASE64)
    assert struct.unpack("<4f", base64.b64decode(str(encoded.data))) == (1.0, 1.0, 1.0, 1.0)
    back = TensorObject(data=encoded.data, dtype=encoded.dtype, shape=encoded.shape, encoding=Encoding.BASE64)
    assert tensors.put_tensor(made.id, "w", TensorInput(back)).data == [[1.0, 1.0], [1.0, 1.0]]
    copy = sessions.import_session(sessions.export_session(made.id))
    assert copy.id != made.id
    grad = tensors.get_tensor(copy.id, "x").grad
    assert grad is not None
    assert grad.data == [[5.5, 5.5], [5.5, 5.5]]


if __name__ == "__main__":
    with ApiClient(Configuration(host=sys.argv[1])) as client:
        evaluated(EvaluateApi(client))
        refused(EvaluateApi(client))
        accumulated(SessionsApi(client), TensorsApi(client))
    print("openapi-generator, python: the flow passes")
