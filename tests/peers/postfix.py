"""A private Postfix: real notifications for people and domains that it does not know; it must be started by root."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from duly_local import waiting
from tests.peers.install import SBIN, Missing, postfix
from tests.peers.running import NotReady, answers, free_ports

KNOWN, UNKNOWN, NO_DOMAIN = "p001@peers.example", "nobody@peers.example", "ada@elsewhere.example"
BOUNCES = "bounces.peers.example"
MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log/mail.log
maillog_file_prefixes = {folder}
mail_owner = postfix
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.peers.example
mynetworks = 127.0.0.0/8
mydestination =
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = peers.example
virtual_mailbox_base = {folder}/boxes
virtual_mailbox_maps = regexp:{folder}/known
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 1
smtpd_reject_unlisted_recipient = no
smtpd_relay_restrictions = permit_mynetworks, reject
recipient_delimiter = +
relay_domains = {bounces}
transport_maps = inline:{{ {{ {bounces} = smtp:[127.0.0.1]:{door} }} }}
default_transport = error:5.1.2 no such domain here
smtp_host_lookup = native
"""
MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True, slots=True)
class Postfix:
    """A running mail server."""

    port: int
    folder: Path

    def accepted(self) -> list[str]:
        """Return the mails in the box of KNOWN."""
        return [
            path.read_text(errors="replace") for path in sorted((self.folder / "boxes" / "known" / "new").glob("*"))
        ]


@contextmanager
def relaying(folder: Path, door: int) -> Iterator[Postfix]:
    """Run Postfix, which brings mail for BOUNCES to `door`, while the block runs; raises Missing, NotReady."""
    program = postfix()
    if os.geteuid() != 0:
        raise Missing("Postfix must be started by root.")
    [port] = free_ports(1)
    folder.chmod(0o755)  # its own user has to get in
    for name in ("queue", "data", "log", "boxes"):
        (folder / name).mkdir(parents=True)
    (folder / "known").write_text(r"/^p[0-9]+@peers\.example$/ known/" + "\n", encoding="utf-8")
    (folder / "main.cf").write_text(MAIN.format(folder=folder, bounces=BOUNCES, door=door), encoding="utf-8")
    (folder / "master.cf").write_text(MASTER.format(port=port), encoding="utf-8")
    os.chown(folder / "boxes", 65534, 65534)
    shutil.chown(folder / "data", "postfix")
    _run(program, folder, "start")
    try:
        if not waiting.until(lambda: answers(port), within_s=30):
            raise NotReady((folder / "log" / "mail.log").read_text(errors="replace")[-2_000:])
        yield Postfix(port, folder)
    finally:
        _run(program, folder, "stop")


def _run(program: Path, folder: Path, order: str) -> None:
    done = subprocess.run(
        [program, "-c", folder, order], capture_output=True, text=True, timeout=60, check=False, env=_environment()
    )
    if done.returncode != 0:
        raise NotReady(f"postfix {order}: {done.stdout}{done.stderr}")


def _environment() -> dict[str, str]:
    return {"PATH": f"{os.environ.get('PATH', '')}:{SBIN}"}
