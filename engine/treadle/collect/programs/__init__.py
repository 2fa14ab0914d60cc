"""Programs for the interpreters of packages' environments, which may be Python 3.9 to 3.14.

They run outside the engine's installation: they import the standard library, one another, and pydantic where
a package's functions need it. A program of several files loads
this package under a private name.
"""
