"""Neural network ops: activations, losses, normalisation, embeddings, padding, dropout."""

from importlib import import_module

MODULES = (
    "activation", "classification", "ctc", "distance", "dropout", "embedding", "loss", "margin", "norm", "pad",
    "softmax",
)  # fmt: skip

for _module in MODULES:
    import_module(f"engine.ops.nn.{_module}")
