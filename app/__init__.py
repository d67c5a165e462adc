"""The service: PyTorch's autograd over HTTP, on the engine."""
