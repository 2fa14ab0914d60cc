"""What answers requests; imported by a server of plugins only."""

from __future__ import annotations

import flask
