"""Structured logs, one JSON object a line on stderr, with redaction as the second wall.

The first wall is that nobody logs personal data: ids, codes, counts and class names only.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from duly_chassis.seldom import Seldom

MAIL = re.compile(r"[^\s<>\"'@]+@[^\s<>\"'@]+\.[A-Za-z]{2,}")
PHONE = re.compile(r"\+\d{7,15}\b")
PASSWORD_IN_URL = re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]*(?=@)")
SIGNATURE_IN_URL = re.compile(r"(?<=[?&]sig=)[^&\s\"']+")
SECRET_NAMES = re.compile(r"password|secret|token|authorization|cookie|api_key", re.IGNORECASE)
GONE = "[redacted]"
QUIET = (
    *("aiokafka", "faststream", "alembic", "asyncio", "uvicorn"),
    *("mail.log", "aiosmtplib", "aiohttp", "slack_sdk", "twilio"),
)


def redacted(value: object) -> object:
    """Return the value without addresses, phone numbers, passwords and the signatures of webhooks."""
    if isinstance(value, str):
        return PHONE.sub(GONE, MAIL.sub(GONE, SIGNATURE_IN_URL.sub(GONE, PASSWORD_IN_URL.sub(GONE, value))))
    if isinstance(value, dict):
        return {key: GONE if SECRET_NAMES.search(str(key)) else redacted(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redacted(item) for item in value]
    return value


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Processor of structlog: redact every value of a line."""
    for key, value in event.items():
        event[key] = GONE if SECRET_NAMES.search(key) and value is not None else redacted(value)
    return event


def configure(level: str) -> None:
    """Set up logging for this process; library loggers speak from warning on, through the same redaction."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    handler.addFilter(Seldom(QUIET))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def log(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of one part of the house."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
