# Which permutations of which shader are built. Names are <op>_<variant>; see br_shader in CMakeLists.txt.
