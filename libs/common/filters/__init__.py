"""MLflow's search language as far as all searches share it: tokens, clauses, orders, values, pages."""
