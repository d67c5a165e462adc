// The README's flow, by the client that openapi-generator makes with fetch.
import { Configuration, Encoding, EvaluateApi, ResponseError, SessionsApi, TensorsApi } from "./made/fetch/index.js";

const configuration = new Configuration({ basePath: process.argv[2] });
const [evaluation, sessions, tensors] = [
  new EvaluateApi(configuration), new SessionsApi(configuration), new TensorsApi(configuration),
];

function check(holds: boolean, what: unknown): asserts holds {
  if (!holds) throw new Error(`typescript-fetch: ${JSON.stringify(what)}`);
}

const evaluated = await evaluation.evaluate({
  evaluateRequest: {
    inputs: { x: { data: [[1, 1], [1, 1]], requiresGrad: true } },
    nodes: [
      { id: "y", op: "add", args: ["$x", 2] },
      { id: "yy", op: "mul", args: ["$y", "$y"] },
      { id: "z", op: "mul", args: ["$yy", 3] },
      { id: "out", op: "mean", args: ["$z"] },
    ],
    backward: [{ tensor: "out" }],
  },
});
check(evaluated.outputs.out.data === 27 && evaluated.outputs.out.gradFn === "MeanBackward0", evaluated);
check(JSON.stringify(evaluated.grads.x?.data) === "[[4.5,4.5],[4.5,4.5]]", evaluated);

const refused = await evaluation
  .evaluate({ evaluateRequest: { code: "x = torch.ones(2)\nx.view(3)" } })
  .then(() => check(false, "nothing was refused"), (error: unknown) => error);
check(refused instanceof ResponseError && refused.response.status === 422, refused);
check((await refused.response.json()).line === 2, refused);

const { id: sid, createdAt, expiresAt } = await sessions.createSession({ sessionRequest: {} });
check(expiresAt > createdAt, [createdAt, expiresAt]);
await tensors.putTensor({ sid, name: "x", tensorInput: { data: [[1, 1], [1, 1]], requiresGrad: true } });
await sessions.runInSession({ sid, sessionRunRequest: { code: "out = ((x + 2) ** 2 * 3).mean()\nout2 = x.sum()" } });
for (const [root, expected] of [["out", 4.5], ["out2", 5.5]] as const) {
  await sessions.backwardInSession({ sid, backwardRequest: { tensor: root } });
  const x = await tensors.getTensor({ sid, name: "x" });
  check((x.grad?.data as number[][]).flat().every((one) => one === expected), x);
}
const encoded = await tensors.getTensor({ sid, name: "x", encoding: Encoding.Base64 });
check(Buffer.from(encoded.data as string, "base64").readFloatLE(12) === 1, encoded);
const back = await tensors.putTensor({ sid, name: "w", tensorInput: { ...encoded, grad: undefined } });
check(back.version > 0, back);
const copy = await sessions.importSession({ body: await sessions.exportSession({ sid }) });
const copied = await tensors.getTensor({ sid: copy.id, name: "x" });
check(copy.id !== sid && (copied.grad?.data as number[][])[1][1] === 5.5, copied);
console.log("openapi-generator, typescript-fetch: the flow passes");
