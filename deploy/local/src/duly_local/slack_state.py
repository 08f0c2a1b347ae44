"""What a stand-in for Slack knows: people by their address, direct messages, channels, and every message it took."""

import hashlib
from base64 import b32encode
from collections import defaultdict, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from duly_local.accepts import AcceptLog, entries

BOT_USER, BOT, APP, TEAM = "U0DULYBOT0", "B0DULYBOT0", "A0DULYAPP0", "T0DULYTEAM"
SCOPES = frozenset({"chat:write", "users:read", "users:read.email", "im:write", "im:history", "channels:history"})
PAGE_MAX = 999
BEGINNING = datetime.fromtimestamp(0, UTC)


@dataclass(slots=True)
class Workspace:
    """One workspace with one app in it."""

    log: Path
    token: str = ""
    """The one that is taken; empty: any."""
    scopes: Collection[str] = SCOPES
    unknown: Collection[str] = ()
    """Addresses that nobody has; everybody else is here."""
    gone: Collection[str] = ()
    """Addresses of people who were deactivated."""
    channels: Mapping[str, str] = field(default_factory=lambda: {"C0GENERAL0": "general", "C0ARCHIVE0": "old"})
    archived: Collection[str] = ("C0ARCHIVE0",)
    lag: timedelta = timedelta()
    """How long a message that was taken is missing from the history."""
    refuses: deque[str] = field(default_factory=deque)
    """Slack's words for the next messages, which are not taken."""
    messages: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    users: dict[str, str] = field(default_factory=dict)
    """Address by the id of whoever was asked for."""
    _last: datetime = field(default=BEGINNING)
    accepts: AcceptLog = field(init=False)
    met: AcceptLog = field(init=False)

    def __post_init__(self) -> None:
        """Know again what was taken before."""
        met = self.log.with_name(f"{self.log.name}.users")
        self.users.update({one["user"]: one["email"] for one in entries(met)})
        for message in entries(self.log):
            self.messages[message["channel"]].append(message)
            self._last = max(self._last, datetime.fromisoformat(message["accepted_at"]))
        self.accepts, self.met = AcceptLog(self.log), AcceptLog(met)

    async def user(self, email: str) -> str:
        """Return the id of the person with this address, and know it from now on."""
        user = named("U", email)
        if user not in self.users:
            await self.met.add({"user": user, "email": email})
            self.users[user] = email
        return user

    def person(self, channel: str) -> str:
        """Return the address of the person on the other side of a direct message; empty where nobody is."""
        return self.users.get(f"U{channel[1:]}", "") if channel.startswith("D") else ""

    def place(self, channel: str) -> str:
        """Return the id of a channel by its id or #name, or Slack's word for why not."""
        by_name = {f"#{name}": one for one, name in self.channels.items()}
        found = by_name.get(channel, channel)
        if found in self.archived:
            return "is_archived"
        return found if found in self.channels or self.person(found) else "channel_not_found"

    async def take(self, channel: str, said: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        """Accept a message: on the disk when this returns."""
        self._last = at = max(now, self._last + timedelta(microseconds=1))
        message = {
            "accepted_at": at.isoformat(),
            "channel": channel,
            "recipient": self.person(channel) or f"#{self.channels.get(channel, '')}",
            "ts": f"{at.timestamp():.6f}",
            **{name: said[name] for name in ("text", "blocks", "metadata", "client_msg_id") if said.get(name)},
        }
        await self.accepts.add(message)
        self.messages[channel].append(message)
        return message

    def history(self, channel: str, oldest: float, latest: float, now: datetime) -> list[dict[str, Any]]:
        """Return what may be seen by now, the newest first."""
        seen = (
            one
            for one in self.messages.get(channel, ())
            if oldest < float(one["ts"]) < latest and datetime.fromisoformat(one["accepted_at"]) + self.lag <= now
        )
        return sorted(seen, key=lambda one: float(one["ts"]), reverse=True)

    def close(self) -> None:
        """Let the logs go."""
        self.accepts.close()
        self.met.close()


def named(letter: str, about: str) -> str:
    """Give an id as Slack's look, always the same for the same subject."""
    return letter + b32encode(hashlib.sha256(about.encode()).digest()).decode("ascii")[:10]


def shown(message: Mapping[str, Any], *, metadata: bool, blind: bool) -> dict[str, Any]:
    """Return a message as history and posting show it."""
    whole = {"type": "message", "subtype": "bot_message", "bot_id": BOT, "app_id": APP, "team": TEAM}
    whole |= {name: message[name] for name in ("ts", "text", "blocks", "client_msg_id") if name in message}
    if metadata and "metadata" in message:
        whole["metadata"] = message["metadata"]
    if blind:
        whole = {name: value for name, value in whole.items() if name not in {"metadata", "blocks", "client_msg_id"}}
    return whole
