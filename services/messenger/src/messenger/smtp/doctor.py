"""What `duly doctor` asks the mail relay: a session, TLS, the login, and our sender up to MAIL; then RSET and QUIT.

No recipient is ever named, so there is nothing that could be sent.
"""

import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from duly_chassis.addresses import parse_mailbox
from duly_chassis.doctor import Check, Finding, not_set_up, ok, problem, warning
from duly_chassis.loopback import is_loopback
from messenger.bounces.return_path import ReturnPath
from messenger.channel import RefusedForGood, RefusedForNow
from messenger.settings import Settings
from messenger.smtp.answers import FAILED, Unreachable, failure
from messenger.smtp.connect import connect
from messenger.smtp.relay import SmtpSettings, SmtpUrlError, parse_smtp_url

NAME = "mail relay"
DEADLINE_S, CONNECT_S, REPLY_S = 12.0, 5.0, 3.0
NOBODY = UUID(int=0)
EXAMPLE = re.compile(r"(.*\.)?(example(\.(com|org|net))?|invalid|test|localhost)")

UNREACHABLE: Mapping[str, tuple[str, str]] = {
    "connect_failed": ("nobody answers there", "correct host and port in DULY_SMTP_URL, or open the firewall"),
    "timeout": ("it does not answer", "correct host and port in DULY_SMTP_URL, or open the firewall"),
    "greeting_refused": ("it does not want to talk to this machine", "let the relay accept this machine's address"),
    "connection_lost": ("it hangs up", "look into the relay's log; TLS from the first byte needs smtps://"),
    "starttls_not_offered": ("it offers no STARTTLS", "use smtps:// in DULY_SMTP_URL, or the port for submission"),
    "starttls_refused": ("it refuses STARTTLS", "look into the relay's log; it may lack a certificate"),
    "tls_failed": ("TLS with it fails", "port 465 needs smtps://, port 587 ?tls=starttls in DULY_SMTP_URL"),
    "auth_failed": ("it refuses the login", "correct user and password in DULY_SMTP_URL"),
    "host_not_permitted": ("it is not on this machine", "loopback_only is set: name a relay here, or unset it"),
}
UNTRUSTED: Mapping[int, str] = {  # by OpenSSL's code
    10: "its certificate has expired",
    9: "its certificate is not valid yet; or this machine's clock is wrong",
    62: "its certificate is for another name",
    64: "its certificate is for another name",
    18: "its certificate is signed by nobody that this machine trusts",
    19: "its certificate is signed by nobody that this machine trusts",
    20: "its certificate is signed by nobody that this machine trusts",
}


def checks(settings: Settings) -> tuple[Check, ...]:
    """Return what is asked of the relay, and how the way back is set up."""

    async def ask() -> Sequence[Finding]:
        try:
            smtp = parse_smtp_url(settings.smtp_url.get_secret_value())
        except SmtpUrlError as error:
            return [problem(NAME, f"DULY_SMTP_URL: {error}", "correct it")]
        limits = {"connect_timeout_s": CONNECT_S, "timeout_s": REPLY_S, "loopback_only": settings.loopback_only}
        relay = replace(smtp, **limits)  # type: ignore[arg-type]  # one dict of two kinds of value
        return [*await relayed(relay, senders(settings)), *bounces(settings, relay.host)]

    return (Check(NAME, ask, DEADLINE_S),)


def senders(settings: Settings) -> dict[str, str]:
    """Return the addresses that mails leave under, by the setting that they come from."""
    if settings.bounce_domain is None:
        return {"mail_sender": parse_mailbox(settings.mail_sender).address}
    path = ReturnPath(settings.bounce_domain, settings.signing_keys())
    return {"bounce_domain": path.address("doctor", NOBODY, 0)}


