"""One image at a time: from a step to blobs in the registry, or to an image on this machine."""
