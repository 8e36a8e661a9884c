"""Writes: one function a use case, one transaction each, facts recorded in it."""
