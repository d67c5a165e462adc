// The README's flow, by the client that openapi-generator makes for Java's own HTTP client.
import gradserve.ApiClient;
import gradserve.ApiException;
import gradserve.api.CatalogApi;
import gradserve.api.EvaluateApi;
import gradserve.api.SessionsApi;
import gradserve.api.TensorsApi;
import gradserve.model.*;
import java.io.File;
import java.io.FileNotFoundException;
import java.io.UncheckedIOException;
import java.net.http.HttpRequest;
import java.util.Base64;
import java.util.List;
import java.util.Map;

public final class Flow {
  private static void check(boolean holds, Object what) {
    if (!holds) throw new AssertionError("java: " + what);
  }

  private static List<List<Double>> all(double number) {
    return List.of(List.of(number, number), List.of(number, number));
  }

  private static HttpRequest.BodyPublisher contents(File file) {
    try {
      return HttpRequest.BodyPublishers.ofFile(file.toPath());
    } catch (FileNotFoundException absent) {
      throw new UncheckedIOException(absent);
    }
  }

  private static Node call(String id, String op, Object... args) {
    return new Node(new Call().id(id).op(op).args(List.of(args)));
  }

  public static void main(String[] arguments) throws ApiException {
    ApiClient client = new ApiClient();
    client.updateBaseUri(arguments[0]);
    EvaluateApi evaluation = new EvaluateApi(client);
    SessionsApi sessions = new SessionsApi(client);
    TensorsApi tensors = new TensorsApi(client);
    TensorInput leaf = new TensorInput(new TensorObject().data(all(1)).requiresGrad(true));

    GraphRequest graph = new GraphRequest()
        .inputs(Map.of("x", leaf))
        .nodes(List.of(call("y", "add", "$x", 2), call("yy", "mul", "$y", "$y"), call("z", "mul", "$yy", 3),
            call("out", "mean", "$z")))
        .backward(List.of(new Root().tensor("out")));
    EvaluateAnswer answer = evaluation.evaluate(new EvaluateRequest(graph), null, null, null, null);
    check(answer.getOutputs().get("out").getData().equals(27.0), answer);
    check(answer.getGrads().get("x").getData().equals(all(4.5)), answer);

    try {
      CodeRequest wrong = new CodeRequest().code("x = torch.ones(2)\nx.view(3)");
      evaluation.evaluate(new EvaluateRequest(wrong), null, null, null, null);
      check(false, "nothing was refused");
    } catch (ApiException refused) {
      check(refused.getCode() == 422 && refused.getResponseBody().contains("\"line\":2"), refused.getResponseBody());
    }

    SessionHead made = sessions.createSession(null, new SessionRequest());
    check(made.getExpiresAt().isAfter(made.getCreatedAt()), made);
    String sid = made.getId();
    tensors.putTensor(sid, "x", leaf, null, null, null);
    CodeRequest code = new CodeRequest().code("out = ((x + 2) ** 2 * 3).mean()\nout2 = x.sum()");
    sessions.runInSession(sid, new SessionRunRequest(code), null, null, null, null, null, null);
    for (Map.Entry<String, Double> root : List.of(Map.entry("out", 4.5), Map.entry("out2", 5.5))) {
      sessions.backwardInSession(sid, new BackwardRequest().tensor(root.getKey()), null, null, null);
      TensorWithGrad x = tensors.getTensor(sid, "x", null, null);
      check(x.getGrad().getData().equals(all(root.getValue())), x);
    }
    TensorWithGrad encoded = tensors.getTensor(sid, "x", Encoding.BASE64, null);
    check(Base64.getDecoder().decode((String) encoded.getData()).length == 16, encoded);
    TensorObject back = new TensorObject().data(encoded.getData()).dtype(encoded.getDtype()).shape(encoded.getShape())
        .encoding(Encoding.BASE64);
    check(tensors.putTensor(sid, "w", new TensorInput(back), null, null, null).getData().equals(all(1)), back);

    File document = sessions.exportSession(sid, null);
    ApiClient sender = new ApiClient(); // what is generated would send the file's name as JSON, whatever the media type
    sender.updateBaseUri(arguments[0]);
    sender.setRequestInterceptor(request -> request.POST(contents(document)));
    SessionHead copy = new SessionsApi(sender).importSession(document, null, null);
    TensorWithGrad copied = tensors.getTensor(copy.getId(), "x", null, null);
    check(!copy.getId().equals(sid) && copied.getGrad().getData().equals(all(5.5)), copied);
    check(new CatalogApi(client).getLimits(null) != null, "limits");
    System.out.println("openapi-generator, java: the flow passes");
  }
}
