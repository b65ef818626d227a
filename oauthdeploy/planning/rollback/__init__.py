"""Taking a run back: the steps of its journal, and the desired state that undoes them."""
