"""Features: offline frames for training, online values for serving."""
