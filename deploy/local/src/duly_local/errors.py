"""The one error of the one-machine stack."""


class LocalError(Exception):
    """The stack cannot do what was asked; the text says in plain words what is missing and what to do."""


class NoServers(LocalError):
    """This installation cannot start servers: the packages that carry them are an extra."""

    def __init__(self) -> None:
        super().__init__("No servers can be started here: install duly-local[servers], or run `make setup`.")
