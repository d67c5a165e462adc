// A leaf, a graph over it, and gradients that accumulate, by net/http: go run tutorial.go
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
)

// Tensor is one in a request or in an answer.
type Tensor struct {
	Data         any    `json:"data"`
	Dtype        string `json:"dtype,omitempty"`
	RequiresGrad bool   `json:"requires_grad"`
	GradFn       string `json:"grad_fn,omitempty"`
}

// Answer has what this example reads of answers, problems included.
type Answer struct {
	ID      string
	Detail  string
	Outputs map[string]Tensor
	Grads   map[string]*Tensor
}

var service = "http://127.0.0.1:8000"

func call(method, path string, body any) (answer Answer) {
	text, err := json.Marshal(body)
	if err != nil {
		log.Fatal(err)
	}
	request, err := http.NewRequest(method, service+"/v1/sessions"+path, bytes.NewReader(text))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNoContent {
		return answer
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		log.Fatal(err)
	}
	if response.StatusCode >= 400 {
		log.Fatal(answer.Detail)
	}
	return answer
}

func main() {
	if url := os.Getenv("GRADSERVE_URL"); url != "" {
		service = url
	}
	type fields map[string]any
	session := "/" + call("POST", "", fields{}).ID
	call("PUT", session+"/tensors/x", Tensor{Data: [][]float64{{1, 1}, {1, 1}}, RequiresGrad: true})
	out := call("POST", session+"/run", fields{"code": "out = ((x + 2) ** 2 * 3).mean()"}).Outputs["out"]
	fmt.Println(out.GradFn, out.Data)
	for _, retain := range []bool{true, false} {
		fmt.Println(call("POST", session+"/backward", fields{"tensor": "out", "retain_graph": retain}).Grads["x"].Data)
	}
	call("DELETE", session, nil)
}
