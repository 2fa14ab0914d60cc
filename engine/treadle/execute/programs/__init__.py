"""The processes between a worker and its units: stdlib only, Python 3.9 to 3.14.

They run outside the engine's installation, so they import nothing but the standard library and one another,
relatively. `start.py` starts them by path.

- `launcher`, one a worker, in the engine's interpreter: parent and sweeper of all others
- `zygote`, one an interpreter and environment, in the units' own: imports, and forks keepers
- `keeper`, one a unit at a time: a copy of the zygote that forks units, or of the launcher, that starts
  programs

Each is connected with the worker by a stream socket and ends when the worker's end of it closes. What may
happen to one of them, and what then ends the units:

- The worker dies: every keeper sees it, asks its unit to end, kills what is left, and ends; then the zygotes,
  then the launcher.
- A keeper dies: its unit gets the kernel's parent-death signal; what else descends from the unit becomes the
  launcher's and is killed.
- A zygote or the launcher dies: keepers get the parent-death signal and do as if the worker had died.

The parent-death signal fires when the parent's *thread* ends; that is why none of this is done from the
threads of the worker. All of these processes have one thread.
"""
