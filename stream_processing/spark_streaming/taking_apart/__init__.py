"""A batch that killed or hung the application: noted, tried elsewhere, and taken apart until the message is found."""
