"""Moves a library of the older shape, where photos hang on clusters, into the catalog."""
