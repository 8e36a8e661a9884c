"""The bench: one load on the platform and on its peers, answers checked and committed rows counted."""
