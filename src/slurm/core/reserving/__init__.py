"""Reservations: their times, who may use them, how they are asked for and what becomes of them; and where jobs may start because of
them."""
