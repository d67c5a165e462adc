"""SGD in one session from two clients: each sends its own data, and runs on a session happen one after another.

The model and its optimizer live in the session. A run is atomic, and an Idempotency-Key makes a repetition safe, so a
client that lost an answer sends the same request again and no step is taken twice.
"""

import os
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx

SERVICE = os.environ.get("GRADSERVE_URL", "http://127.0.0.1:8000")
MODEL = """
torch.manual_seed(0)
w = torch.zeros(2, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.1)
steps = 0
"""
STEP = """
optimizer.zero_grad()
loss = ((x @ w - y) ** 2).mean()
loss.backward()
optimizer.step()
steps = steps + 1
"""
TRUTH = [2.0, -3.0]


def train(session: str, rows: list[list[float]]) -> None:
    """One client: fifty steps on its own rows."""
    targets = [sum(a * b for a, b in zip(row, TRUTH, strict=True)) for row in rows]
    step = {"code": STEP, "inputs": {"x": rows, "y": targets}, "outputs": ["loss"]}
    with httpx.Client(base_url=session, timeout=60) as http:
        for _ in range(50):
            http.post("/run", json=step, headers={"Idempotency-Key": str(uuid.uuid4())}).raise_for_status()


def main() -> None:
    opened = httpx.post(f"{SERVICE}/v1/sessions").raise_for_status().json()
    session = f"{SERVICE}/v1/sessions/{opened['id']}"
    httpx.post(f"{session}/run", json={"code": MODEL}).raise_for_status()
    with ThreadPoolExecutor() as clients:
        list(clients.map(train, [session] * 2, [[[1.0, 0.0], [1.0, 1.0]], [[0.0, 1.0], [1.0, -1.0]]]))
    answer = httpx.post(f"{session}/run", json={"code": "print(steps, w.detach())"}).raise_for_status().json()
    print("steps and weights:", answer["prints"][0])
    httpx.delete(session)


if __name__ == "__main__":
    main()
