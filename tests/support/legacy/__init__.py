"""A library of the older shape, as the older program would have left it."""
