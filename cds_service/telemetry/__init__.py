"""What may be told of a call: ids, outcomes, times; never a value, a name or a token."""
