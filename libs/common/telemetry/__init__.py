"""Traces, metrics and logs, the same for every service."""
