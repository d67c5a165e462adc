// The README's flow, by openapi-fetch over the types that openapi-typescript makes.
import createClient from "openapi-fetch";
import type { paths } from "./made/schema.js";

const client = createClient<paths>({ baseUrl: process.argv[2] });

function check(holds: boolean, what: unknown): asserts holds {
  if (!holds) throw new Error(`openapi-fetch: ${JSON.stringify(what)}`);
}

const evaluated = await client.POST("/v1/evaluate", {
  body: {
    inputs: { x: { data: [[1, 1], [1, 1]], requires_grad: true } },
    nodes: [
      { id: "y", op: "add", args: ["$x", 2] },
      { id: "yy", op: "mul", args: ["$y", "$y"] },
      { id: "z", op: "mul", args: ["$yy", 3] },
      { id: "out", op: "mean", args: ["$z"] },
    ],
    outputs: ["y", "out"],
    backward: [{ tensor: "out" }],
  },
});
check(evaluated.data?.outputs.out.data === 27, evaluated.error);
check(JSON.stringify(evaluated.data.grads.x?.data) === "[[4.5,4.5],[4.5,4.5]]", evaluated.data);

const refused = await client.POST("/v1/evaluate", { body: { code: "x = torch.ones(2)\nx.view(3)" } });
check(refused.error?.status === 422 && refused.error.line === 2, refused.error);

const made = await client.POST("/v1/sessions", { body: {} });
check(made.data !== undefined, made.error);
const sid = made.data.id;
const name = { sid, name: "x" };
await client.PUT("/v1/sessions/{sid}/tensors/{name}", {
  params: { path: name },
  body: { data: [[1, 1], [1, 1]], requires_grad: true },
});
await client.POST("/v1/sessions/{sid}/run", {
  params: { path: { sid } },
  body: { code: "out = ((x + 2) ** 2 * 3).mean()\nout2 = x.sum()" },
});
for (const [root, expected] of [["out", 4.5], ["out2", 5.5]] as const) {
  await client.POST("/v1/sessions/{sid}/backward", { params: { path: { sid } }, body: { tensor: root } });
  const x = await client.GET("/v1/sessions/{sid}/tensors/{name}", { params: { path: name } });
  const rows = x.data?.grad?.data as number[][];
  check(rows.flat().every((one) => one === expected), x);
}
const packed = await client.GET("/v1/sessions/{sid}/tensors/{name}", {
  params: { path: name, query: { encoding: "base64" } },
});
check(packed.data?.encoding === "base64", packed);
const back = await client.PUT("/v1/sessions/{sid}/tensors/{name}", { params: { path: name }, body: packed.data });
check(back.response.status === 200, back.error);
console.log("openapi-typescript, openapi-fetch: the flow passes");
