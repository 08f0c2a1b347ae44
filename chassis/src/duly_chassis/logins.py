"""A login for each service: it may take that service's roles, and nothing else.

The password is hashed here, so that the server never sees it, not even in a log of statements.
"""

from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from duly_chassis.database import roles
from duly_chassis.plain import PlainError

HASH = b"scram-sha-256"


class LoginRefused(PlainError):
    """A service's database address cannot be made a login; the text names its variable, never what it holds."""


def give(connection: Connection, service: str, variable: str, database_url: str) -> None:
    """Make or renew the login that a service's own database address names; raises LoginRefused."""
    try:
        url = make_url(database_url)
    except ArgumentError:
        raise LoginRefused(f"{variable}: not a database address") from None
    if not url.username or not url.password:
        raise LoginRefused(f"{variable}: names no user with a password, so no login can be made of it")
    if url.username in {connection.scalar(text("SELECT current_user")), *roles(service)}:
        raise LoginRefused(f"{variable}: a service's login is neither who migrates nor one of its roles")
    driver: Any = connection.connection.driver_connection
    hashed = driver.pgconn.encrypt_password(url.password.encode(), url.username.encode(), HASH).decode()
    values = {"name": url.username, "hashed": hashed, "roles": " ".join(roles(service))}
    connection.execute(text(VALUES), values)
    connection.execute(text(LOGIN))
    connection.commit()


VALUES = """
SELECT set_config('duly.login', :name, true),
       set_config('duly.hashed', :hashed, true),
       set_config('duly.roles', :roles, true)
"""
LOGIN = """
DO $$
DECLARE
    login text := current_setting('duly.login');
    taken text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = login) THEN
        EXECUTE format('CREATE ROLE %I', login);
    END IF;
    -- NOINHERIT: without taking a role it may read and write nothing
    EXECUTE format('ALTER ROLE %I LOGIN NOINHERIT PASSWORD %L', login, current_setting('duly.hashed'));
    FOREACH taken IN ARRAY string_to_array(current_setting('duly.roles'), ' ') LOOP
        EXECUTE format('GRANT %I TO %I', taken, login);
    END LOOP;
END $$
"""
