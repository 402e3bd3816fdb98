"""One module a version, in the order of their numbers. None is changed once it was released."""
