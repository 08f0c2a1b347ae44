"""`duly migrate`: schemas, roles and row-level security, as the code of this release wants them.

The chassis chain runs first in each service's schema, then the service's own; each has its own version table.
Whoever migrates owns the tables; no role of a running service does. Running it again changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url

from duly_chassis import crash, database, logins, revisions
from duly_chassis.plain import PlainError
from duly_chassis.service import Entry
from duly_chassis.settings import SHARED_PREFIX

LOCK = 0x64756C79  # "duly": one migration at a time
NO_LOGINS: Mapping[str, str] = {}


class MigrationError(PlainError):
    """The server cannot hold Duly; the text says what is wrong in plain words."""


def schemas(
    database_url: str,
    entries: Sequence[Entry],
    say: Callable[[str], None],
    own_urls: Mapping[str, str] = NO_LOGINS,
) -> None:
    """Bring every schema to this release, and make the logins that services' own addresses name, by variable.

    Raises WrongDatabase, LoginRefused, MigrationError or the database's own error.
    """
    url = make_url(database_url).set(drivername="postgresql+psycopg")
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            revisions.require_server(connection.scalar(text("SELECT current_setting('server_version_num')::int")) or 0)
            connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
            connection.commit()
            for entry in entries:  # all of them before the first is changed
                _require_not_newer(connection, entry)
            for entry in entries:
                say(f"schema {entry.name}")
                _schema(connection, entry)
                variable = f"{SHARED_PREFIX}{entry.name.upper()}_DATABASE_URL"
                if variable in own_urls:
                    logins.give(connection, entry.name, variable, own_urls[variable])
                crash.at("schema-migrated")
    finally:
        engine.dispose()


def _require_not_newer(connection: Connection, entry: Entry) -> None:
    """Refuse a schema that a later release has migrated; raises WrongDatabase."""
    for package, version_table in _chains(entry):
        options = {"version_table": version_table, "version_table_schema": entry.name}
        for found in MigrationContext.configure(connection, opts=options).get_current_heads():
            revisions.require_not_newer(entry.name, package, found)
    connection.commit()


def _chains(entry: Entry) -> tuple[tuple[str, str], ...]:
    """Name the packages of a schema's revisions with their version tables, in the order in which they run."""
    return (revisions.CHASSIS, "chassis_version"), (entry.migrations, "service_version")


def _schema(connection: Connection, entry: Entry) -> None:
    """Migrate one schema: roles, both chains, then rights for every table they made."""
    name = entry.name  # from an entry point of ours, [a-z_] by the naming test: safe inside SQL
    for role in database.roles(name):
        known = connection.scalar(text("SELECT true FROM pg_roles WHERE rolname = :role"), {"role": role})
        if not known:
            connection.execute(text(f'CREATE ROLE "{role}" NOLOGIN'))
        connection.execute(text(f'GRANT "{role}" TO CURRENT_USER'))
    # Batches mix tenants, so the workers' role is not under row-level security; its statements carry the tenant.
    connection.execute(text(f'ALTER ROLE "{name}" BYPASSRLS'))
    connection.execute(text(f'ALTER ROLE "{name}_reader" NOBYPASSRLS'))
    connection.execute(text(f'ALTER ROLE "{name}_letters" NOBYPASSRLS'))
    connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{name}"'))
    connection.execute(text(f'SET search_path TO "{name}"'))
    connection.commit()
    for package, version_table in _chains(entry):
        _chain(connection, package, name, version_table)
    connection.execute(text(RIGHTS.format(schema=name)))
    connection.commit()


def _chain(connection: Connection, package: str, schema: str, version_table: str) -> None:
    """Run one chain of revisions to its head, each in a transaction."""
    config = Config()
    environment = resources.files(revisions.CHASSIS)
    config.set_main_option("script_location", str(environment))
    config.set_main_option("version_locations", str(Path(str(resources.files(package))) / "versions"))
    config.set_main_option("path_separator", "newline")
    config.attributes.update(connection=connection, schema=schema, version_table=version_table)
    command.upgrade(config, "heads")
    connection.commit()


RIGHTS = """
DO $$
DECLARE
    found record;
BEGIN
    GRANT USAGE ON SCHEMA "{schema}" TO "{schema}", "{schema}_reader";
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "{schema}" TO "{schema}";
    FOR found IN
        SELECT c.relname,
               EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'one_tenant') AS has_policy
          FROM pg_class c
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
         WHERE c.relnamespace = '"{schema}"'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> 'dead_letters'
    LOOP
        EXECUTE format('ALTER TABLE "{schema}".%I ENABLE ROW LEVEL SECURITY', found.relname);
        EXECUTE format('ALTER TABLE "{schema}".%I FORCE ROW LEVEL SECURITY', found.relname);
        EXECUTE format('GRANT SELECT ON "{schema}".%I TO "{schema}_reader"', found.relname);
        IF NOT found.has_policy THEN
            -- '' and NULL are no tenant: after a commit the setting is '', not NULL (measured)
            EXECUTE format(
                'CREATE POLICY one_tenant ON "{schema}".%I TO "{schema}_reader" '
                'USING (tenant_id = nullif(current_setting(''duly.tenant'', true), ''''))', found.relname);
        END IF;
    END LOOP;
    -- The bytes of dead letters are personal data: workers write them, and one role that does nothing else reads them.
    REVOKE SELECT ON "{schema}".dead_letters FROM "{schema}", "{schema}_reader";
    GRANT SELECT (ctid, id, tenant_id, topic, partition, "offset", epoch, reason, fingerprint, cause, received_at,
                  state, settled_at, settled_by, settled_reason, replay_count, replayed_at)
        ON "{schema}".dead_letters TO "{schema}";
    GRANT USAGE ON SCHEMA "{schema}" TO "{schema}_letters";
    GRANT SELECT ON "{schema}".dead_letters TO "{schema}_letters";
    ALTER TABLE "{schema}".dead_letters ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    DROP POLICY IF EXISTS one_tenant ON "{schema}".dead_letters;
    -- '*' is no tenant's name: the operator's view, which alone shows what belongs to nobody
    CREATE POLICY one_tenant ON "{schema}".dead_letters FOR SELECT TO "{schema}_letters"
        USING (current_setting('duly.tenant', true) IN (tenant_id, '*'));
END $$
"""
