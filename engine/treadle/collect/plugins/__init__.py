"""Plugins as a QHAna plugin runner knows them: found in folders and git repositories, read, installed."""
