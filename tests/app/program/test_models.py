"""Whole models by nodes and by code, against PyTorch: results, running statistics, the gradient of every parameter."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from tests.app.comparing import gradient_faults, output_faults
from tests.app.conftest import Client
from tests.golden.models import MODELS, Model
from tests.paths import GOLDEN

RECORDED = json.loads(gzip.decompress((GOLDEN / "models.json.gz").read_bytes()))["models"]
TOLERANCE = {"rtol": 1e-9, "atol": 1e-11}


def by_code(model: Model) -> dict[str, Any]:
    return {"code": f"import torch\nimport torch.nn.functional as F\n{model.code}"}


def by_nodes(model: Model) -> dict[str, Any]:
    return {"nodes": list(model.nodes)}


def test_every_model_is_recorded() -> None:
    assert RECORDED.keys() == MODELS.keys()


@pytest.mark.parametrize("spelling", [by_code, by_nodes])
@pytest.mark.parametrize("name", MODELS)
def test_a_model_computes_what_it_does_in_pytorch(client: Client, name: str, spelling: Any) -> None:
    model, expected = MODELS[name], RECORDED[name]
    answer = client.evaluate(
        inputs=model.inputs(), outputs=list(model.outputs), backward=[{"tensor": model.loss}], **spelling(model)
    )
    assert answer["grads"].keys() == model.parameters.keys()
    faults = [
        fault
        for output in model.outputs
        for fault in output_faults(
            answer["outputs"].get(output), wanted(output, expected["outputs"][output]), TOLERANCE
        )
    ]
    faults += gradient_faults(answer["grads"], expected["grads"], TOLERANCE)
    assert not faults, "\n".join(faults)


def wanted(name: str, output: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "requires_grad": output["grad_fn"] is not None, **output}
