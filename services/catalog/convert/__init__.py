"""Messages of ``colonnade.catalog.v1`` from and to what the domain knows."""
