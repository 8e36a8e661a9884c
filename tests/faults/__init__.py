"""Faults: what is promised while processes are killed and parts are away."""
