"""Room: cohort (see docs/architecture.md)."""
