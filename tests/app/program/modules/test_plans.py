"""Programs that come again: what modules give anew in every run is in no plan."""

from __future__ import annotations

from typing import Any

import pytest

from tests.app.conftest import Client

DRAWN = {
    "random": "import random\ny = x * random.random()",
    "numpy.random": "import numpy as np\ny = x * torch.from_numpy(np.random.rand(2))",
    "a generator": "import numpy as np\ny = x + np.random.default_rng().normal()",
}


@pytest.mark.parametrize("name", DRAWN)
def test_what_is_drawn_is_drawn_in_every_run(client: Client, name: str) -> None:
    found = {str(_answer(client, DRAWN[name])["outputs"]["y"]["data"]) for _ in range(4)}
    assert len(found) == 4


def test_what_is_seeded_is_the_same_in_every_run(client: Client) -> None:
    text = (
        "import random, time\nimport numpy as np\nrandom.seed(1)\nnp.random.seed(1)\n"
        "y = x * random.random() + np.random.rand() + time.perf_counter()"
    )
    assert len({str(_answer(client, text)["outputs"]["y"]["data"]) for _ in range(4)}) == 1


def _answer(client: Client, code: str) -> Any:
    body = {"code": code, "inputs": {"x": {"data": [1.0, 2.0], "dtype": "float64"}}}
    return client("POST", "/v1/evaluate", json=body).json()
