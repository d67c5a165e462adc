"""A thousand gradients in one request: one program over a batch of inputs."""

import os

import httpx

SERVICE = os.environ.get("GRADSERVE_URL", "http://127.0.0.1:8000")
ROSENBROCK = "f = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2"


def main() -> None:
    points = [[i / 500 - 1, i / 1000] for i in range(1000)]
    batch = [{"inputs": {"x": {"data": point, "dtype": "float64", "requires_grad": True}}} for point in points]
    request = {"code": ROSENBROCK, "batch": batch, "outputs": ["f"], "backward": [{"tensor": "f"}]}
    answers = httpx.post(f"{SERVICE}/v1/evaluate", json=request, timeout=60).raise_for_status().json()["batch"]
    gradients = [answer["grads"]["x"]["data"] for answer in answers]
    exact = [[-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)] for x, y in points]
    furthest = max(
        abs(a - b) for made, true in zip(gradients, exact, strict=True) for a, b in zip(made, true, strict=True)
    )
    print(
        f"{len(gradients)} gradients, at most {furthest:.0e} from the formula"
        if furthest > 1e-12
        else f"{len(gradients)} gradients, each as the formula has it"
    )


if __name__ == "__main__":
    main()
