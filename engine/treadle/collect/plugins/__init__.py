"""Plugins as a QHAna plugin runner knows them: found in folders and git repositories, read, installed."""

from treadle.collect.plugins.installing import install
from treadle.collect.plugins.report import Installation, InstallReport
from treadle.collect.plugins.scanning import ScanReport, scan

__all__ = ["InstallReport", "Installation", "ScanReport", "install", "scan"]
