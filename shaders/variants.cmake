# Which permutations of which shader are built. Names are <op>_<variant>; see br_shader in CMakeLists.txt.
br_shader(test_saxpy tests/saxpy.comp TEST)

# <op>_<type of x>_<type of the matrix>
foreach(OP linear linear_rows conv2d)
  br_shader(${OP}_f32_f32 ops/${OP}.comp X_F16=0 W_F16=0)
  br_shader(${OP}_f32_f16 ops/${OP}.comp X_F16=0 W_F16=1)
  br_shader(${OP}_f16_f32 ops/${OP}.comp X_F16=1 W_F16=0)
  br_shader(${OP}_f16_f16 ops/${OP}.comp X_F16=1 W_F16=1)
endforeach()
br_shader(attention_f32 ops/attention.comp X_F16=0)
br_shader(attention_f16 ops/attention.comp X_F16=1)
