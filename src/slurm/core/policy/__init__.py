"""Who may use what, how much, and who comes first: the policy that slurmdbd keeps, as this controller knows it, and what counts against
it."""
