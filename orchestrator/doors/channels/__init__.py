"""Ways to tell a team something, one file each; ``registry`` names them all."""
