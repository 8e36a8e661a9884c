"""What the gateway shows to browsers itself: MLflow's web pages, and the page to sign in on."""
