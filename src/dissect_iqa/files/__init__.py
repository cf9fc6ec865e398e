"""What touches the disk and the net for everybody: reading strictly, writing whole, fetching."""
