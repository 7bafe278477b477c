# Flags for our own code, and the three functions with which each folder declares what it is made of.
include(GoogleTest OPTIONAL)

add_library(planetserve_flags INTERFACE)
target_include_directories(planetserve_flags INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR})
target_compile_options(planetserve_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast
                       -Woverloaded-virtual -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports these falsely in optimised coroutines and in inlined std::vector code.
  target_compile_options(planetserve_flags INTERFACE -Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-array-bounds
                         -Wno-stringop-overread -Wno-restrict -Wno-dangling-pointer -Wno-mismatched-new-delete)
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

# planetserve_library(FOLDER SOURCES a.cpp ... DEPENDS planetserve_base ...)
function(planetserve_library folder)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(planetserve_${folder} STATIC ${arg_SOURCES})
  target_link_libraries(planetserve_${folder} PUBLIC planetserve_flags ${arg_DEPENDS})
endfunction()

# planetserve_test(FOLDER SOURCES a_test.cpp ... DEPENDS planetserve_FOLDER ...): one test program a folder.
function(planetserve_test folder)
  if(NOT PLANETSERVE_TESTS)
    return()
  endif()
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${folder}_test ${arg_SOURCES})
  target_link_libraries(${folder}_test PRIVATE planetserve_flags ${arg_DEPENDS} GTest::gtest GTest::gtest_main)
  gtest_discover_tests(${folder}_test DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 120)
endfunction()

# planetserve_fuzzer(NAME DEPENDS ...): tests/fuzz/NAME.cpp becomes bin/fuzz_NAME.
function(planetserve_fuzzer name)
  cmake_parse_arguments(arg "" "" "DEPENDS" ${ARGN})
  add_executable(fuzz_${name} ${name}.cpp)
  target_link_libraries(fuzz_${name} PRIVATE planetserve_flags ${arg_DEPENDS})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
endfunction()
