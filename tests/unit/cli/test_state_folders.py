"""Where state lies when nobody says, and what continues which play."""

from pathlib import Path

import pytest

from duly_cli import states
from duly_cli.rehearsal.progress import fingerprint
from duly_cli.rehearsal.sample import sample
from duly_local.child import Account


def test_state_lies_beside_the_reader_when_no_other_user_has_to_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "server_account", lambda: None)

    assert states.default_state("up") == Path(".duly/up")


@pytest.mark.parametrize("closed", [True, False])
def test_state_of_root_lies_elsewhere_only_below_a_closed_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    monkeypatch.setattr(states, "server_account", lambda: Account("nobody", 65534, 65534))
    monkeypatch.setattr(states, "closed_parent", lambda _folder, _account: tmp_path if closed else None)
    monkeypatch.chdir(tmp_path)

    state = states.default_state("demo")

    assert state.name == "demo"
    assert state.is_relative_to(states.ELSEWHERE) == closed
    assert state == states.default_state("demo"), "the same folder each time, or nothing is found again"


def test_play_is_the_same_one_for_the_same_facts_policy_and_channel_only() -> None:
    one, same, other = sample(1), sample(1), sample(2)

    known = fingerprint(one, "mail")
    assert known == fingerprint(same, "mail")
    assert known != fingerprint(other, "mail")
    assert known != fingerprint(one, "slack")
    assert known != fingerprint(one._replace(policy=one.policy._replace(version="2")), "mail")
    assert known != fingerprint(one._replace(tenant_id="other"), "mail")
