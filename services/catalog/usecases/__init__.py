"""What a caller can do with the catalog: a class for each noun, a method for each deed."""
