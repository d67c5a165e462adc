"""The README's flow, by the client that openapi-python-client makes."""

import base64
import struct
import sys
from io import BytesIO

from gradserve_client import Client
from gradserve_client.api.evaluate import evaluate
from gradserve_client.api.sessions import (
    backward_in_session,
    create_session,
    export_session,
    import_session,
    run_in_session,
)
from gradserve_client.api.tensors import get_tensor, put_tensor
from gradserve_client.models import (
    BackwardRequest,
    Call,
    CodeRequest,
    Dtype,
    Encoding,
    EvaluateAnswer,
    GraphRequest,
    GraphRequestInputs,
    Problem,
    Root,
    SessionHead,
    SessionRequest,
    TensorObject,
    TensorRecord,
    TensorWithGrad,
)
from gradserve_client.types import File


def evaluated(client: Client) -> None:
    inputs = GraphRequestInputs()
    inputs["x"] = TensorObject(data=[[1.0, 1.0], [1.0, 1.0]], requires_grad=True)
    nodes = [
        Call(id="y", op="add", args=["$x", 2]),
        Call(id="yy", op="mul", args=["$y", "$y"]),
        Call(id="z", op="mul", args=["$yy", 3]),
        Call(id="out", op="mean", args=["$z"]),
    ]
    request = GraphRequest(nodes=list(nodes), inputs=inputs, outputs=["y", "out"], backward=[Root(tensor="out")])
    answer = evaluate.sync(client=client, body=request)
    assert isinstance(answer, EvaluateAnswer), answer
    assert answer.outputs["out"].data == 27.0
    grad = answer.grads["x"]
    assert isinstance(grad, TensorRecord)
    assert (grad.data, grad.dtype) == ([[4.5, 4.5], [4.5, 4.5]], Dtype.FLOAT32)


def refused(client: Client) -> None:
    code = "x = torch.tensor([1.0, 2.0], requires_grad=True)\ny = x * 2\ny.backward()"
    problem = evaluate.sync(client=client, body=CodeRequest(code=code))
    assert isinstance(problem, Problem), problem
    assert (problem.status, problem.line) == (422, 3)
    assert problem.detail == "grad can be implicitly created only for scalar outputs"


def accumulated(client: Client) -> None:
    made = create_session.sync(client=client, body=SessionRequest())
    assert isinstance(made, SessionHead), made
    assert made.expires_at > made.created_at
    leaf = TensorObject(data=[[1, 1], [1, 1]], requires_grad=True)
    put_tensor.sync(made.id, "x", client=client, body=leaf)
    run_in_session.sync(
        made.id, client=client, body=CodeRequest(code="out = ((x + 2) ** 2 * 3).mean()\nout2 = x.sum()")
    )
    for root, expected in (("out", 4.5), ("out2", 5.5)):
        backward_in_session.sync(made.id, client=client, body=BackwardRequest(tensor=root))
        x = get_tensor.sync(made.id, "x", client=client)
        assert isinstance(x, TensorWithGrad), x
        assert isinstance(x.grad, TensorRecord)
        assert x.grad.data == [[expected, expected]] * 2
    document = export_session.sync_detailed(made.id, client=client).content
    copy = import_session.sync(client=client, body=File(payload=BytesIO(document)))
    assert isinstance(copy, SessionHead), copy
    assert copy.id != made.id
    encoded = get_tensor.sync(made.id, "x", client=client, encoding=Encoding.BASE64)
    assert isinstance(encoded, TensorWithGrad)
    assert struct.unpack("<4f", base64.b64decode(str(encoded.data))) == (1.0, 1.0, 1.0, 1.0)


if __name__ == "__main__":
    with Client(base_url=sys.argv[1]) as connected:
        evaluated(connected)
        refused(connected)
        accumulated(connected)
    print("openapi-python-client: the flow passes")
