# Which permutations of which shader are built. Names are <op>_<variant>; see br_shader in CMakeLists.txt.
br_shader(test_saxpy tests/saxpy.comp)
