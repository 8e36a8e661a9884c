"""HTTP for a service: manners, routes, the two error forms, and calls to its peers."""
