"""Bad input, one table: what a user wrote, and every word that the command line says to it."""
