"""What goes wrong: the codes are those of docs/reference/error-codes.md."""


class Error(Exception):
    """A call failed: `code`, such as "EXHAUSTED", says how, and the text why."""

    def __init__(self, code: str, words: str):
        super().__init__(words)
        self.code = code


class Refusal(Exception):
    """Raised by a handler: the message is refused with these words, and nothing is logged."""
