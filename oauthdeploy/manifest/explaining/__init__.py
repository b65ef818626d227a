"""For `explain`: the meaning of rules, fields and objects, as values to be rendered."""
