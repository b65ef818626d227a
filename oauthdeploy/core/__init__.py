"""Types that all other packages use; imports nothing else of the project."""
