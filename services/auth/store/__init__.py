"""Saves what auth owns, on a connection; the caller commits."""
