"""One trigger a file; triggers run in the triggerer and must never block its event loop."""
