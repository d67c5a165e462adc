"""Random programs, run on PyTorch and on the engine, and everything that can be seen of them compared."""
