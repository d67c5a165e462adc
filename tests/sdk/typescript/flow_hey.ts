// The README's flow, by the client that hey-api makes.
import { client } from "./made/hey/client.gen.js";
import { backwardInSession, createSession, evaluate, exportSession, getTensor, importSession, putTensor, runInSession } from "./made/hey/sdk.gen.js";

client.setConfig({ baseUrl: process.argv[2] });

function check(holds: boolean, what: unknown): asserts holds {
  if (!holds) throw new Error(`hey-api: ${JSON.stringify(what)}`);
}

const evaluated = await evaluate({
  body: {
    inputs: { x: { data: [[1, 1], [1, 1]], requires_grad: true } },
    nodes: [{ id: "out", op: "sum", args: ["$x"] }],
    backward: [{ tensor: "out" }],
  },
});
check(evaluated.data?.outputs.out.data === 4, evaluated.error);

const refused = await evaluate({ body: { code: "x = torch.ones(2)\nx.view(3)" } });
check(refused.error?.type === "/problems/refused", refused.error);

const made = await createSession({ body: {} });
check(made.data !== undefined, made.error);
const path = { sid: made.data.id };
await putTensor({ path: { ...path, name: "x" }, body: { data: [1, 1], requires_grad: true } });
await runInSession({ path, body: { code: "out = (x * 3).sum()\nout2 = x.sum()" } });
for (const [root, expected] of [["out", 3], ["out2", 4]] as const) {
  await backwardInSession({ path, body: { tensor: root } });
  const x = await getTensor({ path: { ...path, name: "x" } });
  check((x.data?.grad?.data as number[]).every((one) => one === expected), x);
}
const document = await exportSession({ path, parseAs: "blob" });
check(document.data !== undefined, document.error);
const copy = await importSession({ body: document.data as Blob });
check(copy.data !== undefined && copy.data.id !== path.sid, copy.error);
console.log("hey-api: the flow passes");
