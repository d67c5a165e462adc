// A leaf, a graph over it, and gradients that accumulate, by fetch: for Node.js, Deno, Bun and browsers.
const service = globalThis.process?.env.GRADSERVE_URL ?? "http://127.0.0.1:8000";

async function call(method, path, body) {
  const answer = await fetch(`${service}/v1/sessions${path}`, {
    method,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(JSON.parse(text).detail);
  return text && JSON.parse(text);
}

const { id } = await call("POST", "", {});
await call("PUT", `/${id}/tensors/x`, { data: [[1, 1], [1, 1]], requires_grad: true });
const { outputs } = await call("POST", `/${id}/run`, { code: "out = ((x + 2) ** 2 * 3).mean()" });
console.log(outputs.out.grad_fn, outputs.out.data);
for (const retain_graph of [true, false]) {
  const { grads } = await call("POST", `/${id}/backward`, { tensor: "out", retain_graph });
  console.log(grads.x.data);
}
await call("DELETE", `/${id}`);
