"""What commands ask of the streaming application: how far it is, and whether it is down."""
