"""Find where a NaN comes from: values are fine, a gradient is not."""

import os

import httpx

SERVICE = os.environ.get("GRADSERVE_URL", "http://127.0.0.1:8000")
PROGRAM = """
distance = torch.sqrt((x - centre).pow(2).sum(dim=1))
loss = torch.where(distance > 0, distance, torch.zeros(())).sum()
loss.backward()
"""


def main() -> None:
    points = {"data": [[0.0, 3.0], [4.0, 0.0], [1.0, 1.0]], "requires_grad": True}
    request = {"code": PROGRAM, "inputs": {"x": points, "centre": [1.0, 1.0]}, "include": ["nan"]}
    answer = httpx.post(f"{SERVICE}/v1/evaluate", json=request).raise_for_status().json()
    print("x.grad:", answer["grads"]["x"]["data"])
    print("first value that is not finite:", answer["nan"]["value"])
    print("first gradient that is not finite:", answer["nan"]["gradient"])


if __name__ == "__main__":
    main()
