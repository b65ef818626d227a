"""What each command ends with, and what it says last: the data of docs/promises.md, and the tests that show it."""
