//! The README's flow, by the client that openapi-generator makes for Rust.
use gradserve::apis::{catalog_api, configuration::Configuration, evaluate_api, sessions_api, tensors_api, Error};
use gradserve::models::{
    BackwardRequest, Call, CodeRequest, Dtype, Encoding, EvaluateRequest, GraphRequest, Node, Problem, Root,
    SessionRunRequest, TensorInput,
};
use serde_json::{json, Value};
use std::collections::HashMap;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn all(number: f64) -> Value {
    json!([[number, number], [number, number]])
}

fn leaf() -> TensorInput {
    let data = Some(json!([[1, 1], [1, 1]])); // whole numbers, which require grad
    TensorInput { requires_grad: Some(true), ..TensorInput::new(data) }
}

fn call(id: &str, op: &str, args: Value) -> Node {
    let args = args.as_array().cloned();
    Node::Call(Box::new(Call { id: Some(id.to_string()), args, ..Call::new(op.to_string()) }))
}

fn program(code: &str) -> Box<CodeRequest> {
    Box::new(CodeRequest::new(code.to_string()))
}

async fn flow(server: &Configuration) -> Outcome<()> {
    let nodes = vec![
        call("y", "add", json!(["$x", 2])),
        call("yy", "mul", json!(["$y", "$y"])),
        call("z", "mul", json!(["$yy", 3])),
        call("out", "mean", json!(["$z"])),
    ];
    let graph = GraphRequest {
        inputs: Some(HashMap::from([("x".to_string(), leaf())])),
        backward: Some(vec![Root::new("out".to_string())]),
        ..GraphRequest::new(nodes)
    };
    let request = EvaluateRequest::GraphRequest(Box::new(graph));
    let answer = evaluate_api::evaluate(server, request, None, None, None, None).await?;
    assert_eq!(answer.outputs["out"].data, Some(json!(27.0)));
    assert_eq!(answer.grads["x"].data, Some(all(4.5)));
    assert_eq!(answer.grads["x"].dtype, Dtype::Float32);

    let wrong = EvaluateRequest::CodeRequest(program("x = torch.ones(2)\nx.view(3)"));
    match evaluate_api::evaluate(server, wrong, None, None, None, None).await {
        // the generated enumeration of problems tells statuses of one schema not apart
        Err(Error::ResponseError(refused)) => {
            let problem: Problem = serde_json::from_str(&refused.content)?;
            assert_eq!((refused.status.as_u16(), problem.status, problem.line), (422, 422, Some(2)));
            assert_eq!(problem.r#type, "/problems/refused");
        }
        other => panic!("{other:?}"),
    }

    let made = sessions_api::create_session(server, None, None).await?;
    assert!(made.expires_at > made.created_at);
    let sid = &*made.id;
    tensors_api::put_tensor(server, sid, "x", leaf(), None, None, None).await?;
    let code = SessionRunRequest::CodeRequest(program("out = ((x + 2) ** 2 * 3).mean()\nout2 = x.sum()"));
    let run = sessions_api::run_in_session(server, sid, code, None, None, None, None, None, None).await?;
    assert!(run.version > 0);
    for (root, expected) in [("out", 4.5), ("out2", 5.5)] {
        let request = BackwardRequest::new(root.to_string());
        sessions_api::backward_in_session(server, sid, request, None, None, None).await?;
        let x = tensors_api::get_tensor(server, sid, "x", None, None).await?;
        assert_eq!(x.grad.and_then(|grad| grad.data), Some(all(expected)));
    }
    let encoded = tensors_api::get_tensor(server, sid, "x", Some(Encoding::Base64), None).await?;
    assert_eq!(encoded.data, Some(json!("AACAPwAAgD8AAIA/AACAPw=="))); // four ones
    let again = TensorInput {
        dtype: Some(encoded.dtype),
        shape: Some(Some(encoded.shape)),
        encoding: encoded.encoding,
        ..TensorInput::new(encoded.data)
    };
    let back = tensors_api::put_tensor(server, sid, "w", again, None, None, None).await?;
    assert_eq!(back.data, Some(all(1.0)));

    let document = sessions_api::export_session(server, sid, None).await?.bytes().await?;
    let file = std::env::temp_dir().join(format!("{sid}.msgpack"));
    std::fs::write(&file, document)?;
    let copied = sessions_api::import_session(server, file.clone(), None, None).await;
    std::fs::remove_file(file)?;
    let copied = copied?;
    assert_ne!(copied.id, sid);
    let x = tensors_api::get_tensor(server, &copied.id, "x", None, None).await?;
    assert_eq!(x.grad.and_then(|grad| grad.data), Some(all(5.5)));
    catalog_api::get_limits(server, None).await?;
    Ok(())
}

fn main() -> Outcome<()> {
    let base_path = std::env::args().nth(1).ok_or("where is the server?")?;
    let server = Configuration { base_path, ..Configuration::new() };
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(flow(&server))?;
    println!("openapi-generator, rust: the flow passes");
    Ok(())
}
