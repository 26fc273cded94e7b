# Every library Brume uses, found as an installed package; nothing is downloaded and no code is copied here. README.md beside this
# file says for each: version, license, why. brume_dependencies carries all of them to the sources; BRUME_LIBRARIES are the ones
# to link.
find_package(PkgConfig REQUIRED)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

find_path(VULKAN_INCLUDE_DIR vulkan/vulkan.h REQUIRED)
find_path(VOLK_INCLUDE_DIR volk.h REQUIRED)
find_package(PNG 1.6 REQUIRED)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson>=2.13)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc>=2.5)

set(BRUME_LIBRARIES PNG::PNG PkgConfig::JANSSON PkgConfig::UTF8PROC Threads::Threads ${CMAKE_DL_LIBS})
if(NOT WIN32)
  list(APPEND BRUME_LIBRARIES m)
endif()

add_library(brume_dependencies INTERFACE)
target_include_directories(brume_dependencies SYSTEM INTERFACE ${VULKAN_INCLUDE_DIR} ${VOLK_INCLUDE_DIR})
target_compile_definitions(brume_dependencies INTERFACE VK_NO_PROTOTYPES)
target_link_libraries(brume_dependencies INTERFACE ${BRUME_LIBRARIES})

# These compile, check and optimise the shaders at build time.
find_program(GLSLANG_VALIDATOR NAMES glslangValidator glslang REQUIRED)
find_program(SPIRV_VAL spirv-val REQUIRED)
find_program(SPIRV_OPT spirv-opt)

if(BRUME_TESTS)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka>=1.1)
endif()
