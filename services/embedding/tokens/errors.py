"""What is wrong with a tokenizer.json."""


class UnknownRule(ValueError):
    """The file asks for something that is not known here, or is none."""
