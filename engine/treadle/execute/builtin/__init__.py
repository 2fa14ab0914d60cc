"""Programs that are tasks of the engine's own: units call them by the command contract, as any task's."""
