"""HTTP bodies of auth's own REST."""
