"""Tracking, as a running service on real parts."""
