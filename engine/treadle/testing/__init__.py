"""What others need to test against Treadle: strategies for its values, stand-ins for what it calls."""
