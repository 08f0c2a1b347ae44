"""What is raised for one cell, and never shown with it."""


class BadCell(Exception):
    """A cell that cannot be taken: a code, and words that do not repeat it."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code)
        self.code = code
        self.text = text
