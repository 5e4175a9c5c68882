"""What counts can show, and how surely: for re-inspection and qualification. Needs scipy (extra `reinspect`)."""