async def relayed(relay: SmtpSettings, addresses: Mapping[str, str]) -> list[Finding]:
    """Open a session as the channel does, and ask for our senders."""
    try:
        connection = await connect(relay, relay.tls_context() if relay.tls != "none" else None)
    except Unreachable as error:
        return [_unreachable(error)]
    found = [_open(relay)]
    try:
        for setting, address in addresses.items():
            found.append(_sender(setting, await connection.takes_from(address)))
    except FAILED as error:
        reason, _ = failure(error)
        found.append(problem("mail sender", f"the relay breaks off at MAIL FROM ({reason})", "look into its log"))
    finally:
        await connection.quit()
    return found


def _unreachable(error: Unreachable) -> Finding:
    wrong, remedy = UNREACHABLE.get(error.answer.reason, (f"no session begins ({error.answer.reason})", "see its log"))
    told = _untrusted(error)
    if told:
        return problem(NAME, told, "correct the host in DULY_SMTP_URL, or give the relay a certificate that is trusted")
    return problem(NAME, f"{wrong} ({error.answer.code})" if error.answer.code else wrong, remedy)


def _untrusted(error: BaseException) -> str:
    """Find what was wrong with a certificate among the reasons of an error; nothing where it was something else."""
    reason: BaseException | None = error
    while reason is not None:
        if isinstance(reason, ssl.SSLCertVerificationError):
            return UNTRUSTED.get(reason.verify_code, "its certificate is not valid")
        reason = reason.__cause__ or reason.__context__
    return ""


def _open(relay: SmtpSettings) -> Finding:
    if relay.tls == "none" and not is_loopback(relay.host):
        wrong = "mail crosses the network unencrypted"
        return warning(NAME, wrong, "add ?tls=starttls to DULY_SMTP_URL, or use smtps://, if the relay can")
    return ok(NAME)


def _sender(setting: str, refused: RefusedForNow | RefusedForGood | None) -> Finding:
    name, variable = "mail sender", f"DULY_MESSENGER_{setting.upper()}"
    if refused is None:
        return ok(name)
    if refused.reason == "address_not_supported":
        wrong = "the address has letters beyond ASCII, and the relay offers no SMTPUTF8"
        return problem(name, wrong, f"correct {variable}")
    wrong = f"the relay does not take mail from the sender ({refused.code or refused.reason})"
    if isinstance(refused, RefusedForNow):
        return warning(name, f"{wrong} for now", "ask again later: some relays put off whom they do not know")
    return problem(name, wrong, f"correct {variable}, or let the relay accept it for this login")


def bounces(settings: Settings, relay_host: str) -> list[Finding]:
    """Say whether sender and way back fit each other, as far as settings tell."""
    name, sender = "bounces", parse_mailbox(settings.mail_sender).address.rpartition("@")[2].lower()
    found = []
    if not is_loopback(relay_host) and EXAMPLE.fullmatch(sender):
        wrong = "mails would be from an example's domain, which receivers reject"
        found.append(problem("mail sender", wrong, "set DULY_MESSENGER_MAIL_SENDER to an address of yours"))
    if settings.bounce_domain is None:
        wrong = "bounce_domain is not set: undeliverable mail is not noticed"
        return [*found, not_set_up(name, wrong, "set DULY_MESSENGER_BOUNCE_DOMAIN; docs/bounces.md says how")]
    if settings.bounce_domain == sender:
        wrong = "bounce_domain is also the sender's domain, so answers of people come to the same place"
        remedy = "give bounces a domain of their own, such as a subdomain with its own MX record"
        found.append(warning(name, wrong, remedy))
    if settings.bounce_port is None:
        remedy = "set DULY_MESSENGER_BOUNCE_PORT, or run `duly bounces take` on a mailbox regularly"
        found.append(warning(name, "bounce_port is not set: no relay can hand bounces over", remedy))
    elif is_loopback(settings.bounce_host) and not is_loopback(relay_host):
        wrong = "bounces are taken on this machine alone, and the relay is on another"
        found.append(warning(name, wrong, "set DULY_MESSENGER_BOUNCE_HOST to an inner address the relay can reach"))
    return found if any(one.name == name for one in found) else [*found, ok(name)]
