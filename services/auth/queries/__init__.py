"""Reads of auth: one function a question."""
