"""As root, PostgreSQL refuses to run: then it runs as `nobody`, who must be able to reach its files."""

import os
import pwd
import stat
from pathlib import Path

from duly_local.child import Account
from duly_local.errors import LocalError

NAME = "nobody"


def server_account() -> Account | None:
    """Return the user PostgreSQL must run as, or None where that is the present one."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        raise LocalError(
            f"PostgreSQL does not run as root, and this machine has no user '{NAME}' to run it as. "
            "Run duly as an ordinary user."
        ) from None
    return Account(NAME, entry.pw_uid, entry.pw_gid)


def closed_parent(path: Path, account: Account) -> Path | None:
    """Return the topmost existing folder on the way to `path` that this user may not pass, or None."""
    for folder in reversed((path, *path.parents)):
        if folder.is_dir() and not may(folder, account, stat.S_IXOTH):
            return folder
    return None


def may(path: Path, account: Account, wanted: int) -> bool:
    """Say whether the permission bits grant `wanted`, given as the bits for others, to this user."""
    status = path.stat()
    if status.st_uid == account.uid:
        granted = status.st_mode >> 6
    elif status.st_gid == account.gid:
        granted = status.st_mode >> 3
    else:
        granted = status.st_mode
    return granted & wanted == wanted


def require_reachable(folder: Path, account: Account) -> None:
    """Raise LocalError, with the folder in the way and the remedies, unless the user can reach `folder`."""
    if closed := closed_parent(folder, account):
        raise LocalError(
            f"PostgreSQL does not run as root, so it runs as user '{account.name}', who cannot reach {folder}: "
            f"{closed} is closed to other users. Either open it (chmod o+x {closed}), or choose a state folder "
            "elsewhere, for example below /var/lib, or run duly as an ordinary user."
        )
