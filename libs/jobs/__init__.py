"""Commands with a lifetime: a row is the truth, the queue carries only its id."""
