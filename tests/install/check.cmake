# Installs the build tree BUILD to a fresh prefix, moves that, and uses it as another project would: a ten-line program is built
# against each library, once through find_package and once through pkg-config, and run. Also holds the exported names to the
# public headers.
#   cmake -DBUILD=... -DSOURCE=<this folder> -DWORK=... -DCC=... -DGENERATOR=Ninja -DLIBDIR=lib -DNM=nm -P check.cmake
function(run OUT)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE CODE OUTPUT_VARIABLE STDOUT ERROR_VARIABLE STDERR OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT CODE EQUAL 0)
    list(JOIN ARGN " " LINE)
    message(FATAL_ERROR "${LINE}\nexit code ${CODE}\n${STDOUT}\n${STDERR}")
  endif()
  set(${OUT} "${STDOUT}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${WORK})
run(IGNORED ${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/first)
# An installed tree may be moved: nothing in it may point to where it was made.
file(RENAME ${WORK}/first ${WORK}/prefix)
set(PREFIX ${WORK}/prefix)
set(LIBRARIES ${PREFIX}/${LIBDIR})

foreach(FILE IN ITEMS ${LIBDIR}/libbrume.a ${LIBDIR}/libbrume.so ${LIBDIR}/pkgconfig/brume.pc include/brume/status.h
                      share/brume/models/emoji/model_index.json share/brume/models/emoji/NOTICE.txt
                      share/brume/tokenizer/clip/merges.txt share/brume/tokenizer/clip/NOTICE.txt bin/brume)
  if(NOT EXISTS ${PREFIX}/${FILE})
    message(FATAL_ERROR "${FILE} was not installed")
  endif()
endforeach()

# Each public header stands alone, in C11 and in C++ (where clang is there to say so).
file(GLOB HEADERS ${PREFIX}/include/brume/*.h)
find_program(CLANG clang)
foreach(HEADER IN LISTS HEADERS)
  set(STRICT -I${PREFIX}/include -pedantic-errors -Wall -Wextra -Werror -fsyntax-only)
  run(IGNORED ${CC} -std=c11 ${STRICT} -xc ${HEADER})
  if(CLANG)
    run(IGNORED ${CLANG} -std=c++11 ${STRICT} -Wno-pragma-once-outside-header -xc++ ${HEADER})
  endif()
endforeach()

# Exactly the functions that the public headers mark BR_API are visible, in both libraries.
set(DECLARED)
foreach(HEADER IN LISTS HEADERS)
  file(READ ${HEADER} TEXT)
  string(REGEX MATCHALL "\nBR_API [^;(]*[ *](br_[a-z0-9_]+)\\(" FOUND "${TEXT}")
  list(TRANSFORM FOUND REPLACE "^.*[ *](br_[a-z0-9_]+)\\($" "\\1")
  list(APPEND DECLARED ${FOUND})
endforeach()
list(SORT DECLARED)
if(NOT DECLARED)
  message(FATAL_ERROR "no BR_API declaration found in ${PREFIX}/include/brume")
endif()
function(check_exports LIBRARY)
  run(SYMBOLS ${NM} ${ARGN} --defined-only --format=posix ${LIBRARY})
  string(REGEX MATCHALL "[^\n ]+ [A-Z] " SYMBOLS "${SYMBOLS}")
  list(TRANSFORM SYMBOLS REPLACE "(@.*)? [A-Z] $" "")
  list(SORT SYMBOLS)
  if(NOT SYMBOLS STREQUAL DECLARED)
    set(EXTRA ${SYMBOLS})
    list(REMOVE_ITEM EXTRA ${DECLARED})
    set(MISSING ${DECLARED})
    list(REMOVE_ITEM MISSING ${SYMBOLS})
    message(FATAL_ERROR "${LIBRARY}\nexports, but no header declares: ${EXTRA}\ndeclared BR_API, but not exported: ${MISSING}")
  endif()
endfunction()
check_exports(${LIBRARIES}/libbrume.so -D)
check_exports(${LIBRARIES}/libbrume.a -g)

file(STRINGS ${PREFIX}/include/brume/version.h VERSION REGEX "#define BR_VERSION_(MAJOR|MINOR|PATCH) [0-9]+$")
string(REGEX REPLACE "[^0-9;]" "" VERSION "${VERSION}")
list(JOIN VERSION "." VERSION)
function(check_consumer PROGRAM)
  run(OUTPUT ${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${LIBRARIES} ${PROGRAM})
  if(NOT OUTPUT STREQUAL "brume ${VERSION}: ok")
    message(FATAL_ERROR "${PROGRAM} said \"${OUTPUT}\", expected \"brume ${VERSION}: ok\"")
  endif()
endfunction()

# Through find_package, both libraries.
run(IGNORED ${CMAKE_COMMAND} -S ${SOURCE}/consumer -B ${WORK}/cmake -G ${GENERATOR} -DCMAKE_C_COMPILER=${CC} -DCMAKE_PREFIX_PATH=${PREFIX}
    -DEXPECTED_VERSION=${VERSION})
run(IGNORED ${CMAKE_COMMAND} --build ${WORK}/cmake)
check_consumer(${WORK}/cmake/consumer_static)
check_consumer(${WORK}/cmake/consumer_shared)

# Through pkg-config: as it is for the shared library; with --static and the archive itself for the other, since a linker takes the
# .so where it finds both.
set(ENV{PKG_CONFIG_PATH} ${LIBRARIES}/pkgconfig)
function(pkg_config OUT)
  run(FLAGS pkg-config ${ARGN} brume)
  separate_arguments(FLAGS UNIX_COMMAND "${FLAGS}")
  set(${OUT} ${FLAGS} PARENT_SCOPE)
endfunction()
pkg_config(FLAGS --cflags --libs)
run(IGNORED ${CC} -o ${WORK}/pc_shared ${SOURCE}/consumer/consumer.c ${FLAGS})
check_consumer(${WORK}/pc_shared)
run(NEEDED ${NM} -D --undefined-only ${WORK}/pc_shared)
if(NOT NEEDED MATCHES "br_version")
  message(FATAL_ERROR "${WORK}/pc_shared does not take br_version from the shared library")
endif()
pkg_config(FLAGS --static --cflags --libs)
list(TRANSFORM FLAGS REPLACE "^-lbrume$" "-l:libbrume.a")
run(IGNORED ${CC} -o ${WORK}/pc_static ${SOURCE}/consumer/consumer.c ${FLAGS})
check_consumer(${WORK}/pc_static)

# The model that was installed along is the default one: for the command line, and for a program elsewhere that uses the library.
function(check_model)
  run(OUTPUT ${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${LIBRARIES} ${ARGN})
  if(NOT OUTPUT MATCHES "${PREFIX}/[a-z/.]*share/brume/models/emoji")
    message(FATAL_ERROR "${ARGN}: expected the model below ${PREFIX}, got\n${OUTPUT}")
  endif()
endfunction()
check_model(${WORK}/cmake/model)
check_model(${PREFIX}/bin/brume inspect --json)
