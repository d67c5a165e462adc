"""The same elements seen or arranged otherwise: views, copies of views, joining, repetition."""
