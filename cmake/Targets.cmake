# Flags for our own code, and the three functions with which each folder declares what it is made of.

# A cache of compiled files, where ccache is installed and nothing else was asked for.
if(NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(PLANETSERVE_CCACHE ccache)
  if(PLANETSERVE_CCACHE)
    # ccache caches what uses precompiled headers only where it is told that macros of theirs and times do not matter.
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${PLANETSERVE_CCACHE})
  endif()
endif()

# clang links by its own linker, which is several times faster.
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  find_program(PLANETSERVE_LLD NAMES ld.lld-19 ld.lld)
  if(PLANETSERVE_LLD)
    add_link_options(-fuse-ld=lld)
  endif()
endif()

# Most of a file's compile time goes into headers. A unity build compiles the files of a target together, ten at a time,
# in less than half of the CPU time. The preset "dev" compiles each file by itself, so that each names what it includes.
if(PLANETSERVE_UNITY)
  set(CMAKE_UNITY_BUILD ON)
  set(CMAKE_UNITY_BUILD_BATCH_SIZE 10)
endif()

add_library(planetserve_flags INTERFACE)
target_include_directories(planetserve_flags INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR})
target_compile_options(planetserve_flags INTERFACE -Wall -Wextra -Wpedantic -Wnon-virtual-dtor -Wold-style-cast
                       -Woverloaded-virtual -Werror)
if(NOT PLANETSERVE_UNITY)
  target_compile_options(planetserve_flags INTERFACE -Wshadow)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # In a unity build other files' globals are in sight, and a local may well have the name of one of them.
  target_compile_options(planetserve_flags INTERFACE -Wshadow=local)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports these falsely in optimised coroutines and in inlined std::vector code.
  target_compile_options(planetserve_flags INTERFACE -Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-array-bounds
                         -Wno-stringop-overread -Wno-restrict -Wno-dangling-pointer -Wno-mismatched-new-delete)
  if(PLANETSERVE_UNITY)
    # It warns of a class that uses an anonymous namespace outside the main file; in a unity build each file is outside it.
    target_compile_options(planetserve_flags INTERFACE -Wno-subobject-linkage)
  endif()
