"""Sessions: durable namespaces of tensors with their graph. Who has which, and how they stand in records."""
