"""FaceShadow: paired shadowed / shadow-free faces from ordinary portraits."""
