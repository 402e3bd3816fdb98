"""What HTML pages share: Markdown made safe, and pages that stand alone."""
