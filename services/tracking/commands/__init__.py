"""Writes of tracking: one function a use case, one transaction each, with the facts it tells."""
