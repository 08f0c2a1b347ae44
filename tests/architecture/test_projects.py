"""What each pyproject.toml promises: exact versions, one of each, and the tools that the lock file holds."""

import re

import pytest

from tests.architecture.source import ROOT, Member, members, refuse, toml

OWN = {member.distribution for member in members()}
PINNED = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(\[[^]]+\])?==(?P<version>[^,;\s]+)")
TOOLS = ("mypy", "ruff")


def normal(name: str) -> str:
    """Return a distribution's name as the index has it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(dependencies: list[str]) -> dict[str, str]:
    """Return name and version of every pinned dependency."""
    found = (PINNED.fullmatch(one) for one in dependencies)
    return {normal(one["name"]): one["version"] for one in found if one}


def locked() -> dict[str, str]:
    """Return what uv.lock holds."""
    return {package["name"]: package.get("version", "") for package in toml(ROOT / "uv.lock")["package"]}


@pytest.mark.parametrize("member", members(), ids=lambda member: member.package)
def test_member_pins_every_dependency_to_the_locked_version(member: Member) -> None:
    """STYLE.md point 29: one lock file, pinned tools; the house's own members have no version to pin."""
    lock = locked()
    faults = [
        member.fault(f"{one}: pin it with == (own members without a version)")
        for one in member.dependencies
        if one not in OWN and not PINNED.fullmatch(one)
    ]
    faults += [
        member.fault(f"{name}=={version}, but uv.lock holds {lock.get(name, 'none')}: uv lock")
        for name, version in pins(member.dependencies).items()
        if lock.get(name) != version
    ]

    refuse(faults)


def test_tools_of_the_dev_group_are_the_locked_ones() -> None:
    """What a reviewer's ruff says must be what everybody's says."""
    dev, lock = pins(toml(ROOT / "pyproject.toml")["dependency-groups"]["dev"]), locked()

    assert {tool: lock[tool] for tool in TOOLS} == {tool: dev.get(tool) for tool in TOOLS}


def test_workspace_lists_every_member() -> None:
    """A member that is missing here is neither installed nor type-checked nor found by ruff."""
    root = toml(ROOT / "pyproject.toml")

    assert sorted(OWN) == sorted(one.partition("[")[0] for one in root["project"]["dependencies"])
    assert set(root["tool"]["uv"]["sources"]) == OWN
    assert sorted(str(member.folder.relative_to(ROOT) / "src") for member in members()) == sorted(
        root["tool"]["mypy"]["mypy_path"].split(":")
    )


def test_loose_dependency_is_noticed() -> None:
    assert not PINNED.fullmatch("msgspec>=0.22")
    assert pins(["aiokafka[lz4,zstd]==0.14.0", "prometheus_client==0.26.0"]) == {
        "aiokafka": "0.14.0",
        "prometheus-client": "0.26.0",
    }
