"""What authors of content need: skeletons of it, and what a change of it does to patients."""
