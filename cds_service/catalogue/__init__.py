"""The knowledge for people to read: a document for each of its parts."""
