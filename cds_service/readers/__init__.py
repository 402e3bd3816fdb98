"""Which person reads the pages with figures: known by a token of their own, or to a proxy."""
