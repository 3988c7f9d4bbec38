"""Facts that others may care about: streams, consumer groups, retries, dead letters."""
