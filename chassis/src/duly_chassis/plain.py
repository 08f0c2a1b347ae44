"""Errors that a person can act on: their text is all that needs to be said."""


class PlainError(Exception):
    """Something is missing or wrong that whoever runs Duly can mend; the text says what, in plain words."""
