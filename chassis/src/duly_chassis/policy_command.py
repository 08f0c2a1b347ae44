"""What every policy has beside its own rules: a name, a version, and the command that checks its file.

`python -m MODULE --check FILE` checks a file, `--schema` prints the JSON Schema that lies beside the shipped one.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Protocol

from pydantic import BeforeValidator, Field

from duly_chassis.policy_file import PolicyError

Name = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,60}$", description="What the policy is called")]
Version = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9._-]{1,40}$"),
    BeforeValidator(lambda value: str(value) if isinstance(value, int) else value),
]
"""A new one for each edit, since what runs keeps its own; `version: 2` is a text, too."""


class Versioned(Protocol):
    """A policy that was read."""

    @property
    def version(self) -> str:
        """Return its version."""


def check(module: str, about: str, load: Callable[[Path], Versioned], schema_text: Callable[[], str]) -> int:
    """Read the command line of a policy's module and do as it says; returns the exit status.

    `load` raises PolicyError with every fault of a file.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--check", type=Path, metavar="FILE", help="check a policy file")
    wanted.add_argument("--schema", action="store_true", help="print the JSON Schema")
    arguments = parser.parse_args()
    if arguments.schema:
        sys.stdout.write(schema_text())
        return 0
    try:
        policy = load(arguments.check)
    except PolicyError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{arguments.check}: version {policy.version} is in order\n")
    return 0
