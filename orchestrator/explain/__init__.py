"""What people ask of a hierarchy, its observations and its diary, answered. Pure."""
