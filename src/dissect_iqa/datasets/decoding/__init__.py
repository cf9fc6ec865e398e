"""From a picture file's bytes to pixels as a viewer shows them, or to a reason why not."""
