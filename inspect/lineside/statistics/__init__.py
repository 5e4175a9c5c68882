"""What counts and measurements can show, and how surely. Needs scipy (extra `reinspect`)."""
