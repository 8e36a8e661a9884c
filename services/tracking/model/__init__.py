"""The rules of tracking: limits, points, runs, experiments and filters, without any I/O."""
