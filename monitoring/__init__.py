"""What watches models in use, and the record of what is to be done about them."""
