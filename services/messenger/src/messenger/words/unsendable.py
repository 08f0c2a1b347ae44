"""Why a message cannot become a letter: a fault of this message, never of the others beside it."""

NOT_SET_UP = "channel_not_set_up"


class Unsendable(Exception):
    """This message cannot be written, and trying again would not help. `reason` is a code, free of data."""

    def __init__(self, reason: str, name: str = "") -> None:
        super().__init__(f"{reason}: {name}" if name else reason)
        self.reason = reason
        self.name = name


class MissingValue(Unsendable):
    """The template asks for a value that the request does not bring, or brings blank."""

    def __init__(self, name: str) -> None:
        super().__init__("value_missing", name)


class BadValue(Unsendable):
    """A value is there, but is not what its name says: a moment that is none, a link that is not https."""

    def __init__(self, name: str) -> None:
        super().__init__("value_bad", name)


class AddressRefused(Unsendable):
    """The recipient's address is not exactly one plain address; the name says what is wrong with it."""

    def __init__(self, reason: str) -> None:
        super().__init__("address_refused", reason)


class NotSetUp(Unsendable):
    """This process has the channel, but not for this tenant."""

    def __init__(self) -> None:
        super().__init__(NOT_SET_UP)


class UnknownTemplate(Unsendable):
    """No template has this name."""

    def __init__(self) -> None:
        super().__init__("template_unknown")


class NotWorded(Unsendable):
    """The message has no words for the channel it is on; the name is the channel."""

    def __init__(self, channel: str) -> None:
        super().__init__("not_worded", channel)


class TextTooLong(Unsendable):
    """A text has more segments than it may have; the name says how many."""

    def __init__(self, segments: int) -> None:
        super().__init__("text_too_long", f"{segments} segments")


class TooLarge(Unsendable):
    """The rendered message is larger than any reminder can honestly be."""

    def __init__(self) -> None:
        super().__init__("body_too_large")


class Breach(Unsendable):
    """Rendering met a wall: `name` says which, who owns the template, and which template it was."""

    def __init__(self, wall: str, owner: str, template: str) -> None:
        super().__init__("template_breach", f"{wall} owner={owner} {template}")


class Later(Unsendable):
    """Nothing is wrong with the message: it could not be rendered now and is due again, after so many seconds."""

    def __init__(self, reason: str, after_s: int = 0) -> None:
        super().__init__(reason)
        self.after_s = after_s
