"""The services' databases, for what is tried with a peer."""

from tests.integration.conftest import database_url, messengers  # noqa: F401 - the same fixtures serve here
