"""What tests of the clustering service share."""
