"""What watches models in use, what it finds, and the record of what is to be done about it."""
