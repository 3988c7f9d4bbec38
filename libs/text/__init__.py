"""Texts as words, and how alike two texts are."""
