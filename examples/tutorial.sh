#!/bin/sh
# A leaf, a graph over it, and gradients that accumulate, by curl.
set -eu
service=${GRADSERVE_URL:-http://127.0.0.1:8000}
post() { curl -sS --fail-with-body "$1" -H 'Content-Type: application/json' -d "$2"; echo; }

id=$(post "$service/v1/sessions" '{}' | sed 's/.*"id":"\([^"]*\)".*/\1/')
session=$service/v1/sessions/$id
curl -sS --fail-with-body -X PUT "$session/tensors/x" -H 'Content-Type: application/json' \
    -d '{"data": [[1.0, 1.0], [1.0, 1.0]], "requires_grad": true}'
echo
post "$session/run" '{
    "nodes": [
        {"id": "y",   "op": "add",  "args": ["$x", 2]},
        {"id": "yy",  "op": "mul",  "args": ["$y", "$y"]},
        {"id": "z",   "op": "mul",  "args": ["$yy", 3]},
        {"id": "out", "op": "mean", "args": ["$z"]}
    ],
    "outputs": ["out"]
}'
post "$session/backward" '{"tensor": "out", "retain_graph": true}'
post "$session/backward" '{"tensor": "out"}'
curl -sS --fail-with-body -X DELETE "$session"
