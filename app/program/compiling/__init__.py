"""A program's tree as Python closures: made once for a text, called for every run."""
