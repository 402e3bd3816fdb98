"""Whether a CDS Service keeps the rules of CDS Hooks 2.0.1, tried from outside."""
