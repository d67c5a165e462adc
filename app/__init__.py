"""The service: PyTorch's autograd over HTTP, on the engine."""

VERSION = "0.1.0"
