"""Generated bad input for every declared route: what is sent, and what may be answered."""
