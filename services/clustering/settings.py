"""Settings of the clustering service."""

from libs.settings import Part


class ClusteringSettings(Part):
    """Settings of the clustering service."""
