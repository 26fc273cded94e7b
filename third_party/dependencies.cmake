# Every library Brume uses, found as an installed package; nothing is downloaded and no code is copied here.
# brume_dependencies carries all of them.
find_package(PkgConfig REQUIRED)

# Vulkan headers (Apache-2.0 OR MIT), Debian libvulkan-dev 1.3.239. Only the headers: volk opens the loader at run time.
find_path(VULKAN_INCLUDE_DIR vulkan/vulkan.h REQUIRED)
# volk (MIT), Debian libvulkan-volk-dev: loads the Vulkan loader at run time, so the binary starts without one and can say so.
find_path(VOLK_INCLUDE_DIR volk.h REQUIRED)
# libpng 1.6 (libpng-2.0): reading and writing PNG with text chunks.
find_package(PNG 1.6 REQUIRED)
# jansson 2.14 (MIT), Debian libjansson-dev: JSON with a depth limit and duplicate-key refusal, which hostile headers call for.
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson>=2.13)
# utf8proc 2.8 (MIT), Debian libutf8proc-dev: Unicode categories, lower-casing and NFC for the tokenizer.
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc>=2.5)

add_library(brume_dependencies INTERFACE)
target_include_directories(brume_dependencies SYSTEM INTERFACE ${VULKAN_INCLUDE_DIR} ${VOLK_INCLUDE_DIR})
target_compile_definitions(brume_dependencies INTERFACE VK_NO_PROTOTYPES)
target_link_libraries(brume_dependencies INTERFACE PNG::PNG PkgConfig::JANSSON PkgConfig::UTF8PROC m ${CMAKE_DL_LIBS})

# glslang (BSD-3-Clause) and SPIRV-Tools (Apache-2.0) compile and check the shaders at build time.
find_program(GLSLANG_VALIDATOR NAMES glslangValidator glslang REQUIRED)
find_program(SPIRV_VAL spirv-val REQUIRED)

# cmocka 1.1 (Apache-2.0), Debian libcmocka-dev: unit tests.
if(BRUME_TESTS)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()
