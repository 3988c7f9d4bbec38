"""Bytes by key: a folder or a bucket."""
