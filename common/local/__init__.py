"""What stands in for the cloud on a laptop and in tests; never part of an image."""
