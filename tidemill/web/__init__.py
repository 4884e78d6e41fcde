"""What every HTTP server of the platform does the same way: bounds on a request, problem details, logs, request ids."""
