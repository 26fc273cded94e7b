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

foreach(OP add activation geglu concat upsample_nearest group_norm group_norm_stats layer_norm sampler_step)
  br_shader(${OP}_f32 ops/${OP}.comp)
  br_shader(${OP}_f16 ops/${OP}.comp X_F16=1)
endforeach()
br_shader(timestep_embedding ops/timestep_embedding.comp)
br_shader(model_input_f32 ops/model_input.comp)
br_shader(model_input_f16 ops/model_input.comp Y_F16=1)
# embedding_<result>_<table>, convert_<from>_<to>
foreach(A f32 f16)
  foreach(B f32 f16)
    string(COMPARE EQUAL ${A} f16 A_F16)
    string(COMPARE EQUAL ${B} f16 B_F16)
    br_shader(embedding_${A}_${B} ops/embedding.comp X_F16=${A_F16} W_F16=${B_F16})
    br_shader(convert_${A}_${B} ops/convert.comp X_F16=${A_F16} Y_F16=${B_F16})
  endforeach()
endforeach()
