"""Linux computers through the OpenSSH client of this system."""
