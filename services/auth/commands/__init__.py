"""Writes of auth: one function per use case, one transaction each."""
