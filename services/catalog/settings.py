"""Settings of the catalog service."""

from libs.settings import Part


class CatalogSettings(Part):
    """Settings of the catalog service."""
