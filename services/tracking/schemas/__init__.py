"""Bodies of tracking's requests and answers, in MLflow's names."""
