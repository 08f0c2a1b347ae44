"""An environment of its own for Quix Streams, in the benchmark's folder: nothing of ours depends on it."""

import subprocess
import sys
from pathlib import Path

VERSION = "3.28.0"
INSTALL_WITHIN_S = 120
SAID_CHARS = 300


class NotInstalled(Exception):
    """It could not be fetched or installed; the text is what the installer said last."""


def python(folder: Path) -> Path:
    """Install Quix Streams and return the Python that has it; raises NotInstalled."""
    uv, home = str(Path(sys.executable).with_name("uv")), folder / "quix"
    inside = home / "bin" / "python"
    package = f"quixstreams=={VERSION}"
    for command in (
        [uv, "venv", "--quiet", "--python", sys.executable, str(home)],
        [uv, "pip", "install", "--quiet", "--python", str(inside), package],
        [str(inside), "-W", "ignore", "-c", "import quixstreams"],
    ):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_WITHIN_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotInstalled(str(error)[-SAID_CHARS:]) from None
        if done.returncode:
            raise NotInstalled(done.stderr.strip()[-SAID_CHARS:])
    return inside
