"""Control node: registers, command fetch, dispatch, completions, watchdog."""
