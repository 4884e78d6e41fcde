"""What a training leaves in MLflow, also one that was killed."""
