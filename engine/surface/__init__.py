"""How names of PyTorch reach the ops: methods of tensors, namespaces, functions of functions, optimisers."""
