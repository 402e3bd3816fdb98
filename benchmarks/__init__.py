"""What a call costs: the service beside a Flask application that does nothing, in one run."""
