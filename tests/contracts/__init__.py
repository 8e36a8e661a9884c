"""The published language: what generated descriptions promise, and how a breach is noticed."""
