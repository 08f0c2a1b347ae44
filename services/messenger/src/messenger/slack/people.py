"""Where a message goes in Slack: a channel by its id or name, or the direct message with whoever has this address.

What was found is kept for a while, so that a person's next message asks nothing; who leaves is noticed after it.
"""

import re
from collections import OrderedDict
from time import monotonic

from messenger.channel import RefusedForGood, RefusedForNow
from messenger.slack.answers import CHANNEL_ID, SLACKS_ID, UNREADABLE, Reply, unposted
from messenger.slack.client import SlackClient, replied

KEPT_S_MAX = 900.0  # machine clock
KEPT_MAX = 10_000
ADDRESS = re.compile(r"[^@\s<>,;]{1,120}@[^@\s<>,;]{1,180}")
CHANNEL_NAME = re.compile(r"#[^\s#@<>,]{1,80}")


def reachable(address: str) -> bool:
    """Tell whether this can be an address in Slack: a mail address, a channel's id, or its #name."""
    return any(known.fullmatch(address) for known in (ADDRESS, CHANNEL_ID, CHANNEL_NAME))


class Nowhere(Exception):
    """No place in Slack for this address, or none that could be found now; nothing was posted."""

    def __init__(self, answer: RefusedForNow | RefusedForGood) -> None:
        super().__init__(answer.reason)
        self.answer = answer


class Places:
    """Finds where to post, and remembers it."""

    def __init__(self, client: SlackClient) -> None:
        self._client = client
        self._kept: OrderedDict[tuple[str, str], tuple[float, str]] = OrderedDict()

    async def of(self, tenant_id: str, address: str) -> str:
        """Return what chat.postMessage takes for this address; raises Nowhere, or what the way out raises."""
        if CHANNEL_ID.fullmatch(address) or CHANNEL_NAME.fullmatch(address):
            return address
        if not reachable(address):
            raise Nowhere(RefusedForGood("address_invalid", address=True))
        key = (tenant_id, address.casefold())
        kept_at, channel = self._kept.get(key, (0.0, ""))
        if not channel or monotonic() - kept_at > KEPT_S_MAX:
            channel = await self._opened(await self._user(address))
            self._keep(key, channel)
        return channel

    def forget(self, tenant_id: str, address: str) -> None:
        """Ask anew next time: what was found did not hold."""
        self._kept.pop((tenant_id, address.casefold()), None)

    async def _user(self, address: str) -> str:
        reply = _fine(await replied(self._client.users_lookupByEmail(email=address)))
        user, known_as = reply.inner("user", "id"), reply.inner("user", "profile", "email")
        if not isinstance(user, str) or not SLACKS_ID.fullmatch(user):
            raise Nowhere(RefusedForNow(UNREADABLE, "no_user"))
        if isinstance(known_as, str) and known_as.casefold() != address.casefold():
            raise Nowhere(RefusedForNow(UNREADABLE, "another_user"))  # what concerns one person is told to no other
        if reply.inner("user", "deleted") is True:
            raise Nowhere(RefusedForGood("user_deactivated", "user_deactivated", address=True))
        return user

    async def _opened(self, user: str) -> str:
        reply = _fine(await replied(self._client.conversations_open(users=user)))
        channel = reply.inner("channel", "id")
        if not isinstance(channel, str) or not SLACKS_ID.fullmatch(channel):
            raise Nowhere(RefusedForNow(UNREADABLE, "no_channel"))
        return channel

    def _keep(self, key: tuple[str, str], channel: str) -> None:
        self._kept[key] = (monotonic(), channel)
        self._kept.move_to_end(key)
        if len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)


def _fine(reply: Reply) -> Reply:
    if not reply.fine:
        raise Nowhere(unposted(reply))
    return reply
