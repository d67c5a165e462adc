"""Neural network ops: activations, losses, normalisation, embeddings, padding, dropout."""
