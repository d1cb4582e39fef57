"""Who may use what, in the database: `reading` makes records of rows, `adding`, `modifying` and `removing` change rows, `editing` is what
they share.

A change runs in one transaction; every record that it touched is told to the clusters concerned, with the number of the change (`version`).
"""
