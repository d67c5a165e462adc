"""A leaf, a graph over it, and gradients that accumulate, by httpx."""

import os

import httpx

SERVICE = os.environ.get("GRADSERVE_URL", "http://127.0.0.1:8000")


def checked(answer: httpx.Response) -> httpx.Response:
    """Raise what the service says, in its own words."""
    if answer.is_error:
        answer.read()
        raise RuntimeError(answer.json()["detail"])
    return answer


def main() -> None:
    with httpx.Client(base_url=f"{SERVICE}/v1", event_hooks={"response": [checked]}) as http:
        session = "/sessions/" + http.post("/sessions").json()["id"]
        http.put(f"{session}/tensors/x", json={"data": [[1.0, 1.0], [1.0, 1.0]], "requires_grad": True})
        code = "y = x + 2\nz = y * y * 3\nout = z.mean()\nprint(z, out)"
        for line in http.post(f"{session}/run", json={"code": code}).json()["prints"]:
            print(line)
        for sweep in ({"tensor": "out", "retain_graph": True}, {"tensor": "out"}):
            grads = http.post(f"{session}/backward", json=sweep).json()["grads"]
            print(grads["x"]["data"])
        http.delete(session)


if __name__ == "__main__":
    main()
