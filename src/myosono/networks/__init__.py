"""Room: networks (see docs/architecture.md)."""
