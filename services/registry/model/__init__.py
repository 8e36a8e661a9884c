"""The registry's rules, without I/O or framework: names, stages, sources, the search language."""
