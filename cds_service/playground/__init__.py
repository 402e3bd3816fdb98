"""The playground: invented people, what is changed about them, and why their cards come."""
