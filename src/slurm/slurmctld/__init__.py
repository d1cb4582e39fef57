"""The controller: feeds events to core and carries out the effects."""
