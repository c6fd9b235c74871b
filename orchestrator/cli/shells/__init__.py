"""The shells' part of completion, one file each."""
