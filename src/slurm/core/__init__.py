"""The pure cluster: state, events, effects, the job state machine, admission, limits, invariants."""
