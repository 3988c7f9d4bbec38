"""Where posts go: the port to a provider of publishing, and one adapter for each."""
