"""What travels: encodings of tensors, bodies, graphs and code. No web framework here."""
