"""Products, factorizations, solutions and norms of matrices and of batches of them."""
