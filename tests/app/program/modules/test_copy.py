"""Copies of what programs hold."""

from __future__ import annotations

import pytest

from app.evaluate.run import run_code

STARTED = """
import copy
import torch
layer = torch.nn.Linear(2, 1)
optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
layer(torch.ones(3, 2)).sum().backward()
optimizer.step()
"""


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        ("print([tuple(param.shape) for param in optimizer.state])", "[(1, 2), (1,)]"),  # in the parameters' order
        ("s = copy.copy(optimizer.state)\nprint(len(s), layer.weight in s)", "2 True"),
        ("s = copy.deepcopy(optimizer.state)\nprint(len(s), layer.weight in s)", "2 False"),
        (
            "a, b = copy.deepcopy((layer, optimizer))\nprint(b.param_groups[0]['params'][0] is a.weight)",
            "True",
        ),
    ],
)
def test_states_of_optimisers_are_copied_as_pytorch_does(code: str, printed: str) -> None:
    assert run_code(STARTED + code).prints == [printed]
