"""The clustering engine: pure functions and small classes on numpy, no input or output."""
