"""The campaign: a cluster of machines under load, while everything that can fail is made to fail; afterwards its history is read and judged.

    python -m tests.campaign --seconds 1800 --seed 7 --report docs/reliability.md

`load` is what is submitted and what jobs write down themselves, `faults` what is done to the machines, `history` how that is read and judged (pure, tested by
itself), `remains` what may not be left of it, `report` the page. As root, since it makes namespaces.
"""
