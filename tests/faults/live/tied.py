"""Become another program that dies with the rig: whatever ends the rig, nothing of it stays behind (Linux).

Runs as a file of its own between fork and exec: `python -I -S tied.py PARENT PROGRAM ARGUMENT...`.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Tie this process to its parent and become the program."""
    parent, *command = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit("the rig ended before its program began")
    os.execv(command[0], command)  # noqa: S606 - the command is ours, there is no shell


if __name__ == "__main__":
    main(sys.argv[1:])
