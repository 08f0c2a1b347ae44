"""The one error of the one-machine stack."""


class LocalError(Exception):
    """The stack cannot do what was asked; the text says in plain words what is missing and what to do."""
