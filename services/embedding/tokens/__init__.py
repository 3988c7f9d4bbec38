"""Texts as the numbers that models read, by the rules in a tokenizer.json."""
