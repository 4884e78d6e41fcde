"""What all queries have in common: started, watched, restarted, and told of."""
