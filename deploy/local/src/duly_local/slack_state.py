"""What a fake Slack knows: people by their address, channels, and every message it took."""

import hashlib
from base64 import b32encode
from collections import defaultdict, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from duly_local.accept_log import AcceptLog, wall_now

BOT_USER, BOT, APP, TEAM = "U0DULYBOT0", "B0DULYBOT0", "A0DULYAPP0", "T0DULYTEAM"
SCOPES = frozenset({"chat:write", "users:read", "users:read.email", "im:write", "im:history", "channels:history"})
GENERAL, OLD = "C0GENERAL0", "C0ARCHIVE0"
KEPT = ("text", "blocks", "metadata", "client_msg_id")


@dataclass(slots=True)
class Workspace:
    """One workspace with one app in it. What it took stands in FOLDER/accepted.jsonl, whom it knows beside it."""

    folder: Path
    token: str = ""
    """The one that is taken; empty: any."""
    scopes: Collection[str] = SCOPES
    unknown: Collection[str] = ()
    """Addresses that nobody has; everybody else is here."""
    gone: Collection[str] = ()
    """Addresses of people who were deactivated."""
    channels: Mapping[str, str] = field(default_factory=lambda: {GENERAL: "general", OLD: "old"})
    archived: Collection[str] = (OLD,)
    refuses: deque[str] = field(default_factory=deque)
    """Slack's words for the next messages, which are not taken."""
    ahead_s: float = 0.0
    """How wrong its clock is."""
    messages: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    users: dict[str, str] = field(default_factory=dict)
    """Address by the id of whoever was asked for."""
    log: AcceptLog = field(init=False)
    met: AcceptLog = field(init=False)
    _last: datetime = field(default_factory=lambda: wall_now(ahead_s=-1))

    def __post_init__(self) -> None:
        """Know again what was taken before."""
        self.log, self.met = AcceptLog(self.folder / "accepted.jsonl"), AcceptLog(self.folder / "users.jsonl")
        self.users.update({one["user"]: one["mail"] for one in self.met.known})
        for message in self.log.known:
            self.messages[message["channel"]].append(message)

    async def user(self, mail: str) -> str:
        """Return the id of the person with this address, and know it from now on."""
        user = named("U", mail)
        if user not in self.users:
            await self.met.put({"user": user, "mail": mail})
            self.users[user] = mail
        return user

    def person(self, channel: str) -> str:
        """Return the address of the person on the other side of a direct message; empty where nobody is."""
        return self.users.get(f"U{channel[1:]}", "") if channel.startswith("D") else ""

    def place(self, channel: str) -> tuple[str, str]:
        """Return the id of a channel by its id or #name, or Slack's word for why not."""
        by_name = {f"#{name}": one for one, name in self.channels.items()}
        found = by_name.get(channel, channel)
        if found in self.archived:
            return "", "is_archived"
        return (found, "") if found in self.channels or self.person(found) else ("", "channel_not_found")

    async def take(self, channel: str, said: Mapping[str, Any]) -> dict[str, Any]:
        """Accept a message: on the disk when this returns."""
        self._last = at = max(wall_now(), self._last + timedelta(microseconds=2))  # no two with one time
        message = {
            "accepted_at": at.isoformat(),
            "channel": channel,
            "to": self.person(channel) or f"#{self.channels.get(channel, '')}",
            "ts": f"{at.timestamp():.6f}",
            **{name: said[name] for name in KEPT if said.get(name)},
        }
        await self.log.put(message)
        self.messages[channel].append(message)
        return message

    def history(self, channel: str, oldest: float, latest: float, hidden_s: float) -> list[dict[str, Any]]:
        """Return what may be seen by now, the newest first."""
        until = wall_now(ahead_s=-hidden_s)
        found = (one for one in self.messages.get(channel, ()) if oldest < float(one["ts"]) < latest)
        seen = [one for one in found if datetime.fromisoformat(one["accepted_at"]) <= until]
        return sorted(seen, key=lambda one: float(one["ts"]), reverse=True)

    async def close(self) -> None:
        """Let the files go."""
        await self.log.close()
        await self.met.close()


def named(letter: str, about: str) -> str:
    """Give an id that looks like Slack's, always the same for the same subject."""
    return letter + b32encode(hashlib.sha256(about.encode()).digest()).decode("ascii")[:10]


def shown(message: Mapping[str, Any], *, metadata: bool) -> dict[str, Any]:
    """Return a message as posting and history show it."""
    whole = {"type": "message", "subtype": "bot_message", "bot_id": BOT, "app_id": APP, "team": TEAM}
    wanted = ("ts", "text", "blocks", "client_msg_id", *(("metadata",) if metadata else ()))
    return whole | {name: message[name] for name in wanted if name in message}
