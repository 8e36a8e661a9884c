"""The tracking API answer by answer: the same requests to a real `mlflow server` and to us."""
