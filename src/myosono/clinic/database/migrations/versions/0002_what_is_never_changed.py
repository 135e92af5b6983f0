"""Refuse changes of the audit log and of signed readings in the database itself."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_LOG = "the audit log is append-only"
_SIGNED = "a signed reading is never changed, only amended"


def upgrade() -> None:
    """Set the triggers."""
    if op.get_bind().dialect.name == "postgresql":
        _postgresql()
    else:
        _sqlite()


def _sqlite() -> None:
    # INSERT OR REPLACE deletes rows without firing their DELETE triggers: an insert over an old row is refused too.
    refused = (
        ("audit_log_update", "BEFORE UPDATE ON audit_log", "", _LOG),
        ("audit_log_delete", "BEFORE DELETE ON audit_log", "", _LOG),
        (
            "audit_log_replace",
            "BEFORE INSERT ON audit_log",
            "WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id OR hash = NEW.hash)",
            _LOG,
        ),
        ("signed_update", "BEFORE UPDATE ON physician_readings", "WHEN OLD.signed_at IS NOT NULL", _SIGNED),
        ("signed_delete", "BEFORE DELETE ON physician_readings", "WHEN OLD.signed_at IS NOT NULL", _SIGNED),
        (
            "signed_replace",
            "BEFORE INSERT ON physician_readings",
            "WHEN EXISTS (SELECT 1 FROM physician_readings WHERE id = NEW.id AND signed_at IS NOT NULL)",
            _SIGNED,
        ),
    )
    for name, event, condition, message in refused:
        op.execute(
            f"CREATE TRIGGER {name} {event} FOR EACH ROW {condition} BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )


def _postgresql() -> None:
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    triggers = (
        ("audit_log_change", "BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW", _LOG),
        ("audit_log_truncate", "BEFORE TRUNCATE ON audit_log FOR EACH STATEMENT", _LOG),
        (
            "signed_change",
            "BEFORE UPDATE OR DELETE ON physician_readings FOR EACH ROW WHEN (OLD.signed_at IS NOT NULL)",
            _SIGNED,
        ),
        ("signed_truncate", "BEFORE TRUNCATE ON physician_readings FOR EACH STATEMENT", _SIGNED),
    )
    for name, event, message in triggers:
        op.execute(f"CREATE TRIGGER {name} {event} EXECUTE FUNCTION refuse_change('{message}')")
