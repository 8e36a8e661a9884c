"""Loads and saves what tracking keeps, on a connection; the caller commits."""
