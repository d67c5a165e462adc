"""``numpy`` for programs: an allow-list of functions over real arrays, each with the work that it takes."""
