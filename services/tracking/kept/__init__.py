"""What runs show, kept as ready bytes: in this process, in Redis, and what says whether they still hold."""
