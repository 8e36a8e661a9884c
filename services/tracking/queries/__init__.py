"""Reads of tracking: one function a question, SQL straight to answers."""
