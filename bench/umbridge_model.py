"""The tutorial's graph as a UM-Bridge model, served by UM-Bridge's own server: ``python -m bench.umbridge_model``."""

from __future__ import annotations

from argparse import ArgumentParser
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
import umbridge
from aiohttp import web

torch.set_num_threads(1)
Vectors = list[list[float]]


class Tutorial(umbridge.Model):  # type: ignore[misc]
    """From ``x``, flattened, to ``y`` and ``out``."""

    def get_input_sizes(self, config: Any) -> list[int]:
        return [4]

    def get_output_sizes(self, config: Any) -> list[int]:
        return [4, 1]

    def supports_evaluate(self) -> bool:
        return True

    def supports_gradient(self) -> bool:
        return True

    def __call__(self, parameters: Vectors, config: Any) -> Vectors:
        """Forward."""
        y, out = self._run(torch.tensor(parameters[0]))
        return [y.tolist(), [out.item()]]

    def gradient(self, out_wrt: int, in_wrt: int, parameters: Vectors, sens: list[float], config: Any) -> list[float]:
        """Forward again, then backward."""
        x = torch.tensor(parameters[in_wrt], requires_grad=True)
        output = self._run(x)[out_wrt].reshape(-1)
        output.backward(torch.tensor(sens))
        found: list[float] = x.grad.tolist()
        return found

    @staticmethod
    def _run(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = x + 2
        return y, (y * y * 3).mean()


def main() -> None:
    parser = ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--host")
    arguments = parser.parse_args()
    with patch.object(web, "run_app", partial(web.run_app, host=arguments.host)):  # else it listens everywhere
        umbridge.serve_models([Tutorial("tutorial")], arguments.port)


if __name__ == "__main__":
    main()