endif()
if(PLANETSERVE_SANITIZE)
  target_compile_options(planetserve_flags INTERFACE -fsanitize=${PLANETSERVE_SANITIZE} -fno-omit-frame-pointer
                         -fno-sanitize-recover=all)
  target_link_options(planetserve_flags INTERFACE -fsanitize=${PLANETSERVE_SANITIZE})
  if(PLANETSERVE_SANITIZE MATCHES "thread")
    # ThreadSanitizer does not follow fences; without them Asio orders by its locks, which it does follow.
    target_compile_definitions(planetserve_flags INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
  endif()
endif()

# Folders whose loops benchmarks measure. All else is no faster at -O3 than at -O2, and takes longer to compile.
set(hot_folders crypto dispersal routing scoring)

# What tests test is optimised; they themselves run for moments, and optimising one takes a quarter of its compile time, under
# clang's sanitizers most of it. No fuzzer links a test. Tests of hot folders have loops themselves.
set(test_options "")
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  set(test_options -O0)
elseif(PLANETSERVE_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  set(test_options -O0 -fno-sanitize=fuzzer-no-link)
endif()

# Headers that most files read, read once: precompiled. Only where files are compiled together, too; the preset "dev" and
# `test alone` see that each file names what it includes. clang takes them only for the optimisation they were made for.
set(precompiled_headers <algorithm> <array> <chrono> <deque> <expected> <filesystem> <functional> <map> <memory> <optional>
    <random> <set> <span> <sstream> <string> <string_view> <unordered_map> <variant> <vector> <boost/asio.hpp>
    <boost/json.hpp>)
if(PLANETSERVE_PRECOMPILED)
  # g++ takes them only where the macros that they saw are defined as they were.
  target_compile_definitions(planetserve_flags INTERFACE $<TARGET_PROPERTY:Boost::json,INTERFACE_COMPILE_DEFINITIONS>
                             $<TARGET_PROPERTY:Boost::container,INTERFACE_COMPILE_DEFINITIONS>)
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/precompiled.cpp CONTENT "")
  add_library(planetserve_precompiled OBJECT ${CMAKE_BINARY_DIR}/precompiled.cpp)
  target_link_libraries(planetserve_precompiled PRIVATE planetserve_flags Boost::json)
  target_precompile_headers(planetserve_precompiled PRIVATE ${precompiled_headers})
  if(PLANETSERVE_TESTS)
    add_library(planetserve_precompiled_tests OBJECT ${CMAKE_BINARY_DIR}/precompiled.cpp)
    target_link_libraries(planetserve_precompiled_tests PRIVATE planetserve_flags Boost::json GTest::gtest)
    target_compile_options(planetserve_precompiled_tests PRIVATE ${test_options})
    target_precompile_headers(planetserve_precompiled_tests PRIVATE ${precompiled_headers} <gtest/gtest.h>)
  endif()
endif()

# planetserve_library(FOLDER SOURCES a.cpp ... DEPENDS planetserve_base ...)
function(planetserve_library folder)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(planetserve_${folder} STATIC ${arg_SOURCES})
  target_link_libraries(planetserve_${folder} PUBLIC planetserve_flags ${arg_DEPENDS})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    target_compile_options(planetserve_${folder} PRIVATE -Wconversion -Wno-sign-conversion)
  endif()
  if(PLANETSERVE_PRECOMPILED)
    target_precompile_headers(planetserve_${folder} REUSE_FROM planetserve_precompiled)
  endif()
  if(CMAKE_BUILD_TYPE STREQUAL "Release" AND folder IN_LIST hot_folders)
    target_compile_options(planetserve_${folder} PRIVATE -O3)
  endif()
endfunction()

# All test programs.
add_custom_target(planetserve_tests)

# planetserve_test(FOLDER SOURCES a_test.cpp ... DEPENDS planetserve_FOLDER ...): one test program a folder. ctest runs it
# in two halves, so that a long program keeps two cores busy; each half writes what it found to test-results.
function(planetserve_test folder)
  if(NOT PLANETSERVE_TESTS)
    return()
  endif()
  if(PLANETSERVE_TESTED)
    string(REPLACE "_" ";" parts ${folder})
    list(GET parts 0 part)
    if(NOT part IN_LIST PLANETSERVE_TESTED)
      return()
    endif()
  endif()
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${folder}_test ${arg_SOURCES})
  target_link_libraries(${folder}_test PRIVATE planetserve_flags ${arg_DEPENDS} GTest::gtest GTest::gtest_main)
  add_dependencies(planetserve_tests ${folder}_test)
  if(NOT folder IN_LIST hot_folders)
    target_compile_options(${folder}_test PRIVATE ${test_options})
    if(PLANETSERVE_PRECOMPILED)
      target_precompile_headers(${folder}_test REUSE_FROM planetserve_precompiled_tests)
    endif()
  endif()
  foreach(half 0 1)
    add_test(NAME ${folder}.${half} COMMAND ${folder}_test)
    set_tests_properties(${folder}.${half} PROPERTIES TIMEOUT 600 ENVIRONMENT
      "GTEST_TOTAL_SHARDS=2;GTEST_SHARD_INDEX=${half};GTEST_OUTPUT=xml:${CMAKE_BINARY_DIR}/test-results/${folder}.${half}.xml")
  endforeach()
endfunction()

# planetserve_fuzzer(NAME DEPENDS ...): tests/fuzz/NAME.cpp becomes bin/fuzz_NAME.
function(planetserve_fuzzer name)
  cmake_parse_arguments(arg "" "" "DEPENDS" ${ARGN})
  add_executable(fuzz_${name} ${name}.cpp)
  target_link_libraries(fuzz_${name} PRIVATE planetserve_flags ${arg_DEPENDS})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
endfunction()
