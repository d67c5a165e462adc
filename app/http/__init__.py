"""HTTP: connections, bodies, problems, the OpenAPI document. All that knows of the web but is no route."""
