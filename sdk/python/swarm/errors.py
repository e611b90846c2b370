"""What goes wrong: the codes are those of docs/reference/error-codes.md."""

CODES = {
    "CANCELLED": -1, "INVALID": -3, "TIMEOUT": -4, "NOT_FOUND": -5, "DENIED": -7, "EXHAUSTED": -8,
    "PRECONDITION": -9, "DEADLOCK": -10, "UNSUPPORTED": -12, "INTERNAL": -13, "UNAVAILABLE": -14,
}
NAMES = {number: name for name, number in CODES.items()}


class Error(Exception):
    """A call failed: `code`, such as "EXHAUSTED", says how, and the text why. A handler that raises
    one refuses its message with both."""

    def __init__(self, code: str, words: str = ""):
        super().__init__(words or code)
        self.code = code


class Refusal(Exception):
    """Raised by a handler: the message is refused with these words, and nothing is logged."""
