"""Return addresses: ours come back whole, whatever a relay does to their case; nobody else's are believed."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duly_chassis.addresses import checked_address
from messenger.bounces.return_path import PREFIX, ReturnPath, Ticket, tenant_hash
from tests.support.returned import DOMAIN, KEY, OLD_KEY, PATH

TENANT = st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True)
ATTEMPT = st.integers(1, 2**16 - 1)


@settings(deadline=None)
@given(tenant=TENANT, outreach_id=st.uuids(), attempt=ATTEMPT, data=st.data())
def test_address_comes_back_whole_in_any_case(
    tenant: str, outreach_id: UUID, attempt: int, data: st.DataObject
) -> None:
    address = PATH.address(tenant, outreach_id, attempt)
    shouted = "".join(letter.upper() if data.draw(st.booleans()) else letter for letter in address)

    assert PATH.read(shouted) == Ticket(outreach_id, attempt, tenant_hash(tenant))
    assert len(address.partition("@")[0]) <= 64
    assert checked_address(address) == address


def test_address_holds_nothing_personal_and_differs_by_tenant_and_attempt() -> None:
    outreach_id = uuid4()
    addresses = {PATH.address(tenant, outreach_id, attempt) for tenant in ("acme", "bolt") for attempt in (1, 2)}

    assert len(addresses) == 4
    assert {address[: len(PREFIX)] for address in addresses} == {PREFIX}


@settings(deadline=None)
@given(data=st.data())
def test_s40_changed_address_is_not_believed(data: st.DataObject) -> None:
    """S-40: any other character at any place, one less, one more."""
    address = PATH.address("acme", UUID(int=7), 1)
    place = data.draw(st.integers(0, len(address) - 1))
    other = data.draw(st.characters(max_codepoint=0x24F).filter(lambda one: one.lower() != address[place]))

    assert PATH.read(address[:place] + other + address[place + 1 :]) is None
    assert PATH.read(address[:place] + address[place + 1 :]) is None
    assert PATH.read(address[:place] + other + address[place:]) is None


@settings(deadline=None)
@given(st.text(max_size=120))
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert PATH.read(text) is None
    assert PATH.read(f"{PREFIX}{text}@{DOMAIN}") is None
    assert PATH.found_in(text) is None


def test_signature_of_another_key_or_domain_is_not_believed() -> None:
    address = PATH.address("acme", UUID(int=7), 1)

    assert ReturnPath(DOMAIN, [OLD_KEY]).read(address) is None
    assert ReturnPath("else.example.org", [KEY]).read(address) is None


def test_key_is_changed_while_mail_is_out() -> None:
    """The new key signs, the old one is believed until it is taken away."""
    old, both = ReturnPath(DOMAIN, [OLD_KEY]), ReturnPath(DOMAIN, [KEY, OLD_KEY])
    told = Ticket(UUID(int=7), 1, tenant_hash("acme"))

    assert both.read(old.address("acme", UUID(int=7), 1)) == told
    assert PATH.read(both.address("acme", UUID(int=7), 1)) == told


@pytest.mark.parametrize(
    "text", ["{}", "<{}>", "To: a@b.example, {}\nX: y", '"Bounce" <{}>;', "bounce+aaaa@bounces.example.org {}"]
)
def test_address_is_found_among_others(text: str) -> None:
    address = PATH.address("acme", UUID(int=7), 3)

    assert PATH.found_in(text.format(address.upper())) == Ticket(UUID(int=7), 3, tenant_hash("acme"))
    assert PATH.found_in(text.format(f"{address}.evil.example")) is None
