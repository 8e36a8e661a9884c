"""What is said to the person at the terminal when the embedded platform cannot go on."""


class Problem(Exception):
    """A reason to stop, worded for whoever started the platform; shown without a traceback."""
