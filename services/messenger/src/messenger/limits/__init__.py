"""What holds sends back: the pace of providers, and brakes."""
