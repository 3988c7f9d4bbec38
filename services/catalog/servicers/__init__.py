"""The gRPC services of the catalog."""
