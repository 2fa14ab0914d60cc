"""What a plugin of a QHAna plugin runner imports to say what it is; nothing in it runs a plugin."""
