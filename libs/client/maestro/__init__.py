"""The client side of Maestro ML: the command line, light enough to stand beside a notebook."""
