"""Fuzzing: damaged and hostile input for every decoder and every table that myosono reads from strangers."""
