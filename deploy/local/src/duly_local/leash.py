"""Become another program that ends when its parent does: even a kill -9 of the parent leaves nothing behind.

Runs as a file of its own between fork and exec (`python -I -S leash.py ...`), because the alternative, code in
a forked child of a process with threads, may deadlock. Uses the standard library only. The order matters: the
kernel forgets the death signal when the user changes.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
NO_CHANGE = "-"


def main(arguments: list[str]) -> None:
    """Drop to user and group, tie this process to its parent, and become the command."""
    parent, signal_number, user, group, *command = arguments
    if user != NO_CHANGE:
        os.setgroups([])
        os.setgid(int(group))
        os.setuid(int(user))
    os.umask(0o077)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit("the parent ended before its child began")
    os.execv(command[0], command)  # noqa: S606 - the command is ours, there is no shell


if __name__ == "__main__":
    main(sys.argv[1:])
