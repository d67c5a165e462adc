// The README's flow, by the client that openapi-generator makes for Go.
package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"gradserve"
	"os"
	"reflect"
)

func check(holds bool, what ...interface{}) {
	if !holds {
		fmt.Println(append([]interface{}{"go:"}, what...)...)
		os.Exit(1)
	}
}

func must[T any](value T, _ interface{}, err error) T {
	check(err == nil, err)
	return value
}

func leaf() gradserve.TensorInput {
	object := gradserve.NewTensorObject([][]float64{{1, 1}, {1, 1}}) // whose numbers Go writes as 1, not 1.0
	object.SetRequiresGrad(true)
	return gradserve.TensorInput{TensorObject: object}
}

func call(id, op string, args ...interface{}) gradserve.Node {
	node := gradserve.NewCall(op)
	node.SetId(id)
	node.SetArgs(args)
	return gradserve.CallAsNode(node)
}

func all(number float64) interface{} {
	return []interface{}{[]interface{}{number, number}, []interface{}{number, number}}
}

func main() {
	configuration := gradserve.NewConfiguration()
	configuration.Servers = gradserve.ServerConfigurations{{URL: os.Args[1]}}
	client, ctx := gradserve.NewAPIClient(configuration), context.Background()

	graph := gradserve.NewGraphRequest([]gradserve.Node{
		call("y", "add", "$x", 2), call("yy", "mul", "$y", "$y"), call("z", "mul", "$yy", 3), call("out", "mean", "$z"),
	})
	graph.SetInputs(map[string]gradserve.TensorInput{"x": leaf()})
	graph.SetBackward([]gradserve.Root{*gradserve.NewRoot("out")})
	request := gradserve.GraphRequestAsEvaluateRequest(graph)
	answer := must(client.EvaluateAPI.Evaluate(ctx).EvaluateRequest(request).Execute())
	check(answer.Outputs["out"].Data == 27.0, answer)
	grad := answer.Grads["x"]
	check(reflect.DeepEqual(grad.Data, all(4.5)) && grad.Dtype == gradserve.FLOAT32, answer)

	wrong := gradserve.CodeRequestAsEvaluateRequest(gradserve.NewCodeRequest("x = torch.ones(2)\nx.view(3)"))
	_, _, err := client.EvaluateAPI.Evaluate(ctx).EvaluateRequest(wrong).Execute()
	refused, is := err.(*gradserve.GenericOpenAPIError)
	check(is, err)
	problem, is := refused.Model().(gradserve.Problem)
	check(is && problem.Status == 422 && problem.GetLine() == 2 && problem.Type == "/problems/refused", refused.Model())

	made := must(client.SessionsAPI.CreateSession(ctx).Execute())
	check(made.ExpiresAt.After(made.CreatedAt), made)
	sid := made.Id
	must(client.TensorsAPI.PutTensor(ctx, sid, "x").TensorInput(leaf()).Execute())
	code := gradserve.NewCodeRequest("out = ((x + 2) ** 2 * 3).mean()\nout2 = x.sum()")
	run := must(client.SessionsAPI.RunInSession(ctx, sid).
		SessionRunRequest(gradserve.CodeRequestAsSessionRunRequest(code)).Execute())
	check(run.Version > 0, run)
	for root, expected := range []float64{4.5, 5.5} {
		name := []string{"out", "out2"}[root]
		must(client.SessionsAPI.BackwardInSession(ctx, sid).BackwardRequest(*gradserve.NewBackwardRequest(name)).Execute())
		x := must(client.TensorsAPI.GetTensor(ctx, sid, "x").Execute())
		check(reflect.DeepEqual(x.Grad.Get().Data, all(expected)), x.Grad.Get())
	}
	encoded := must(client.TensorsAPI.GetTensor(ctx, sid, "x").Encoding(gradserve.BASE64).Execute())
	bytes, err := base64.StdEncoding.DecodeString(encoded.Data.(string))
	check(err == nil && len(bytes) == 16, encoded)
	object := gradserve.NewTensorObject(encoded.Data)
	object.SetDtype(encoded.Dtype)
	object.SetShape(encoded.Shape)
	object.SetEncoding(gradserve.BASE64)
	back := must(client.TensorsAPI.PutTensor(ctx, sid, "w").TensorInput(gradserve.TensorInput{TensorObject: object}).Execute())
	check(reflect.DeepEqual(back.Data, all(1)), back)

	document := must(client.SessionsAPI.ExportSession(ctx, sid).Execute())
	defer os.Remove(document.Name())
	copied := must(client.SessionsAPI.ImportSession(ctx).Body(document).Execute())
	x := must(client.TensorsAPI.GetTensor(ctx, copied.Id, "x").Execute())
	check(copied.Id != sid && reflect.DeepEqual(x.Grad.Get().Data, all(5.5)), x)
	must(client.CatalogAPI.GetLimits(ctx).Execute())
	fmt.Println("openapi-generator, go: the flow passes")
}
