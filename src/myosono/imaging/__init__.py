"""Room: imaging (see docs/architecture.md)."""
