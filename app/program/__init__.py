"""The language: programs as nodes or code, the tree both become, and what runs it."""
