"""The MIME structure around a mail's two bodies: built once per language, exchanged never."""

from email.message import EmailMessage
from email.policy import SMTP

TEXT_MARK, HTML_MARK = "@@text@@", "@@html@@"
BOUNDARY = "=_duly"  # quoted-printable never holds "=_", so no body can hold it


def frame(language: str) -> tuple[bytes, bytes, bytes]:
    """Let the standard library build the MIME structure once; after that only the bodies are exchanged."""
    whole = EmailMessage(policy=SMTP)
    whole["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
    whole.set_content(TEXT_MARK, cte="quoted-printable")
    whole.add_alternative(HTML_MARK, subtype="html", cte="quoted-printable")
    whole.set_boundary(BOUNDARY)
    whole["Content-Language"] = language
    for part in whole.iter_parts():
        del part["MIME-Version"]  # it belongs to the whole
    before, _, rest = whole.as_bytes().partition(TEXT_MARK.encode() + b"\r\n")
    between, _, after = rest.partition(HTML_MARK.encode() + b"\r\n")
    return before, between, after
