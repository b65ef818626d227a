"""Rollback of a run: the steps in its journal, and the desired state that undoes them."""
