"""Newton's method, whole, in one request: gradients of gradients, and a linear system in each step."""

import os

import httpx

SERVICE = os.environ.get("GRADSERVE_URL", "http://127.0.0.1:8000")
PROGRAM = """
import torch

def rosenbrock(x):
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2

x = torch.tensor([-1.2, 1.0], dtype=torch.float64, requires_grad=True)
for step in range(20):
    value = rosenbrock(x)
    (gradient,) = torch.autograd.grad(value, x, create_graph=True)
    if gradient.norm() < 1e-10:
        break
    hessian = torch.stack([torch.autograd.grad(g, x, retain_graph=True)[0] for g in gradient])
    with torch.no_grad():
        x -= torch.linalg.solve(hessian, gradient)
    print(f"step {step}: f = {value.item():.3e}")
print(x.detach())
"""


def main() -> None:
    headers = {"Content-Type": "text/x-python"}
    answer = httpx.post(f"{SERVICE}/v1/evaluate?outputs=x", content=PROGRAM, headers=headers).raise_for_status()
    print("\n".join(answer.json()["prints"]))


if __name__ == "__main__":
    main()
