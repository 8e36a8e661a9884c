"""Tests, by what they need to run."""
