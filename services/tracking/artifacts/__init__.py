"""Artifacts: which paths are accepted, where their bytes lie, and how they travel."""
