"""The audit: everything about a cohort and its split that makes a score better than life."""

from myosono.cohort.audit.audit import audit_cohort
from myosono.cohort.audit.result import AuditResult, Finding, Lookalikes, Shortcut, SplitAudit

__all__ = ["AuditResult", "Finding", "Lookalikes", "Shortcut", "SplitAudit", "audit_cohort"]
