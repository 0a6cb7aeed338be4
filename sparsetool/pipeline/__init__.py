"""The stages, in order: from a recipe or a model file to verified artifacts."""
