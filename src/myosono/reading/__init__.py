"""Room: reading (see docs/architecture.md)."""
