"""What callers and workers can do with channels, posts and publications."""
